//! Results of mutations: the changed object, or the reasons why it was not changed.

use std::future::Future;

use async_graphql::{Interface, SimpleObject};
use services::{Refusal, bookings};

use crate::wording;

use super::{
    availability::Holder,
    failure::{Failure, Result},
    scalar::DateTime,
};

/// Why a mutation was not applied. Contains everything that a client can react to; top-level errors are reserved for
/// unexpected failures.
#[expect(clippy::duplicated_attributes, reason = "two fields of one type are no mistake")]
#[derive(Debug, Clone, Interface)]
#[graphql(
    field(
        name = "code",
        ty = "String",
        desc = "Stable, machine-readable code; docs/errors.md lists all codes."
    ),
    field(name = "message", ty = "String", desc = "Human-readable explanation in one sentence."),
    field(
        name = "path",
        ty = "Option<Vec<String>>",
        desc = "Path of the input field that caused the error, starting with `input`; null if there is no such field."
    ),
    field(
        name = "limit",
        ty = "Option<i32>",
        desc = "Maximum that is allowed, in the unit that `message` names; null unless a limit was exceeded."
    ),
    field(
        name = "actual",
        ty = "Option<i32>",
        desc = "Actual amount, in the unit of `limit`; null unless a limit was exceeded."
    )
)]
pub enum UserError {
    /// An error that needs no fields beyond the common ones.
    Simple(SimpleError),
    /// The requested time is taken.
    SlotTaken(SlotTakenError),
}

/// An error without additional fields.
#[derive(Debug, Clone, SimpleObject)]
pub struct SimpleError {
    /// Stable, machine-readable code; docs/errors.md lists all codes.
    #[graphql(owned)]
    code: String,
    /// Human-readable explanation in one sentence.
    #[graphql(owned)]
    message: String,
    /// Path of the input field that caused the error, starting with `input`; null if there is no such field.
    #[graphql(owned)]
    path: Option<Vec<String>>,
    /// Maximum that is allowed, in the unit that `message` names; null unless a limit was exceeded.
    #[graphql(owned)]
    limit: Option<i32>,
    /// Actual amount, in the unit of `limit`; null unless a limit was exceeded.
    #[graphql(owned)]
    actual: Option<i32>,
}

/// A user or room is not free at the requested time.
#[derive(Debug, Clone, SimpleObject)]
pub struct SlotTakenError {
    /// Stable, machine-readable code; always `SLOT_TAKEN`.
    #[graphql(owned)]
    code: String,
    /// Human-readable explanation in one sentence.
    #[graphql(owned)]
    message: String,
    /// Path of the input field that caused the error, starting with `input`.
    #[graphql(owned)]
    path: Option<Vec<String>>,
    /// Always null, because this error is not caused by a limit.
    #[graphql(owned)]
    limit: Option<i32>,
    /// Always null, because this error is not caused by a limit.
    #[graphql(owned)]
    actual: Option<i32>,
    /// The users and rooms that are not free; empty if another booking for the same time was created concurrently.
    conflicts: Vec<Conflict>,
    /// Up to three free times of the same length on the same day, the nearest ones, in chronological order.
    alternatives: Vec<TimeSpan>,
}

/// A user or room that is not free at the requested time.
#[derive(Debug, Clone, SimpleObject)]
pub struct Conflict {
    /// The user or room that is not free.
    holder: Holder,
    /// Kind of conflict: `BUSY` or `TENTATIVE`.
    code: String,
    /// Human-readable explanation in one sentence. Never reveals which event occupies the time.
    message: String,
}

/// A time range that includes its start and excludes its end.
#[derive(Debug, Clone, SimpleObject)]
pub struct TimeSpan {
    /// Start of the range, inclusive.
    start: DateTime,
    /// End of the range, exclusive.
    end: DateTime,
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        let path = refusal.field.map(|field| vec!["input".to_owned(), field.to_owned()]);
        let int = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
        let (limit, actual) = refusal.excess.map(|excess| (int(excess.limit), int(excess.actual))).unzip();
        Self::Simple(SimpleError {
            code: refusal.code.to_owned(),
            message: wording::render_message(&refusal.message),
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
            message: wording::render_message(&conflict.message),
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

/// The result type of a mutation.
pub(super) trait Payload {
    /// The result of a mutation that was refused.
    fn refused(error: UserError) -> Self;
}

/// Finishes a mutation: refusals become `userErrors`, other failures stay errors.
pub(super) async fn catch_refusals<P: Payload>(work: impl Future<Output = Result<P>>) -> Result<P> {
    match work.await {
        Err(Failure::Refused(refusal)) => Ok(P::refused(refusal.into())),
        Err(Failure::SlotTaken(taken)) => Ok(P::refused(taken.into())),
        answer => answer,
    }
}

/// Declares the result type of a mutation: nullable fields, `done` to fill them, and `userErrors`.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $($(#[$fdoc])* $field: Option<$ty>,)*
            /// Why the mutation was not applied; empty on success.
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
