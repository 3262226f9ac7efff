//! The session that binds a browser to one integration, by a cookie of which only a digest is stored.

use domain::{
    Id,
    connect::{ConnectPurpose, ConnectStep},
    ids,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use super::{Connect, SessionRow};
use crate::{
    Error, Result, Tx,
    vault::{Column as Sealed, SealContext},
};

impl Connect {
    pub(super) async fn open_session(
        &self,
        tx: &Tx,
        purpose: ConnectPurpose,
        integration: Id<ids::Integration>,
        link: Option<Id<ids::ConnectLink>>,
        user: Option<Id<ids::User>>,
    ) -> Result<(String, SessionRow)> {
        let secret = self.services.ids.secret();
        let row = SessionRow {
            id: self.services.ids.make::<ids::ConnectSession>(),
            tenant_id: tx.tenant(),
            link_id: link,
            user_id: user,
            integration_id: integration,
            cookie_hash: self.services.secrets().digest(&secret).await?,
            purpose: purpose.into(),
            step: ConnectStep::Open.into(),
            state_hash: None,
            nonce: None,
            verifier: None,
            signed_in: None,
            created_at: tx.now(),
            expires_at: tx.now() + self.services.settings.session_lifetime,
        };
        let row_to_store = entity::connect_session::ActiveModel::from(row.clone());
        entity::connect_session::Entity::insert(row_to_store).exec_without_returning(tx.conn()).await?;
        Ok((secret, row))
    }

    /// The unexpired session of a cookie.
    pub(super) async fn session(&self, cookie: &str, purpose: ConnectPurpose) -> Result<SessionRow> {
        use entity::{
            connect_session::{Column, of},
            tenant_lookup::{Kind, tenant_of},
        };
        let hash = self.services.secrets().digest(cookie).await?;
        let store = &self.services.store;
        let tenant = tenant_of(store, Kind::ConnectSession, &hash).await?.ok_or_else(session_over)?;
        let txn = store.read(tenant).await?;
        let row = of(tenant).filter(Column::CookieHash.eq(hash)).filter(Column::Purpose.eq(purpose.as_str()));
        let row = row.one(&txn).await?;
        row.filter(|row| row.expires_at > self.services.now()).ok_or_else(session_over)
    }
}

pub(super) async fn set_step(tx: &Tx, session: &mut SessionRow, step: ConnectStep) -> Result<()> {
    let mut change = entity::connect_session::ActiveModel::from(session.clone());
    change.step = Set(step.into());
    *session = change.update(tx.conn()).await?;
    Ok(())
}

pub(super) fn verifier_context(session: &SessionRow) -> SealContext {
    Sealed::ConnectSessionVerifier.at(session.tenant_id, session.id)
}

pub(super) fn session_over() -> Error {
    Error::refuse("SESSION_OVER", "This page has expired. Open the link from your invitation again.")
}
