//! Authentication: determines the caller of a request from its credentials, and issues access tokens.
//!
//! A token identifies its bearer but grants no permissions: roles are read from the database and cached for seconds at
//! most ([`identities`]), so that removing a role takes effect immediately. Every transport authenticates before any
//! resolver is executed, and a WebSocket again before every operation and event.

mod external;
mod identities;
mod token;

use std::collections::BTreeSet;

use domain::{CallerKind, Id, Permission, Timestamp, access::Denied, ids};
use entity::TrustedCode;
use futures::Stream;

pub use identities::AccessChange;
pub(crate) use identities::IdentityCache;
pub use token::AccessToken;
pub(crate) use token::{
    CLOCK_LEEWAY_SECONDS, TokenOrigin, is_external_token_valid, is_token_live, revoke_exceeding_requester,
};

use self::identities::CredentialDigest;
use crate::{Caller, Error, Result, caller::PresentedCredential, keys, proof::Anyone, roles};

crate::noun! {
    /// Authentication of callers by API keys and tokens.
    Access
}

/// An authenticated caller and how long the authentication is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// The authenticated caller, or the anonymous caller.
    pub caller: Caller,
    /// When the credential expires; `None` if it does not.
    pub expires_at: Option<Timestamp>,
}

impl Access {
    /// Authenticates the `Authorization` header for the tenant that the request specifies in `Muster-Tenant`.
    ///
    /// The caller of a request without credentials is anonymous; each use case decides whether to refuse that caller.
    /// Every kind of invalid credential is refused with the same error.
    pub async fn authenticate(
        &self,
        _by: Anyone,
        authorization: Option<&str>,
        tenant_header: Option<&str>,
    ) -> Result<Authenticated> {
        if let Some(known) = self.authenticate_from_cache(Anyone, authorization, tenant_header) {
            return Ok(known);
        }
        let credential = authorization.and_then(bearer).ok_or(Denied::Unauthenticated)?;
        let presented = CredentialDigest::new(credential, tenant_header);
        let (epoch, now) = (self.services.identities.epoch(), self.services.now());
        let known = if credential.starts_with(keys::KEY_PREFIX) {
            self.vendor(credential, tenant_header).await?
        } else if let Some(foreign) = self.parse_external_token(credential) {
            self.authenticate_external(credential, foreign, tenant_header).await?
        } else {
            self.user(credential, tenant_header).await?
        };
        self.services.identities.insert(presented, epoch, now, known.clone());
        Ok(known)
    }

    /// The result of [`Access::authenticate`] if it is cached on this node; never queries the database.
    pub fn authenticate_from_cache(
        &self,
        _by: Anyone,
        authorization: Option<&str>,
        tenant_header: Option<&str>,
    ) -> Option<Authenticated> {
        let Some(authorization) = authorization else {
            return Some(Authenticated { caller: Caller::anonymous(), expires_at: None });
        };
        let presented = CredentialDigest::new(bearer(authorization)?, tenant_header);
        self.services.identities.get(presented, self.services.now())
    }

    /// The caller who presented this credential within the last hour, if it was valid then. Used only to attribute a
    /// request to queues and quotas before it is authenticated; grants no permissions.
    pub fn find_recent_caller(
        &self,
        _by: Anyone,
        authorization: Option<&str>,
        tenant_header: Option<&str>,
    ) -> Option<Caller> {
        let presented = CredentialDigest::new(bearer(authorization?)?, tenant_header);
        self.services.identities.find_recent_caller(presented, self.services.now())
    }

    /// Reads the caller's current permissions again, because a user's permissions may change during a subscription.
    pub async fn refresh_caller(&self, caller: &Caller) -> Result<Caller> {
        let (CallerKind::User(user), Some(tenant)) = (caller.kind(), caller.tenant()) else {
            return Ok(caller.clone());
        };
        let txn = self.services.read(tenant).await?;
        let permissions = roles::permissions_in_tx(&txn, tenant, user).await?;
        let permissions = permissions.ok_or(Denied::Unauthenticated)?;
        Ok(Caller::new(TrustedCode, caller.kind(), Some(tenant), permissions)
            .with_credential(caller.credential()))
    }

    /// Stream of changes to callers' permissions on any node. A WebSocket authenticates again when a change affects its
    /// caller.
    pub fn watch_changes(&self, _by: Anyone) -> impl Stream<Item = AccessChange> + Send + use<> {
        identities::watch_changes(&self.services)
    }

    async fn vendor(&self, secret: &str, tenant_header: Option<&str>) -> Result<Authenticated> {
        let key = self.services.keys().find(secret).await?.ok_or(Denied::Unauthenticated)?;
        let only = key.tenant_id;
        let tenant = match tenant_header {
            None => only,
            Some(text) => Some(self.known_tenant(text, only).await?),
        };
        let kind = CallerKind::Vendor(key.id);
        let permissions = keys::permissions_of(&key);
        let caller = Caller::new(TrustedCode, kind, tenant, permissions);
        Ok(Authenticated { caller, expires_at: key.expires_at })
    }

    /// The tenant that a vendor's request specifies, if it exists, is not being erased, and the key may be used for it.
    async fn known_tenant(&self, text: &str, only: Option<Id<ids::Tenant>>) -> Result<Id<ids::Tenant>> {
        let unknown = || Error::not_found("tenant");
        let id: Id<ids::Tenant> = text.trim().parse().map_err(|_| unknown())?;
        if only.is_some_and(|only| only != id) {
            return Err(unknown());
        }
        let tenant = self.services.tenants().find(id).await?;
        tenant.filter(|tenant| tenant.erasing_since.is_none()).ok_or_else(unknown)?;
        Ok(id)
    }

    async fn user(&self, credential: &str, tenant_header: Option<&str>) -> Result<Authenticated> {
        let claims = self.verify(credential).await?;
        let (tenant, user) = (claims.tenant, claims.sub);
        if tenant_header.is_some_and(|text| text.trim().parse() != Ok(tenant)) {
            return Err(Error::not_found("tenant"));
        }
        let txn = self.services.read(tenant).await?;
        if !token::is_token_in_force(&txn, &claims).await? {
            return Err(Denied::Unauthenticated.into());
        }
        let permissions = roles::permissions_in_tx(&txn, tenant, user).await?;
        let permissions: BTreeSet<Permission> = permissions.ok_or(Denied::Unauthenticated)?;
        let caller = Caller::new(TrustedCode, CallerKind::User(user), Some(tenant), permissions);
        let caller = caller.with_credential(PresentedCredential::Token(claims.jti));
        Ok(Authenticated { caller, expires_at: Some(claims.expiry()?) })
    }
}

/// The credential in `Bearer <credential>` (RFC 6750); the scheme is case-insensitive.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, credential) = authorization.trim().split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}
