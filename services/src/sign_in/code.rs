//! Sign-in codes, which an application exchanges for the token of a user who has signed in at its request.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Duration;
use domain::{Id, ids};
use entity::sign_in::{ActiveModel, Column, Entity, Model, of, update};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;

use super::{SESSION_LIFETIME, SignIn, callback::state_already_used, session::Session};
use crate::{
    Error, Result, Tx,
    access::{AccessToken, TokenOrigin},
    error::is_duplicate,
    issuers::token_user,
    proof::Anyone,
};

/// How long an application may take to exchange a sign-in code.
const EXCHANGE: Duration = Duration::minutes(1);
/// Length of the tenant's id at the beginning of a sign-in code, in characters.
const TENANT: usize = 32;

impl SignIn {
    /// Exchanges a sign-in code for an access token. A code is valid once, for one minute, and only for the application
    /// that started the sign-in, because no other application has the verifier. Every failure returns the same error.
    pub async fn redeem(&self, _by: Anyone, code: &str, verifier: &SecretString) -> Result<AccessToken> {
        let tenant = code
            .get(..TENANT)
            .and_then(|text| Uuid::try_parse(text).ok())
            .map(Id::from_uuid)
            .ok_or_else(dead)?;
        let hash = self.services.secrets().digest(code).await?;
        // Strangers with made-up codes read, and wait for nobody who writes.
        let txn = self.services.read(tenant).await?;
        let row = of(tenant).filter(Column::CodeHash.eq(hash)).one(&txn).await?.ok_or_else(dead)?;
        drop(txn);
        let access = self.services.access();
        let signer = access.signer_for(None).await?;
        // Locked: the user's link could end between its look-up and the token.
        let (mut tx, _) = self.services.begin_locked(tenant).await?;
        token_user::lock_issuer(&tx, row.issuer_id).await.map_err(|_| dead())?;
        token_user::find_identity(&tx, row.issuer_id, row.user_id).await?.ok_or_else(dead)?;
        let redeemed = update(tenant)
            .filter(Column::Id.eq(row.id))
            .filter(Column::RedeemedAt.is_null())
            .col_expr(Column::RedeemedAt, Expr::value(tx.now()))
            .exec(tx.conn())
            .await?;
        let is_shown = is_verifier_of(row.challenge.as_deref().unwrap_or_default(), verifier);
        if redeemed.rows_affected != 1 || row.created_at + EXCHANGE <= tx.now() || !is_shown {
            return Err(dead());
        }
        let user = row.user_id;
        let reason = TokenOrigin::SignIn(row.issuer_id);
        let token = access.issue_in_tx(&mut tx, &signer, user, reason).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Records that a sign-in has succeeded. The record is kept as long as the browser's cookie is valid, so that the
    /// same redirect does not count twice.
    pub(super) async fn record_sign_in(
        &self,
        tx: &Tx,
        session: &Session,
        user: Id<ids::User>,
        code: Option<&str>,
    ) -> Result<()> {
        let code_hash = match code {
            Some(code) => Some(self.services.secrets().digest(&whole(tx.tenant(), code)).await?),
            None => None,
        };
        let row = Model {
            id: session.id,
            tenant_id: tx.tenant(),
            issuer_id: session.issuer,
            user_id: user,
            code_hash,
            challenge: session.request.challenge.clone(),
            created_at: tx.now(),
            expires_at: tx.now() + SESSION_LIFETIME,
            redeemed_at: None,
        };
        let inserted = Entity::insert(ActiveModel::from(row)).exec_without_returning(tx.conn()).await;
        inserted.map_err(|error| if is_duplicate(&error) { state_already_used() } else { error.into() })?;
        Ok(())
    }
}

/// The application's URL with the sign-in code and the application's `state` added.
pub(super) fn with_code(url: &str, tenant: Id<ids::Tenant>, code: &str, state: Option<&str>) -> Result<Url> {
    let mut url = Url::parse(url).map_err(|_| super::session::session_ended())?;
    url.query_pairs_mut().append_pair("code", &whole(tenant, code));
    if let Some(state) = state {
        url.query_pairs_mut().append_pair("state", state);
    }
    Ok(url)
}

/// The complete sign-in code, which starts with its tenant's id.
fn whole(tenant: Id<ids::Tenant>, secret: &str) -> String {
    format!("{}{secret}", tenant.uuid().simple())
}

fn is_verifier_of(challenge: &str, verifier: &SecretString) -> bool {
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret().as_bytes()));
    verify_slices_are_equal(digest.as_bytes(), challenge.as_bytes()).is_ok()
}

fn dead() -> Error {
    let message = "This code is invalid, has expired, was already used, or belongs to another sign-in.";
    Error::refuse("SIGN_IN_CODE_INVALID", message)
}
