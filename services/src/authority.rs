//! Checks a caller's permissions again when a change is written.
//!
//! A request's permissions are read when it begins and may be withdrawn before its change is written, while it waits
//! for a lock or an external server. So a change of users, roles, issuers or invitations reads the permissions again,
//! in its own transaction and with the tenant locked.

use std::collections::BTreeSet;

use domain::{
    CallerKind, Id, Permission, Timestamp,
    access::{Denied, Rule},
    ids,
};
use entity::TrustedCode;
use sea_orm::ConnectionTrait;

use crate::{
    Caller, Result, Services, Tx, access,
    caller::PresentedCredential,
    issuers::token_user,
    keys,
    proof::{Allowed, Member},
    roles,
};

impl Services {
    /// Begins a change of a tenant's users, roles, issuers or invitations: locks the tenant and reads the caller's
    /// permissions again. Returns the renewed proof; refuses a caller who no longer exists or no longer satisfies the
    /// rule.
    pub(crate) async fn begin_access_change<R: Rule>(&self, by: &Allowed<R>) -> Result<(Tx, Allowed<R>)> {
        let (tx, _) = self.begin_locked(by.tenant()).await?;
        let by = reload_caller(&tx, by).await?.allow()?;
        Ok((tx, by))
    }
}

/// Returns the caller with its current permissions. A caller who no longer exists, or whose credential has expired or
/// been revoked, is refused.
pub(crate) async fn reload_caller(tx: &Tx, by: &Member) -> Result<Caller> {
    let (conn, tenant, kind) = (tx.conn(), tx.tenant(), by.kind());
    let is_valid = match (by.credential(), kind) {
        (PresentedCredential::Token(token), _) => access::is_token_live(conn, tenant, token).await?,
        (PresentedCredential::Issuer { issuer, issued_at }, CallerKind::User(user)) => {
            access::is_external_token_valid(conn, tenant, user, issued_at).await?
                && token_user::find_identity(tx, issuer, user).await?.is_some()
        }
        (PresentedCredential::Issuer { .. } | PresentedCredential::Other, _) => true,
    };
    if !is_valid {
        return Err(Denied::Unauthenticated.into());
    }
    let permissions = match kind {
        CallerKind::Anonymous => None,
        CallerKind::User(user) => roles::permissions_in_tx(conn, tenant, user).await?,
        CallerKind::Vendor(key) => keys::current_permissions(conn, key, tenant, tx.now()).await?,
        CallerKind::Operator => return Ok(Caller::operator(TrustedCode, tenant)),
    };
    let caller = Caller::new(TrustedCode, kind, Some(tenant), permissions.ok_or(Denied::Unauthenticated)?);
    Ok(caller.with_credential(by.credential()))
}

/// The current permissions of the actor of an earlier change; none if the actor no longer exists. A rotated key has the
/// permissions of its successor.
pub(crate) async fn permissions_of_actor(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    actor: &str,
    now: Timestamp,
) -> Result<BTreeSet<Permission>> {
    let permissions = if let Ok(user) = actor.parse::<Id<ids::User>>() {
        roles::permissions_in_tx(conn, tenant, user).await?
    } else if let Ok(key) = actor.parse::<Id<ids::ApiKey>>() {
        keys::successor_permissions(conn, key, tenant, now).await?
    } else {
        None
    };
    Ok(permissions.unwrap_or_default())
}
