//! Current permissions of a vendor key or of its successor.

use std::collections::BTreeSet;

use domain::{Id, Permission, Timestamp, ids};
use entity::api_key::{Entity, Model};
use sea_orm::{ConnectionTrait, EntityTrait};

use crate::{Result, roles};

/// Permissions of a key. Permissions that only a newer version knows are omitted.
pub fn permissions_of(key: &Model) -> BTreeSet<Permission> {
    let mut permissions = roles::parse_permissions(&key.permissions);
    if key.tenant_id.is_some() {
        permissions.remove(&Permission::Staff);
    }
    permissions
}

pub(super) fn is_in_force(key: &Model, now: Timestamp) -> bool {
    key.revoked_at.is_none() && key.expires_at.is_none_or(|end| now < end)
}

/// A key's current permissions within a tenant; `None` if the key has expired, was revoked or acts for another
/// tenant.
pub(crate) async fn current_permissions(
    conn: &impl ConnectionTrait,
    key: Id<ids::ApiKey>,
    tenant: Id<ids::Tenant>,
    now: Timestamp,
) -> Result<Option<BTreeSet<Permission>>> {
    let key = Entity::find_by_id(key).one(conn).await?;
    let acts = |key: &Model| is_in_force(key, now) && key.tenant_id.is_none_or(|only| only == tenant);
    Ok(key.filter(acts).map(|key| permissions_of(&key)))
}

/// The current permissions of a key, or of the key that replaced it.
pub(crate) async fn successor_permissions(
    conn: &impl ConnectionTrait,
    key: Id<ids::ApiKey>,
    tenant: Id<ids::Tenant>,
    now: Timestamp,
) -> Result<Option<BTreeSet<Permission>>> {
    let mut next = Some(key);
    while let Some(id) = next {
        let permissions = current_permissions(conn, id, tenant, now).await?;
        if permissions.is_some() {
            return Ok(permissions);
        }
        let ended = Entity::find_by_id(id).one(conn).await?;
        next = ended.filter(|key| key.revoked_at.is_none()).and_then(|key| key.replaced_by);
    }
    Ok(None)
}

/// Whether an actor is a revoked key. Objects created with an expired key remain valid.
pub(crate) async fn is_revoked_key(conn: &impl ConnectionTrait, actor: &str) -> Result<bool> {
    let Ok(key) = actor.parse::<Id<ids::ApiKey>>() else { return Ok(false) };
    let key = Entity::find_by_id(key).one(conn).await?;
    Ok(key.is_some_and(|key| key.revoked_at.is_some()))
}
