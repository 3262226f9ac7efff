//! Access tokens: signed, recorded by their `jti` claim, listed and revoked.
//!
//! A token is a JWT (RFC 7519) according to the profile for access tokens (RFC 9068). It is valid only while its record
//! exists and is not revoked; expired records are pruned.

mod revocation;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Id, Permission, Timestamp, access::Denied, ids, may};
use entity::access_token::{ActiveModel, Column, Entity, Model};
use jsonwebtoken::{Algorithm, Header, Validation};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Access;
use uuid::Uuid;

pub(crate) use self::revocation::revoke_exceeding_requester;
use crate::{
    Error, Page, PageArgs, Refusal, Result, System, Tx,
    audit::{AuditFacts, OPERATOR_ACTOR},
    keys::{self, SigningKey},
    page,
    proof::{OwnOr, Staff},
    roles,
};

/// The `aud` claim of Muster's access tokens.
const AUDIENCE: &str = "muster";
/// Media type in the `typ` header (RFC 9068 section 2.1); no other kind of JWT is accepted as an access token.
const TYPE: &str = "at+jwt";
/// Tolerated difference between the clocks of two machines, in seconds.
pub(crate) const CLOCK_LEEWAY_SECONDS: i64 = 30;

/// A newly signed access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Identifier by which the token is listed and revoked.
    pub id: Id<ids::AccessToken>,
    /// The token itself, to be sent in the `Authorization` header after `Bearer`.
    pub token: String,
    /// From this time on the token is refused.
    pub expires_at: Timestamp,
}

/// Claims of a token.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    pub(super) sub: Id<ids::User>,
    pub(super) tenant: Id<ids::Tenant>,
    iat: i64,
    nbf: i64,
    exp: i64,
    pub(super) jti: Id<ids::AccessToken>,
}

/// A signing key with the lifetime of the tokens that it signs.
#[derive(Debug)]
pub(crate) struct TokenSigner {
    key: SigningKey,
    lifetime: Duration,
}

impl TokenSigner {
    fn sign(&self, claims: &Claims) -> Result<String> {
        let header = Header {
            kid: Some(self.key.id.uuid().to_string()),
            typ: Some(TYPE.to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        let signed = jsonwebtoken::encode(&header, claims, &self.key.key);
        signed.map_err(|_| Error::Unreadable { what: "signing_key" })
    }
}

/// Why a token is issued.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TokenOrigin<'a> {
    /// Requested by the vendor's staff.
    Vendor(&'a Staff),
    /// Requested by the operator.
    Operator,
    /// Issued because the user signed in through this issuer.
    SignIn(Id<ids::OpenIdIssuer>),
}

impl Claims {
    pub(super) fn expiry(&self) -> Result<Timestamp> {
        Timestamp::from_timestamp(self.exp, 0).ok_or(Error::Denied(Denied::Unauthenticated))
    }
}

impl Access {
    /// Issues an access token for a user of a tenant. Only the vendor's staff may do so, with a key that has every
    /// permission of the user, because the bearer of the token can do everything that the user can.
    ///
    /// If no lifetime is specified, the token has the maximum lifetime in the settings.
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
            let message = format!("A token may last 1 to {} seconds.", longest.as_secs());
            let refusal = Refusal::new("TOKEN_LIFETIME", message).at("lifetimeSeconds");
            return Err(refusal.exceeding(longest.as_secs(), lifetime.as_secs()).into());
        }
        // A token ends no later than the key that issued it.
        let left = self.services.keys().remaining_lifetime(by).await?;
        let signer = self.signer_for(left.map_or(lifetime, |left| left.min(lifetime))).await?;
        // Locked, or the user could be given permissions before there is a token to revoke.
        let (mut tx, _) = self.services.begin_locked(tenant).await?;
        let held = roles::permissions_in_tx(tx.conn(), tenant, user).await?;
        let held = held.ok_or_else(|| Error::not_found("user"))?;
        if let Some(permission) = held.iter().find(|permission| !by.has_permission(**permission)) {
            let message = format!(
                "This user has the permission {permission}, which your key does not have. Use a key that has it."
            );
            return Err(Refusal::new("PERMISSION_NOT_YOURS", message).at("userId").into());
        }
        let token = self.issue_in_tx(&mut tx, &signer, user, TokenOrigin::Vendor(by)).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Issues an access token for a user at the operator's command, with the maximum lifetime.
    pub async fn issue_for_operator(
        &self,
        _by: &System,
        tenant: Id<ids::Tenant>,
        user: Id<ids::User>,
    ) -> Result<AccessToken> {
        let signer = self.signer_for(None).await?;
        let mut tx = self.services.begin(tenant).await?;
        let token = self.issue_in_tx(&mut tx, &signer, user, TokenOrigin::Operator).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Creates a signer for tokens with this lifetime; defaults to the maximum. Call it before beginning a transaction,
    /// because creating a signing key needs a transaction of its own.
    pub(crate) async fn signer_for(&self, lifetime: impl Into<Option<Duration>>) -> Result<TokenSigner> {
        let lifetime = lifetime.into().unwrap_or(self.services.settings.token_lifetime);
        Ok(TokenSigner { key: self.services.keys().signing_key().await?, lifetime })
    }

    /// Issues an access token for a user of the transaction's tenant.
    pub(crate) async fn issue_in_tx(
        &self,
        tx: &mut Tx,
        signer: &TokenSigner,
        user: Id<ids::User>,
        reason: TokenOrigin<'_>,
    ) -> Result<AccessToken> {
        let (by, issuer, issued_with) = match reason {
            TokenOrigin::Vendor(by) => (by.actor(), None, Some(roles::permission_names(by.permissions()))),
            TokenOrigin::Operator => {
                let all = Permission::ALL.iter().copied().collect();
                (OPERATOR_ACTOR.to_owned(), None, Some(roles::permission_names(&all)))
            }
            TokenOrigin::SignIn(issuer) => (user.to_string(), Some(issuer), None),
        };
        let claims = self.claims(tx.tenant(), user, signer.lifetime);
        let token = signer.sign(&claims)?;
        let (id, expires_at) = (claims.jti, claims.expiry()?);
        let known = entity::tenant_user::by_id(tx.tenant(), user).one(tx.conn()).await?;
        known.ok_or_else(|| Error::not_found("user"))?;
        let row = Model {
            id,
            tenant_id: tx.tenant(),
            user_id: user,
            issued_by: by.clone(),
            created_at: tx.now(),
            expires_at,
            revoked_at: None,
            issuer_id: issuer,
            issued_with,
        };
        Entity::insert(ActiveModel::from(row)).exec_without_returning(tx.conn()).await?;
        let facts = AuditFacts::for_creation(json!({ "user": user, "expiresAt": expires_at }));
        tx.audit(&by, "token.issue", id.to_string(), facts);
        Ok(AccessToken { id, token, expires_at })
    }

    /// Unexpired and recently expired access tokens of the proof's user, including revoked ones.
    pub async fn tokens(&self, by: &OwnOr<may::UserView>, args: PageArgs) -> Result<Page<Model>> {
        let (tenant, user) = (by.tenant(), by.user());
        let txn = self.services.read(tenant).await?;
        let tokens = entity::access_token::of(tenant).filter(Column::UserId.eq(user));
        page::read_page(tokens, Column::Id, args, &txn).await
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

    /// Validates a token's header, signature and claims; whether it was revoked is checked separately.
    pub(super) async fn verify(&self, token: &str) -> Result<Claims> {
        let dead = || Error::Denied(Denied::Unauthenticated);
        let kid = Head::read(token).and_then(|head| head.key()).ok_or_else(dead)?;
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
        let begun = claims.nbf.max(claims.iat) <= now.saturating_add(CLOCK_LEEWAY_SECONDS);
        let ended = claims.exp <= now.saturating_sub(CLOCK_LEEWAY_SECONDS);
        if begun && !ended { Ok(claims) } else { Err(dead()) }
    }

    pub(super) fn issuer(&self) -> String {
        self.services.settings.absolute_url("")
    }
}

/// The header of a JWT. Only headers with exactly the members of Muster's own tokens are accepted: members that contain
/// a key or change the interpretation (`jwk`, `crit`, `b64`, `zip`, `cty`) and duplicates are refused, so that Muster
/// need not interpret them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    typ: String,
    alg: String,
    kid: String,
}

impl Head {
    fn read(token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The id of the signing key, if it is of the expected type and the header specifies the expected algorithm.
    fn key(&self) -> Option<Id<ids::SigningKey>> {
        let typ = self.typ.to_ascii_lowercase();
        let is_ours = typ.strip_prefix("application/").unwrap_or(&typ) == TYPE && self.alg == "EdDSA";
        let key = Uuid::try_parse(&self.kid).ok()?;
        // An id has several forms, and ours is one of them.
        (is_ours && key.to_string() == self.kid).then_some(Id::from_uuid(key))
    }
}

/// Whether a token was issued by this installation, and neither it nor the vendor key that requested it has been
/// revoked.
pub(super) async fn is_token_in_force(conn: &impl ConnectionTrait, claims: &Claims) -> Result<bool> {
    let record = entity::access_token::by_id(claims.tenant, claims.jti).one(conn).await?;
    let is_live =
        |record: &Model| record.user_id == claims.sub && record.expires_at.timestamp() == claims.exp;
    match record.filter(is_live) {
        None => Ok(false),
        Some(record) => is_not_revoked(conn, &record).await,
    }
}

/// Whether a token that the tenant's own issuer issued to a user at `issued_at` has not been revoked.
pub(crate) async fn is_external_token_valid(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    user: Id<ids::User>,
    issued_at: Timestamp,
) -> Result<bool> {
    let row = entity::tenant_user::by_id(tenant, user).one(conn).await?;
    Ok(row.is_some_and(|row| row.tokens_since.is_none_or(|since| since < issued_at)))
}

/// Whether an access token that was valid before is still not revoked.
pub(crate) async fn is_token_live(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    token: Id<ids::AccessToken>,
) -> Result<bool> {
    match entity::access_token::by_id(tenant, token).one(conn).await? {
        None => Ok(false),
        Some(record) => is_not_revoked(conn, &record).await,
    }
}

async fn is_not_revoked(conn: &impl ConnectionTrait, record: &Model) -> Result<bool> {
    let by_key = record.issuer_id.is_none();
    Ok(record.revoked_at.is_none() && !(by_key && keys::is_revoked_key(conn, &record.issued_by).await?))
}
