//! Authenticates access tokens and ID tokens issued by a tenant's own OpenID issuer and sent to the API directly.
//!
//! Before the token is verified, two of its claims are used to find the issuer's registration: the issuer, and the
//! audience if it is the one that Muster assigned to a tenant. All other claims are checked against the registration.

use std::collections::BTreeSet;

use domain::{CallerKind, Id, Permission, access::Denied, ids, openid::IssuerTokens};
use entity::openid_issuer::{Column, Model};
use providers::{ErrorKind, openid::Claims, openid::TokenUse};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::Deserialize;

use super::{Access, Authenticated, token};
use crate::{
    Caller, Error, Result,
    caller::PresentedCredential,
    customer_calls::CustomerServer,
    issuers::{self, audience_of, token_user},
    roles,
};

/// Unverified claims of a token, used only to find the issuer's registration.
#[derive(Debug, Deserialize)]
pub(super) struct UnverifiedToken {
    iss: String,
    #[serde(default)]
    aud: Audience,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Audience {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn all(&self) -> &[String] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Access {
    /// Unverified claims of a JWT whose issuer is not this installation.
    pub(super) fn parse_external_token(&self, token: &str) -> Option<UnverifiedToken> {
        let foreign: UnverifiedToken = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
        (foreign.iss != self.issuer()).then_some(foreign)
    }

    /// Authenticates a token of a tenant's own issuer; returns the user to whom it belongs.
    pub(super) async fn authenticate_external(
        &self,
        token: &str,
        foreign: UnverifiedToken,
        tenant_header: Option<&str>,
    ) -> Result<Authenticated> {
        let unknown = || Error::Denied(Denied::Unauthenticated);
        let tenant = self.tenant_meant(&foreign, tenant_header).ok_or_else(unknown)?;
        let txn = self.services.read(tenant).await?;
        let row = entity::openid_issuer::of(tenant).filter(Column::Issuer.eq(foreign.iss)).one(&txn);
        let row = row.await?.ok_or_else(unknown)?;
        // Nobody waits for a stranger's server while holding a connection.
        drop(txn);
        let claims = self.verified(&row, token).await?;
        let user = self.user_of(&row, &claims).await?;
        let txn = self.services.read(tenant).await?;
        let permissions = roles::permissions_in_tx(&txn, tenant, user).await?;
        let permissions: BTreeSet<Permission> = permissions.ok_or_else(unknown)?;
        // Read after the permissions: a link that ends because its user is given more ends before they count.
        let issued_at = claims.issued_at();
        let is_accepted = token::is_external_token_valid(&txn, tenant, user, issued_at).await?;
        if !is_accepted || token_user::find_linked_user(&txn, &row, &claims).await? != Some(user) {
            return Err(unknown());
        }
        let caller = Caller::new(entity::TrustedCode, CallerKind::User(user), Some(tenant), permissions)
            .with_credential(PresentedCredential::Issuer { issuer: row.id, issued_at });
        Ok(Authenticated { caller, expires_at: Some(claims.expires_at()) })
    }

    /// The tenant that the request specifies or, if it specifies none, that of the token's audience.
    fn tenant_meant(
        &self,
        foreign: &UnverifiedToken,
        tenant_header: Option<&str>,
    ) -> Option<Id<ids::Tenant>> {
        if let Some(text) = tenant_header {
            return text.trim().parse().ok();
        }
        let own = |audience: &String| {
            let tenant = audience.rsplit('/').next()?.parse().ok()?;
            (audience_of(&self.services.settings, tenant) == *audience).then_some(tenant)
        };
        let mut tenants = foreign.aud.all().iter().filter_map(own);
        tenants.next().filter(|_| tenants.next().is_none())
    }

    async fn verified(&self, row: &Model, token: &str) -> Result<Claims> {
        let unknown = || Error::Denied(Denied::Unauthenticated);
        let what = match row.accepts.known() {
            Some(IssuerTokens::AccessToken) => TokenUse::AccessToken { audience: &row.audience },
            Some(IssuerTokens::IdToken) => TokenUse::IdToken,
            Some(IssuerTokens::None) | None => return Err(unknown()),
        };
        let issuer = issuers::to_issuer(row);
        let openid = self.services.connectors.openid()?;
        let verified = self
            .services
            .call_customer_server(
                (row.tenant_id, CustomerServer::IssuerMetadata),
                openid.verify(&issuer, token, what),
            )
            .await?;
        verified.map_err(|error| match error.kind {
            ErrorKind::Unavailable => error.into(),
            _ => {
                tracing::info!(code = error.code, issuer = %row.id, "a token was refused");
                unknown()
            }
        })
    }

    async fn user_of(&self, row: &Model, claims: &Claims) -> Result<Id<ids::User>> {
        let known =
            token_user::find_linked_user(&self.services.read(row.tenant_id).await?, row, claims).await?;
        if let Some(user) = known {
            return Ok(user);
        }
        // Locked: the user's address could change between the look-up and the link.
        let (mut tx, _) = self.services.begin_locked(row.tenant_id).await?;
        match token_user::find_or_link_user(&mut tx, row.id, claims).await {
            Ok(user) => {
                tx.commit().await?;
                Ok(user)
            }
            Err(Error::Refused(refusal)) => {
                tracing::info!(code = refusal.code, issuer = %row.id, "a token names nobody");
                Err(Denied::Unauthenticated.into())
            }
            Err(error) => Err(error),
        }
    }
}
