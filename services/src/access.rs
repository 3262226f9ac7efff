//! Who calls: turns what a request carries into a caller, and signs access tokens.
//!
//! A token says who its bearer is and nothing about rights: roles are read from the database whenever the token is
//! used, so that a role taken away is taken away at once. Called by every transport, before any resolver.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    Caller, CallerKind, Id, Permission, StandardRole, Timestamp,
    access::{Denied, Staff},
    ids,
};
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::{Error, Refusal, Result, keys};

/// For whom access tokens are made.
const AUDIENCE: &str = "muster";
/// How far clocks of different machines may be apart, in seconds.
const LEEWAY: i64 = 30;

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

/// A signed access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The token, as it goes into the header `Authorization` after `Bearer`.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a token says (RFC 7519).
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Id<ids::User>,
    tenant: Id<ids::Tenant>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
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
        let Some(authorization) = authorization else {
            return Ok(Authenticated { caller: Caller::anonymous(), expires_at: None });
        };
        let credential = bearer(authorization).ok_or(Denied::Unauthenticated)?;
        if credential.starts_with(keys::PREFIX) {
            self.vendor(credential, tenant_header).await
        } else {
            self.user(credential, tenant_header).await
        }
    }

    /// An IT person who followed a link may administer the calendar system, and nothing else.
    pub fn caller_of_link(&self, link: &entity::connect_link::Model) -> Caller {
        Caller {
            kind: CallerKind::Invited(Id::from_uuid(link.id)),
            tenant: Some(Id::from_uuid(link.tenant_id)),
            permissions: StandardRole::PlatformAdministration.permissions(),
        }
    }

    /// Signs an access token for a user of a tenant. Only the vendor's staff may, for any user.
    ///
    /// Without a lifetime it lasts as long as tokens may last here.
    pub async fn issue(
        &self,
        _by: &Staff,
        tenant: Id<ids::Tenant>,
        user: Id<ids::User>,
        lifetime: Option<Duration>,
    ) -> Result<AccessToken> {
        let longest = self.services.settings.token_lifetime;
        let lifetime = lifetime.unwrap_or(longest);
        if lifetime > longest || lifetime.as_secs() == 0 {
            let message = format!("A token lasts 1 to {} seconds.", longest.as_secs());
            return Err(Refusal::new("TOKEN_LIFETIME", message).at("lifetimeSeconds").into());
        }
        let txn = self.services.store.read(tenant.uuid()).await?;
        let known = entity::tenant_user::one(tenant.uuid(), user.uuid()).one(&txn).await?;
        known.ok_or_else(|| Error::not_found("user"))?;
        self.sign(tenant, user, lifetime).await
    }

    async fn sign(
        &self,
        tenant: Id<ids::Tenant>,
        user: Id<ids::User>,
        lifetime: Duration,
    ) -> Result<AccessToken> {
        let key = self.services.keys().signing_key().await?;
        let now = self.services.now().timestamp();
        let claims = Claims {
            iss: self.issuer(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            tenant,
            iat: now,
            nbf: now,
            exp: now.saturating_add(lifetime.as_secs() as i64),
            jti: self.services.ids.uuid().simple().to_string(),
        };
        let header = Header { kid: Some(key.id.to_string()), ..Header::new(Algorithm::EdDSA) };
        let token = jsonwebtoken::encode(&header, &claims, &key.key);
        let token = token.map_err(|_| Error::Unreadable { what: "signing_key" })?;
        Ok(AccessToken { token, expires_at: expiry(&claims)? })
    }

    async fn vendor(&self, secret: &str, tenant_header: Option<&str>) -> Result<Authenticated> {
        let key = self.services.keys().find(secret).await?.ok_or(Denied::Unauthenticated)?;
        let tenant = match tenant_header {
            None => None,
            Some(text) => Some(self.known_tenant(text).await?),
        };
        let kind = CallerKind::Vendor(Id::from_uuid(key.id));
        let permissions = Permission::ALL.iter().copied().collect();
        Ok(Authenticated { caller: Caller { kind, tenant, permissions }, expires_at: key.expires_at })
    }

    async fn known_tenant(&self, text: &str) -> Result<Id<ids::Tenant>> {
        let unknown = || Error::not_found("tenant");
        let id: Id<ids::Tenant> = text.trim().parse().map_err(|_| unknown())?;
        self.services.tenants().find(id).await?.ok_or_else(unknown)?;
        Ok(id)
    }

    async fn user(&self, token: &str, tenant_header: Option<&str>) -> Result<Authenticated> {
        let claims = self.verify(token).await?;
        if tenant_header.is_some_and(|text| text.trim().parse() != Ok(claims.tenant)) {
            return Err(Error::not_found("tenant"));
        }
        let permissions = self.services.roles().permissions_of(claims.tenant, claims.sub).await?;
        let permissions: BTreeSet<_> = permissions.ok_or(Denied::Unauthenticated)?;
        let caller = Caller { kind: CallerKind::User(claims.sub), tenant: Some(claims.tenant), permissions };
        Ok(Authenticated { caller, expires_at: Some(expiry(&claims)?) })
    }

    /// Checks everything about a token that it can be checked by itself.
    async fn verify(&self, token: &str) -> Result<Claims> {
        let dead = || Error::Denied(Denied::Unauthenticated);
        let header = jsonwebtoken::decode_header(token).map_err(|_| dead())?;
        let kid = header.kid.and_then(|kid| kid.parse().ok()).ok_or_else(dead)?;
        let key = self.services.keys().verifying_key(kid).await?.ok_or_else(dead)?;
        // The algorithm is ours to fix and never the token's; times are checked below, against our own clock.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[self.issuer()]);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|_| dead())?.claims;
        let now = self.services.now().timestamp();
        let begun = claims.nbf <= now.saturating_add(LEEWAY);
        let ended = claims.exp <= now.saturating_sub(LEEWAY);
        if begun && !ended { Ok(claims) } else { Err(dead()) }
    }

    fn issuer(&self) -> String {
        self.services.settings.link("")
    }
}

/// The credential of `Bearer <credential>` (RFC 6750); the scheme's case does not matter.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, credential) = authorization.trim().split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}

fn expiry(claims: &Claims) -> Result<Timestamp> {
    Timestamp::from_timestamp(claims.exp, 0).ok_or(Error::Denied(Denied::Unauthenticated))
}
