//! Permissions of roles and users, and the check of which ones a caller may grant and take away.

use std::collections::BTreeSet;

use domain::{Id, Permission, ids};
use entity::role::Model;
use sea_orm::{ConnectionTrait, prelude::Json};

use super::of_users;
use crate::{Refusal, Result, proof::Member};

/// The permissions of a user as seen by a transaction of the user's tenant. `None` if there is no such user.
pub(crate) async fn permissions_in_tx(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    user: Id<ids::User>,
) -> Result<Option<BTreeSet<Permission>>> {
    if entity::tenant_user::by_id(tenant, user).one(conn).await?.is_none() {
        return Ok(None);
    }
    let roles = of_users(conn, tenant, [user]).await?;
    Ok(Some(roles.values().flatten().flat_map(role_permissions).collect()))
}

/// Permissions of a role, without permissions that only a newer version knows and without staff permissions.
pub fn role_permissions(role: &Model) -> BTreeSet<Permission> {
    let mut permissions = parse_permissions(&role.permissions);
    permissions.remove(&Permission::Staff);
    permissions
}

/// Parses stored permissions. Permissions that only a newer version knows are omitted.
pub(crate) fn parse_permissions(words: &Json) -> BTreeSet<Permission> {
    words.as_array().into_iter().flatten().filter_map(Json::as_str).filter_map(Permission::parse).collect()
}

/// Checks that the caller may grant permissions: the caller must hold all of them. Only staff may grant staff
/// permissions.
pub(crate) fn require_grantable(
    has: impl Fn(Permission) -> bool,
    permissions: &BTreeSet<Permission>,
) -> Result<()> {
    match permissions.iter().find(|permission| !has(**permission)) {
        None => Ok(()),
        Some(permission) => {
            let message =
                format!("You cannot grant the permission {permission}: you do not have it yourself.");
            Err(Refusal::new("PERMISSION_NOT_YOURS", message).at("permissions").into())
        }
    }
}

/// Checks that the caller may remove access from a user: refused if that user has more permissions.
pub(crate) fn require_revocable(
    has: impl Fn(Permission) -> bool,
    permissions: &BTreeSet<Permission>,
) -> Result<()> {
    match permissions.iter().find(|permission| !has(**permission)) {
        None => Ok(()),
        Some(permission) => {
            let message =
                format!("You cannot take away the permission {permission}: you do not have it yourself.");
            Err(Refusal::new("PERMISSION_NOT_YOURS", message).into())
        }
    }
}

/// Checks that the caller has every permission that a user can have; `because` begins the message of the refusal.
pub(crate) fn require_every(has: impl Fn(Permission) -> bool, because: &str) -> Result<()> {
    let within = Permission::ALL.iter().filter(|permission| **permission != Permission::Staff);
    match within.copied().find(|permission| !has(*permission)) {
        None => Ok(()),
        Some(permission) => {
            let message = format!("{because}, so this needs every permission; you do not have {permission}.");
            Err(Refusal::new("PERMISSION_NOT_YOURS", message).into())
        }
    }
}

/// [`require_grantable`] within a tenant, where nobody can grant staff permissions. Whoever may connect calendars by
/// any rule (S1.3) may grant the permission to connect them.
pub(crate) fn require_grantable_by(by: &Member, permissions: &BTreeSet<Permission>) -> Result<()> {
    let has = |permission| match permission {
        Permission::Staff => false,
        Permission::CalendarConnect => by.may_connect_calendars(),
        _ => by.has_permission(permission),
    };
    require_grantable(has, permissions)
}

/// [`require_revocable`] within a tenant.
pub(crate) fn require_revocable_by(by: &Member, permissions: &BTreeSet<Permission>) -> Result<()> {
    require_revocable(|permission| by.has_permission(permission), permissions)
}

pub(crate) fn permission_names(permissions: &BTreeSet<Permission>) -> Json {
    permissions.iter().map(|permission| permission.as_str()).collect()
}
