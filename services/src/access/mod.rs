//! Who calls: turns what a request carries into a caller, and issues access tokens.
//!
//! A token says who its bearer is and nothing about rights: roles are read from the database, and remembered for
//! seconds at most ([`identities`]), so that a role taken away is taken away at once. Called by every transport before
//! any resolver, and by a socket again before every operation and event.

mod external;
mod identities;
mod token;

use std::collections::BTreeSet;

use domain::{Caller, CallerKind, Id, Permission, Timestamp, access::Denied, ids};
use futures::Stream;

pub use identities::AccessChange;
pub(crate) use identities::Identities;
pub use token::AccessToken;
pub(crate) use token::LEEWAY;

use self::identities::Presented;
use crate::{Error, Result, keys, roles};

crate::noun! {
    /// Who calls: keys, tokens, roles.
    Access
}

/// A caller, and until when this holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// Who calls.
    pub caller: Caller,
    /// When the credential ends; absent when it does not.
    pub expires_at: Option<Timestamp>,
}

impl Access {
    /// Reads the header `Authorization`, and the tenant that the request names with `Muster-Tenant`.
    ///
    /// Nothing presented is the anonymous caller, whom each use case turns away by itself. What is presented and not
    /// valid is refused, whatever is wrong with it, with the same answer.
    pub async fn authenticate(
        &self,
        authorization: Option<&str>,
        tenant_header: Option<&str>,
    ) -> Result<Authenticated> {
        if let Some(known) = self.remembered(authorization, tenant_header) {
            return Ok(known);
        }
        let credential = authorization.and_then(bearer).ok_or(Denied::Unauthenticated)?;
        let presented = Presented::new(credential, tenant_header);
        let (epoch, now) = (self.services.identities.epoch(), self.services.now());
        let known = if credential.starts_with(keys::PREFIX) {
            self.vendor(credential, tenant_header).await?
        } else if let Some(foreign) = self.issued_elsewhere(credential) {
            self.external(credential, foreign, tenant_header).await?
        } else {
            self.user(credential, tenant_header).await?
        };
        self.services.identities.remember(presented, epoch, now, known.clone());
        Ok(known)
    }

    /// What [`Access::authenticate`] would answer, if this node knows it without asking the database.
    pub fn remembered(
        &self,
        authorization: Option<&str>,
        tenant_header: Option<&str>,
    ) -> Option<Authenticated> {
        let Some(authorization) = authorization else {
            return Some(Authenticated { caller: Caller::anonymous(), expires_at: None });
        };
        let presented = Presented::new(bearer(authorization)?, tenant_header);
        self.services.identities.get(presented, self.services.now())
    }

    /// Who presented this credential within the last hour, if it was valid then: whose places and queues a request takes
    /// until it is known who calls. It says nothing about rights.
    pub fn familiar(&self, authorization: Option<&str>, tenant_header: Option<&str>) -> Option<Caller> {
        let presented = Presented::new(bearer(authorization?)?, tenant_header);
        self.services.identities.familiar(presented, self.services.now())
    }

    /// Every change of what callers may do, on whichever node it is made. A socket asks again who calls when it hears
    /// of one that concerns its caller.
    pub fn changes(&self) -> impl Stream<Item = AccessChange> + Send + use<> {
        identities::changes(&self.services)
    }

    async fn vendor(&self, secret: &str, tenant_header: Option<&str>) -> Result<Authenticated> {
        let key = self.services.keys().find(secret).await?.ok_or(Denied::Unauthenticated)?;
        let only = key.tenant_id.map(Id::from_uuid);
        let tenant = match tenant_header {
            None => only,
            Some(text) => Some(self.known_tenant(text, only).await?),
        };
        let kind = CallerKind::Vendor(Id::from_uuid(key.id));
        let permissions = keys::permissions_of(&key);
        Ok(Authenticated { caller: Caller { kind, tenant, permissions }, expires_at: key.expires_at })
    }

    /// The tenant that a vendor's request names, if it exists and the key may act for it.
    async fn known_tenant(&self, text: &str, only: Option<Id<ids::Tenant>>) -> Result<Id<ids::Tenant>> {
        let unknown = || Error::not_found("tenant");
        let id: Id<ids::Tenant> = text.trim().parse().map_err(|_| unknown())?;
        if only.is_some_and(|only| only != id) {
            return Err(unknown());
        }
        self.services.tenants().find(id).await?.ok_or_else(unknown)?;
        Ok(id)
    }

    async fn user(&self, credential: &str, tenant_header: Option<&str>) -> Result<Authenticated> {
        let claims = self.verify(credential).await?;
        let (tenant, user) = (claims.tenant, claims.sub);
        if tenant_header.is_some_and(|text| text.trim().parse() != Ok(tenant)) {
            return Err(Error::not_found("tenant"));
        }
        let txn = self.services.store.read(tenant.uuid()).await?;
        if !token::is_in_force(&txn, &claims).await? {
            return Err(Denied::Unauthenticated.into());
        }
        let permissions = roles::permissions_within(&txn, tenant, user).await?;
        let permissions: BTreeSet<Permission> = permissions.ok_or(Denied::Unauthenticated)?;
        let caller = Caller { kind: CallerKind::User(user), tenant: Some(tenant), permissions };
        Ok(Authenticated { caller, expires_at: Some(claims.expiry()?) })
    }
}

/// The credential of `Bearer <credential>` (RFC 6750); the scheme's case does not matter.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, credential) = authorization.trim().split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}
