//! Access tokens: signed, recorded by their `jti`, listed and revoked.
//!
//! A token is a JWT (RFC 7519) of the profile for access tokens (RFC 9068). It opens something only while its record
//! is there and not revoked; the record goes when the token has ended.

use std::time::Duration;

use domain::{
    Allowed, CallerKind, Id, Permission, Timestamp,
    access::{Denied, Staff},
    ids,
};
use entity::access_token::{ActiveModel, Column, Entity, Model};
use jsonwebtoken::{Algorithm, Header, Validation};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::Access;
use crate::{Error, Page, PageArgs, Refusal, Result, Tx, audit::Facts, keys::SigningKey, page, roles};

/// For whom access tokens are made.
const AUDIENCE: &str = "muster";
/// The media type in the header `typ` (RFC 9068 section 2.1): no other kind of JWT is taken for an access token.
const TYPE: &str = "at+jwt";
/// How far clocks of different machines may be apart, in seconds.
pub(crate) const LEEWAY: i64 = 30;

/// A signed access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The id by which it is listed and revoked.
    pub id: Id<ids::AccessToken>,
    /// The token, as it goes into the header `Authorization` after `Bearer`.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    pub(super) sub: Id<ids::User>,
    pub(super) tenant: Id<ids::Tenant>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Id<ids::AccessToken>,
}

/// What signs a token.
#[derive(Debug)]
pub(crate) struct Signer {
    key: SigningKey,
    lifetime: Duration,
}

impl Signer {
    fn sign(&self, claims: &Claims) -> Result<String> {
        let header = Header {
            kid: Some(self.key.id.to_string()),
            typ: Some(TYPE.to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        let signed = jsonwebtoken::encode(&header, claims, &self.key.key);
        signed.map_err(|_| Error::Unreadable { what: "signing_key" })
    }
}

impl Claims {
    pub(super) fn expiry(&self) -> Result<Timestamp> {
        Timestamp::from_timestamp(self.exp, 0).ok_or(Error::Denied(Denied::Unauthenticated))
    }
}

impl Access {
    /// Issues an access token for a user of a tenant. Only the vendor's staff may, for any user.
    ///
    /// Without a lifetime it lasts as long as tokens may last here.
    pub async fn issue(
        &self,
        by: &Staff,
        tenant: Id<ids::Tenant>,
        user: Id<ids::User>,
        lifetime: Option<Duration>,
    ) -> Result<AccessToken> {
        let longest = self.services.settings.token_lifetime;
        let lifetime = lifetime.unwrap_or(longest);
        if lifetime > longest || lifetime.as_secs() == 0 {
            let message = format!("A token lasts 1 to {} seconds.", longest.as_secs());
            let refusal = Refusal::new("TOKEN_LIFETIME", message).at("lifetimeSeconds");
            return Err(refusal.exceeding(longest.as_secs(), lifetime.as_secs()).into());
        }
        let signer = self.signer(lifetime).await?;
        let mut tx = self.services.begin(tenant.uuid()).await?;
        let token = self.issue_within(&mut tx, &signer, user, &by.actor(), None).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// What signs a token that lasts this long, or as long as tokens may last here. Asked for before a transaction is
    /// begun: making a key takes one of its own.
    pub(crate) async fn signer(&self, lifetime: impl Into<Option<Duration>>) -> Result<Signer> {
        let lifetime = lifetime.into().unwrap_or(self.services.settings.token_lifetime);
        Ok(Signer { key: self.services.keys().signing_key().await?, lifetime })
    }

    /// Issues an access token for a user of the transaction's tenant: for the vendor's staff, or because the user has
    /// signed in by an issuer.
    pub(crate) async fn issue_within(
        &self,
        tx: &mut Tx,
        signer: &Signer,
        user: Id<ids::User>,
        by: &str,
        issuer: Option<Uuid>,
    ) -> Result<AccessToken> {
        let claims = self.claims(Id::from_uuid(tx.tenant()), user, signer.lifetime);
        let token = signer.sign(&claims)?;
        let (id, expires_at) = (claims.jti, claims.expiry()?);
        let known = entity::tenant_user::one(tx.tenant(), user.uuid()).one(tx.conn()).await?;
        known.ok_or_else(|| Error::not_found("user"))?;
        let row = Model {
            id: id.uuid(),
            tenant_id: tx.tenant(),
            user_id: user.uuid(),
            issued_by: by.to_owned(),
            created_at: tx.now(),
            expires_at,
            revoked_at: None,
            issuer_id: issuer,
        };
        Entity::insert(ActiveModel::from(row)).exec_without_returning(tx.conn()).await?;
        let facts = Facts::made(json!({ "user": user, "expiresAt": expires_at }));
        tx.audit(by, "token.issue", id.to_string(), facts);
        Ok(AccessToken { id, token, expires_at })
    }

    /// Revokes the tokens that came through an issuer, those of one user or of all: part of whatever ends that way in.
    pub(crate) async fn revoke_through(tx: &mut Tx, issuer: Uuid, user: Option<Uuid>) -> Result<()> {
        let mut statement = entity::access_token::update(tx.tenant())
            .filter(Column::IssuerId.eq(issuer))
            .filter(Column::RevokedAt.is_null())
            .col_expr(Column::RevokedAt, Expr::value(tx.now()));
        if let Some(user) = user {
            statement = statement.filter(Column::UserId.eq(user));
        }
        statement.exec(tx.conn()).await?;
        tx.access_changed();
        Ok(())
    }

    /// The access tokens of a user that have not been pruned yet, the revoked ones too. A user sees the user's own;
    /// those of others need `USER_VIEW`.
    pub async fn tokens(&self, by: &Allowed, user: Id<ids::User>, args: PageArgs) -> Result<Page<Model>> {
        if by.by() != CallerKind::User(user) && !by.also(Permission::UserView) {
            return Err(Denied::Forbidden(Permission::UserView).into());
        }
        let tenant = by.tenant().uuid();
        let txn = self.services.store.read(tenant).await?;
        let tokens = entity::access_token::of(tenant).filter(Column::UserId.eq(user.uuid()));
        page::read(tokens, Column::Id, args, &txn).await
    }

    /// Revokes access tokens of a user: those named, or all. What they open is closed at once, on every node. Answers
    /// how many were in force.
    ///
    /// A user may revoke the user's own. For another's the caller needs `USER_EDIT`, and all that the other user may
    /// do: nobody shuts out somebody with more rights.
    pub async fn revoke(
        &self,
        by: &Allowed,
        user: Id<ids::User>,
        tokens: Option<&[Id<ids::AccessToken>]>,
    ) -> Result<u64> {
        let mut tx = self.services.begin(by.tenant().uuid()).await?;
        let held = roles::permissions_within(tx.conn(), by.tenant(), user).await?;
        if by.by() != CallerKind::User(user) {
            if !by.also(Permission::UserEdit) {
                return Err(Denied::Forbidden(Permission::UserEdit).into());
            }
            let held = held.ok_or_else(|| Error::not_found("user"))?;
            roles::may_take(by, &held)?;
        }
        let mut statement = entity::access_token::update(tx.tenant())
            .filter(Column::UserId.eq(user.uuid()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(tx.now()))
            .col_expr(Column::RevokedAt, Expr::value(tx.now()));
        if let Some(tokens) = tokens {
            statement = statement.filter(Column::Id.is_in(tokens.iter().map(|token| token.uuid())));
        }
        let revoked = statement.exec(tx.conn()).await?.rows_affected;
        tx.access_changed();
        tx.audit(
            &by.actor(),
            "token.revoke",
            user.to_string(),
            json!({ "tokens": tokens, "revoked": revoked }),
        );
        tx.commit().await?;
        Ok(revoked)
    }

    fn claims(&self, tenant: Id<ids::Tenant>, user: Id<ids::User>, lifetime: Duration) -> Claims {
        let now = self.services.now().timestamp();
        Claims {
            iss: self.issuer(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            tenant,
            iat: now,
            nbf: now,
            exp: now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
            jti: self.services.ids.make(),
        }
    }

    /// Checks everything about a token that can be checked by itself.
    pub(super) async fn verify(&self, token: &str) -> Result<Claims> {
        let dead = || Error::Denied(Denied::Unauthenticated);
        let header = jsonwebtoken::decode_header(token).map_err(|_| dead())?;
        if !is_ours(&header) {
            return Err(dead());
        }
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
        let begun = claims.nbf.max(claims.iat) <= now.saturating_add(LEEWAY);
        let ended = claims.exp <= now.saturating_sub(LEEWAY);
        if begun && !ended { Ok(claims) } else { Err(dead()) }
    }

    pub(super) fn issuer(&self) -> String {
        self.services.settings.link("")
    }
}

/// Whether a header names our type and asks for nothing that is not understood here (RFC 7515 section 4.1.11: what
/// `crit` lists must be, or the token is refused; Muster understands no extension).
fn is_ours(header: &Header) -> bool {
    let is_type = |typ: &String| {
        let typ = typ.to_ascii_lowercase();
        typ.strip_prefix("application/").unwrap_or(&typ) == TYPE
    };
    header.typ.as_ref().is_some_and(is_type) && header.crit.is_none()
}

/// Whether a token was issued here and not revoked.
pub(super) async fn is_in_force(conn: &impl ConnectionTrait, claims: &Claims) -> Result<bool> {
    let record = entity::access_token::one(claims.tenant.uuid(), claims.jti.uuid()).one(conn).await?;
    Ok(record.is_some_and(|record| record.revoked_at.is_none() && record.user_id == claims.sub.uuid()))
}
