//! Request data that resolvers take from their context: the caller, the use cases and the loaders.

use std::sync::{Arc, LazyLock};

use async_graphql::{Context, ID, MaybeUndefined};
use domain::{Id, IdKind, Permission};
use services::{Caller, Refusal, Services};

use super::{failure::Result, loaders::Loaders};
use crate::request::CurrentCaller;

static ANONYMOUS: LazyLock<Arc<Caller>> = LazyLock::new(|| Arc::new(Caller::anonymous()));

/// Accessors for the request data in a resolver's context.
pub(super) trait ContextExt {
    /// The authenticated caller with its current permissions; anonymous if the transport set none.
    fn caller(&self) -> Arc<Caller>;
    /// The use cases.
    fn services(&self) -> &Services;
    /// The data loaders of this request.
    fn loaders(&self) -> &Loaders;
}

impl ContextExt for Context<'_> {
    fn caller(&self) -> Arc<Caller> {
        self.data_opt().map_or_else(|| Arc::clone(&ANONYMOUS), CurrentCaller::caller)
    }

    fn services(&self) -> &Services {
        self.data_unchecked()
    }

    fn loaders(&self) -> &Loaders {
        self.data_unchecked()
    }
}

/// The object that a mutation changed, if the caller may also see such objects: permission to change does not include
/// permission to see.
pub(super) fn if_visible<T>(ctx: &Context<'_>, permission: Permission, changed: T) -> Option<T> {
    ctx.caller().has_permission(permission).then_some(changed)
}

/// Parses the id of an input field. A malformed id is refused in the same way as the id of an object that does not
/// exist.
pub(super) fn parse_id<K: IdKind>(id: &ID, what: &'static str, field: &'static str) -> Result<Id<K>> {
    let unknown = |_| Refusal::new("NOT_FOUND", format!("There is no such {what}.")).at(field);
    Ok(id.parse().map_err(unknown)?)
}

/// Parses a list of ids of an input field.
pub(super) fn parse_ids<K: IdKind>(
    ids: &[ID],
    what: &'static str,
    field: &'static str,
) -> Result<Vec<Id<K>>> {
    ids.iter().map(|id| parse_id(id, what, field)).collect()
}

/// Formats a stored id with its prefix.
pub(super) fn format_id<K: IdKind>(id: Id<K>) -> ID {
    ID(id.to_string())
}

/// Maps an input field of an update: omitted is `None` (keep), null is `Some(None)` (clear).
#[expect(clippy::option_option, reason = "absent and null are two things")]
pub(super) fn patch_field<T, U>(field: MaybeUndefined<T>, value_of: impl Fn(T) -> U) -> Option<Option<U>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value_of(value))),
    }
}
