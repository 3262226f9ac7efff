//! Connect sessions, which bind a browser to one integration by a cookie of which only a digest is stored.

use domain::{
    Id, Timestamp,
    connect::{ConnectPurpose, ConnectStep},
    ids,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
};

use super::{Connect, SessionRow};
use crate::{
    Error, Result, Tx, links, messages,
    vault::{Column as Sealed, SealContext},
};

/// Error code for a connect session that has expired, or ended because an answer was corrected.
pub const SESSION_OVER_CODE: &str = "SESSION_OVER";

impl Connect {
    pub(super) async fn open_session(
        &self,
        tx: &Tx,
        purpose: ConnectPurpose,
        integration: Option<Id<ids::Integration>>,
        link: Option<Id<ids::ConnectLink>>,
        user: Option<Id<ids::User>>,
        return_url: Option<String>,
    ) -> Result<(String, SessionRow)> {
        let secret = self.services.ids.random_secret();
        let row = SessionRow {
            id: self.services.ids.make::<ids::ConnectSession>(),
            tenant_id: tx.tenant(),
            link_id: link,
            user_id: user,
            integration_id: integration,
            provider: None,
            cookie_hash: self.services.secrets().digest(&secret).await?,
            purpose: purpose.into(),
            step: ConnectStep::Open.into(),
            state_hash: None,
            nonce: None,
            verifier: None,
            consent: None,
            signed_in: None,
            typed_account: None,
            return_url,
            created_at: tx.now(),
            expires_at: tx.now() + self.services.settings.session_lifetime,
        };
        let row_to_store = entity::connect_session::ActiveModel::from(row.clone());
        entity::connect_session::Entity::insert(row_to_store).exec_without_returning(tx.conn()).await?;
        Ok((secret, row))
    }

    /// The unexpired connect session to which a cookie belongs.
    pub(super) async fn find_session(&self, cookie: &str, purpose: ConnectPurpose) -> Result<SessionRow> {
        use entity::{
            connect_session::{Column, of},
            tenant_lookup::{Kind, tenant_of},
        };
        let hash = self.services.secrets().digest(cookie).await?;
        let store = &self.services.store;
        let tenant = tenant_of(store, Kind::ConnectSession, &hash).await?.ok_or_else(session_ended)?;
        let txn = store.read(tenant).await?;
        let row = of(tenant).filter(Column::CookieHash.eq(hash)).filter(Column::Purpose.eq(purpose.as_str()));
        let row = row.one(&txn).await?;
        let now = self.services.now();
        let row = row.filter(|row| row.expires_at > now).ok_or_else(session_ended)?;
        require_valid(&txn, &row, now).await?;
        Ok(row)
    }

    /// Begins the transaction of a connect step: locks the tenant and the session, and checks the session and its
    /// invitation again, because they may have ended while the step was waiting for the provider or for a concurrent
    /// request. Returns the session in its current state.
    pub(super) async fn begin_step(&self, session: &SessionRow) -> Result<(Tx, SessionRow)> {
        let (tx, _) = self.services.begin_locked(session.tenant_id).await?;
        let row = entity::connect_session::by_id(tx.tenant(), session.id).lock_exclusive().one(tx.conn());
        let row = row.await?.filter(|row| row.expires_at > tx.now()).ok_or_else(session_ended)?;
        require_valid(tx.conn(), &row, tx.now()).await?;
        Ok((tx, row))
    }
}

/// Refuses a connect session whose invitation has ended, or whose user no longer exists.
async fn require_valid(conn: &impl ConnectionTrait, session: &SessionRow, now: Timestamp) -> Result<()> {
    let tenant = session.tenant_id;
    if let Some(user) = session.user_id {
        let user = entity::tenant_user::by_id(tenant, user).one(conn).await?;
        user.ok_or_else(session_ended)?;
    }
    let Some(link) = session.link_id else { return Ok(()) };
    let link = entity::connect_link::by_id(tenant, link).one(conn).await?.ok_or_else(session_ended)?;
    // A page that was opened in time may be finished after the link's own end.
    links::require_entitled(conn, &link, now).await
}

pub(super) async fn set_step(tx: &Tx, session: &mut SessionRow, step: ConnectStep) -> Result<()> {
    let mut change = entity::connect_session::ActiveModel::from(session.clone());
    change.step = Set(step.into());
    *session = change.update(tx.conn()).await?;
    Ok(())
}

/// Ends all connect sessions of an integration, with their consents, because an answer was corrected: no page and no
/// consent of before counts any more.
pub(super) async fn end_sessions(tx: &Tx, integration: Id<ids::Integration>) -> Result<()> {
    use entity::connect_session::{Column, delete};
    let of_pages = Column::Purpose.eq(ConnectPurpose::Connect.as_str());
    delete(tx.tenant())
        .filter(Column::IntegrationId.eq(integration))
        .filter(of_pages)
        .exec(tx.conn())
        .await?;
    Ok(())
}

pub(super) fn verifier_context(session: &SessionRow) -> SealContext {
    Sealed::ConnectSessionVerifier.at(session.tenant_id, session.id)
}

pub(super) fn consent_context(session: &SessionRow) -> SealContext {
    Sealed::ConnectSessionConsent.at(session.tenant_id, session.id)
}

/// The integration that a session connects. A user's own calendar may be connected without one.
pub(super) fn integration_of(session: &SessionRow) -> Result<Id<ids::Integration>> {
    session.integration_id.ok_or_else(session_ended)
}

pub(super) fn session_ended() -> Error {
    Error::refuse(SESSION_OVER_CODE, messages::session_over())
}
