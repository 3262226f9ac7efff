//! Request data that resolvers take from their context: the caller, the use cases and the loaders.

use std::sync::LazyLock;

use async_graphql::{Context, ID, MaybeUndefined};
use domain::{Allowed, Caller, CallerKind, Id, Kind, Permission, access::Denied};
use services::{Refusal, Services};

use super::{failure::Result, loaders::Loaders};

static ANONYMOUS: LazyLock<Caller> = LazyLock::new(Caller::anonymous);

/// Accessors for the request data in a resolver's context.
pub(super) trait ContextExt {
    /// The authenticated caller; anonymous if the transport set none.
    fn caller(&self) -> &Caller;
    /// The use cases.
    fn services(&self) -> &Services;
    /// The data loaders of this request.
    fn loaders(&self) -> &Loaders;
}

impl ContextExt for Context<'_> {
    fn caller(&self) -> &Caller {
        self.data_opt().unwrap_or(&ANONYMOUS)
    }

    fn services(&self) -> &Services {
        self.data_unchecked()
    }

    fn loaders(&self) -> &Loaders {
        self.data_unchecked()
    }
}

/// Proves that the caller belongs to a tenant, which is enough for what every member may see.
pub(super) fn require_member(caller: &Caller) -> Result<Allowed> {
    if let CallerKind::User(_) = caller.kind {
        return Ok(caller.allow_own()?.0);
    }
    Ok(caller.allow_any(Permission::ALL)?)
}

/// Proves that the caller may see integrations: with `CONNECTION_VIEW`, or because the caller may connect them.
pub(super) fn sees_integrations(caller: &Caller) -> Result<Allowed> {
    match caller.allow(Permission::ConnectionView) {
        Err(Denied::Forbidden(_)) => Ok(caller.allow_connecting()?),
        asked => Ok(asked?),
    }
}

/// The caller with current permissions. Called before every event of a subscription, because roles may change while it
/// runs.
pub(super) async fn with_current_permissions(services: &Services, caller: &Caller) -> Result<Caller> {
    let (CallerKind::User(user), Some(tenant)) = (caller.kind, caller.tenant) else {
        return Ok(caller.clone());
    };
    let permissions = services.roles().permissions_of(tenant, user).await?;
    Ok(Caller { permissions: permissions.ok_or(Denied::Unauthenticated)?, ..caller.clone() })
}

/// The object that a mutation changed, if the caller may also see such objects: permission to change does not include
/// permission to see.
pub(super) fn if_visible<T>(ctx: &Context<'_>, permission: Permission, changed: T) -> Option<T> {
    ctx.caller().allow(permission).is_ok().then_some(changed)
}

/// Parses the id of an input field. A malformed id is refused like one that does not exist.
pub(super) fn parse_id<K: Kind>(id: &ID, what: &'static str, field: &'static str) -> Result<Id<K>> {
    let unknown = |_| Refusal::new("NOT_FOUND", format!("There is no such {what}.")).at(field);
    Ok(id.parse().map_err(unknown)?)
}

/// Parses a list of ids of an input field.
pub(super) fn parse_ids<K: Kind>(ids: &[ID], what: &'static str, field: &'static str) -> Result<Vec<Id<K>>> {
    ids.iter().map(|id| parse_id(id, what, field)).collect()
}

/// Formats a stored id with its prefix.
pub(super) fn format_id<K: Kind>(id: uuid::Uuid) -> ID {
    ID(Id::<K>::from_uuid(id).to_string())
}

/// Maps an input field of an update: omitted is `None` (keep), null is `Some(None)` (clear).
#[expect(clippy::option_option, reason = "absent and null are two things")]
pub(super) fn patch_field<T>(field: MaybeUndefined<T>, text: impl Fn(T) -> String) -> Option<Option<String>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(text(value))),
    }
}
