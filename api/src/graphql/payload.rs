//! What mutations answer: the changed thing, or why it was not changed.

use std::future::Future;

use async_graphql::{Interface, SimpleObject};
use services::{Refusal, bookings};

use super::{
    availability::Holder,
    failure::{Failure, Result},
    scalar::DateTime,
};

/// Why nothing was done. Everything that a client can react to is here; top-level errors are for the unexpected.
#[expect(clippy::duplicated_attributes, reason = "two fields of one type are no mistake")]
#[derive(Debug, Clone, Interface)]
#[graphql(
    field(name = "code", ty = "String", desc = "The stable code; docs/errors.md explains each."),
    field(name = "message", ty = "String", desc = "One sentence for a person."),
    field(
        name = "path",
        ty = "Option<Vec<String>>",
        desc = "The input field that is to blame, beginning with `input`; null when it is the whole request."
    ),
    field(
        name = "limit",
        ty = "Option<i32>",
        desc = "The most that is allowed, in the unit that `message` names; null unless a limit was exceeded."
    ),
    field(
        name = "actual",
        ty = "Option<i32>",
        desc = "What was found in place of at most `limit`; null unless a limit was exceeded."
    )
)]
pub enum UserError {
    /// A clear no.
    Simple(SimpleError),
    /// The time is taken.
    SlotTaken(SlotTakenError),
}

/// A clear no with nothing more to say.
#[derive(Debug, Clone, SimpleObject)]
pub struct SimpleError {
    /// The stable code; docs/errors.md explains each.
    #[graphql(owned)]
    code: String,
    /// One sentence for a person.
    #[graphql(owned)]
    message: String,
    /// The input field that is to blame, beginning with `input`; null when it is the whole request.
    #[graphql(owned)]
    path: Option<Vec<String>>,
    /// The most that is allowed, in the unit that `message` names; null unless a limit was exceeded.
    #[graphql(owned)]
    limit: Option<i32>,
    /// What was found in place of at most `limit`; null unless a limit was exceeded.
    #[graphql(owned)]
    actual: Option<i32>,
}

/// Somebody or some room is taken at the wanted time.
#[derive(Debug, Clone, SimpleObject)]
pub struct SlotTakenError {
    /// Always `SLOT_TAKEN`.
    #[graphql(owned)]
    code: String,
    /// One sentence for a person.
    #[graphql(owned)]
    message: String,
    /// The input field that is to blame, beginning with `input`.
    #[graphql(owned)]
    path: Option<Vec<String>>,
    /// Always null: no limit was exceeded.
    #[graphql(owned)]
    limit: Option<i32>,
    /// Always null: no limit was exceeded.
    #[graphql(owned)]
    actual: Option<i32>,
    /// Who is in the way; empty when somebody was faster in the same moment.
    conflicts: Vec<Conflict>,
    /// Up to three times of the same length on the same day, the nearest ones, in order.
    alternatives: Vec<TimeSpan>,
}

/// Somebody or some room that is taken.
#[derive(Debug, Clone, SimpleObject)]
pub struct Conflict {
    /// Who.
    holder: Holder,
    /// `BUSY` or `TENTATIVE`.
    code: String,
    /// One sentence for a person. It does not say by what the time is taken.
    message: String,
}

/// A span of time: from its start up to, not including, its end.
#[derive(Debug, Clone, SimpleObject)]
pub struct TimeSpan {
    /// When it begins.
    start: DateTime,
    /// When it ends.
    end: DateTime,
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        let path = refusal.field.map(|field| vec!["input".to_owned(), field.to_owned()]);
        let int = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
        let (limit, actual) = refusal.excess.map(|excess| (int(excess.limit), int(excess.actual))).unzip();
        Self::Simple(SimpleError {
            code: refusal.code.to_owned(),
            message: refusal.message,
            path,
            limit,
            actual,
        })
    }
}

impl From<bookings::SlotTaken> for UserError {
    fn from(taken: bookings::SlotTaken) -> Self {
        let conflict = |conflict: bookings::Conflict| Conflict {
            holder: conflict.holder.into(),
            code: conflict.code.to_owned(),
            message: conflict.message,
        };
        let span = |range: domain::TimeRange| TimeSpan { start: range.start.into(), end: range.end.into() };
        Self::SlotTaken(SlotTakenError {
            code: "SLOT_TAKEN".to_owned(),
            message: "The time is taken.".to_owned(),
            path: Some(vec!["input".to_owned(), "start".to_owned()]),
            limit: None,
            actual: None,
            conflicts: taken.conflicts.into_iter().map(conflict).collect(),
            alternatives: taken.alternatives.into_iter().map(span).collect(),
        })
    }
}

/// What a mutation answers.
pub(super) trait Payload {
    /// The answer when nothing was done.
    fn refused(error: UserError) -> Self;
}

/// Answers a mutation: refusals become `userErrors`, only the unexpected stays an error.
pub(super) async fn answer<P: Payload>(work: impl Future<Output = Result<P>>) -> Result<P> {
    match work.await {
        Err(Failure::Refused(refusal)) => Ok(P::refused(refusal.into())),
        Err(Failure::SlotTaken(taken)) => Ok(P::refused(taken.into())),
        answer => answer,
    }
}

/// Declares what a mutation answers: nullable members, `done` to fill them, and `userErrors`.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $($(#[$fdoc])* $field: Option<$ty>,)*
            /// Why nothing was done; empty when it was done.
            user_errors: Vec<$crate::graphql::payload::UserError>,
        }

        impl $name {
            fn done($($field: impl Into<Option<$ty>>),*) -> Self {
                Self { $($field: $field.into(),)* user_errors: Vec::new() }
            }
        }

        impl $crate::graphql::payload::Payload for $name {
            fn refused(error: $crate::graphql::payload::UserError) -> Self {
                Self { $($field: None,)* user_errors: vec![error] }
            }
        }
    };
}
pub(super) use payload;
