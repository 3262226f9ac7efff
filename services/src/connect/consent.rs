//! Puts a consent into effect and withdraws consents. A new consent is first stored, sealed, in the connect session;
//! the integration's run tests it and makes it permanent.

use domain::{Id, connect::ConnectStep, ids, state::IntegrationState};
use providers::Secret;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;
use url::Url;

use super::{
    Connect, ConsentSignal, SessionRow, actor, domains,
    session::{consent_context, integration_of, session_ended},
};
use crate::{
    Error, Result, System, Tx,
    audit::{AuditFacts, ENGINE_ACTOR},
    integrations, messages,
};

impl Connect {
    /// Stores a consent, sealed, in the connect session and signals the integration's run. The consent takes effect
    /// only after the run has tested it. An attempt that has failed meanwhile is started again, so that what was wrong
    /// can be corrected (S6.2).
    pub(super) async fn store_consent_for_run(
        &self,
        tx: &mut Tx,
        session: &mut SessionRow,
        account: &str,
        secret: &Secret,
        server: Option<&Url>,
    ) -> Result<()> {
        let plain = serde_json::to_vec(secret).map_err(|_| Error::Unreadable { what: "consent" })?;
        let sealed = self.services.secrets().seal(tx.conn(), consent_context(session), &plain).await?;
        let mut change = entity::connect_session::ActiveModel::from(session.clone());
        change.consent = Set(Some(sealed));
        change.step = Set(ConnectStep::HandedOver.into());
        *session = change.update(tx.conn()).await?;
        let facts = json!({ "account": account, "server": server.map(Url::as_str), "secret": "changed" });
        let subject = integration_of(session)?.to_string();
        tx.audit(&actor(session), "integration.credentials", subject, AuditFacts::for_creation(facts));
        let said = ConsentSignal {
            session: session.id,
            by: account.to_owned(),
            server: server.cloned(),
            id: Some(self.services.ids.uuid()),
        };
        let said = serde_json::to_value(said).map_err(|_| Error::Unreadable { what: "consent" })?;
        self.restart_failed_attempt(tx, session).await?;
        integrations::signal_connect_run(tx, integration_of(session)?, "consented", said).await?;
        Ok(())
    }

    /// Starts the attempt of a session again if it has ended; the session's administrator has accepted the terms.
    async fn restart_failed_attempt(&self, tx: &mut Tx, session: &SessionRow) -> Result<()> {
        let row = integrations::find(tx, integration_of(session)?).await?;
        if integrations::live_connect_run(tx.conn(), tx.tenant(), row.id).await?.is_some() {
            return Ok(());
        }
        if matches!(row.state.require()?, IntegrationState::Active | IntegrationState::Degraded) {
            return Err(Error::refuse("INTEGRATION_NOT_RECONNECTABLE", messages::already_connected()));
        }
        let actor = actor(session);
        self.services.integrations().enqueue_reconnection(tx, &row, &actor).await?;
        integrations::signal_terms_accepted(tx, row.id, &actor).await
    }

    /// The consent that [`Connect::store_consent_for_run`] stored for an integration; read by the integration's run.
    /// Refused with `SESSION_OVER` if it is not stored any more.
    pub async fn stored_consent(
        &self,
        _by: &System,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
        session: Id<ids::ConnectSession>,
    ) -> Result<Secret> {
        use entity::connect_session::{Column, by_id};
        let txn = self.services.read(tenant).await?;
        let row = by_id(tenant, session).filter(Column::IntegrationId.eq(integration)).one(&txn).await?;
        // Whoever waits for a second connection while holding one can bring a full pool to a halt.
        drop(txn);
        let row = row.ok_or_else(session_ended)?;
        // It has been put into effect and authorised, or another answer has taken its place.
        let sealed = row.consent.as_deref().ok_or_else(session_ended)?;
        let plain = self.services.secrets().open(consent_context(&row), sealed).await?;
        serde_json::from_slice(&plain).map_err(|_| Error::Unreadable { what: "consent" })
    }

    /// Makes a tested consent permanent in one transaction: binds the organisation at the provider to this tenant and
    /// no other, and stores the secret. Idempotent. Refused with `SESSION_OVER` if the session of the consent has ended
    /// meanwhile, because an answer was corrected.
    pub async fn activate_consent(
        &self,
        _by: &System,
        integration: &entity::integration::Model,
        consented: &ConsentSignal,
        secret: &Secret,
        organisation: &providers::Organisation,
    ) -> Result<()> {
        let (mut tx, _) = self.services.begin_locked(integration.tenant_id).await?;
        let session = entity::connect_session::by_id(tx.tenant(), consented.session).one(tx.conn()).await?;
        let session = session.ok_or_else(session_ended)?;
        bind(&tx, integration, &organisation.id).await?;
        let connectors = &self.services.connectors;
        domains::store_domains(connectors, tx.conn(), tx.tenant(), integration.id, organisation).await?;
        let mut change = entity::integration::ActiveModel::from(integration.clone());
        change.server_url = Set(consented.server.as_ref().map(Url::to_string));
        change.external_tenant = Set(Some(organisation.id.clone()));
        change.external_name = Set(Some(organisation.name.clone()));
        change.consented_by = Set(Some(consented.by.clone()));
        change.consent_session = Set(Some(session.id));
        change.update(tx.conn()).await?;
        self.services.grants().store(&tx, integration.id, None, &consented.by, secret).await?;
        let told = |organisation: Option<&str>, by: Option<&str>, server: Option<&str>| json!({ "organisation": organisation, "consentedBy": by, "server": server });
        let before = told(
            integration.external_tenant.as_deref(),
            integration.consented_by.as_deref(),
            integration.server_url.as_deref(),
        );
        let server = consented.server.as_ref().map(Url::as_str);
        let mut after = told(Some(&organisation.id), Some(&consented.by), server);
        after["secret"] = json!("changed");
        let subject = integration.id.to_string();
        // Whose link it was is known; the account is a typed text, or what the provider calls it.
        set_granted(&tx, integration.id, session.id).await?;
        tx.audit(&actor(&session), "integration.consent", subject, AuditFacts::for_change(before, after));
        tx.commit().await
    }

    /// Deletes the consents that connect sessions stored for an integration's run, after the run has ended.
    pub async fn delete_consents_of_finished_run(
        &self,
        _by: &System,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
    ) -> Result<()> {
        let tx = self.services.begin(tenant).await?;
        delete_stored_consents(&tx, integration).await?;
        tx.commit().await
    }

    /// Withdraws the consent in effect completely, because the attempt has ended or, with `is_corrected`, because an answer
    /// was corrected. This is safe even if none took effect. Consents that the run has not tried yet are kept: after a
    /// correction it continues with the newest one.
    pub async fn withdraw(
        &self,
        _by: &System,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
        is_corrected: bool,
    ) -> Result<()> {
        use entity::external_binding::{Column, delete};
        let mut tx = self.services.begin(tenant).await?;
        self.services.grants().remove(&tx, integration, None).await?;
        delete(tenant).filter(Column::IntegrationId.eq(integration)).exec(tx.conn()).await?;
        clear_organisation(&tx, integration).await?;
        let subject = integration.to_string();
        let facts = json!({ "because": if is_corrected { "corrected" } else { "ended" } });
        tx.audit(ENGINE_ACTOR, "integration.abandon", subject, facts);
        tx.commit().await
    }
}

/// Binds an organisation at a provider to the integration. Another tenant's binding is not visible to this transaction;
/// the table's unique key prevents a second binding.
async fn bind(tx: &Tx, integration: &entity::integration::Model, organisation: &str) -> Result<()> {
    use entity::external_binding::{ActiveModel, Column, Entity, of};
    let row = ActiveModel {
        provider: Set(integration.provider.clone()),
        external_tenant: Set(organisation.to_owned()),
        tenant_id: Set(tx.tenant()),
        integration_id: Set(integration.id),
        bound_at: Set(tx.now()),
        domains: Set(None),
    };
    let unless_bound = OnConflict::new().do_nothing().to_owned();
    if Entity::insert(row).on_conflict(unless_bound).exec_without_returning(tx.conn()).await? == 1 {
        return Ok(());
    }
    let ours = of(tx.tenant())
        .filter(Column::Provider.eq(integration.provider.clone()))
        .filter(Column::ExternalTenant.eq(organisation))
        .filter(Column::IntegrationId.eq(integration.id));
    match ours.one(tx.conn()).await? {
        Some(_) => Ok(()),
        None => {
            let message = messages::organisation_taken();
            Err(Error::refuse("ORGANISATION_TAKEN", message))
        }
    }
}

/// Marks the connect session whose consent is in force: only this session may authorise its use.
async fn set_granted(
    tx: &Tx,
    integration: Id<ids::Integration>,
    session: Id<ids::ConnectSession>,
) -> Result<()> {
    use entity::connect_session::{Column, update};
    let moved = |from: ConnectStep, to: ConnectStep| {
        update(tx.tenant())
            .filter(Column::IntegrationId.eq(integration))
            .filter(Column::Step.eq(from.as_str()))
            .col_expr(Column::Step, Expr::value(to.as_str()))
    };
    moved(ConnectStep::Granted, ConnectStep::HandedOver).exec(tx.conn()).await?;
    let granted = moved(ConnectStep::HandedOver, ConnectStep::Granted).filter(Column::Id.eq(session));
    granted.exec(tx.conn()).await?;
    Ok(())
}

/// Deletes the consents that connect sessions stored for an integration's run, after the run has made one permanent or
/// has failed.
pub(super) async fn delete_stored_consents(tx: &Tx, integration: Id<ids::Integration>) -> Result<()> {
    use entity::connect_session::{Column, update};
    update(tx.tenant())
        .filter(Column::IntegrationId.eq(integration))
        .filter(Column::Consent.is_not_null())
        .col_expr(Column::Consent, Expr::value(Option::<Vec<u8>>::None))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Deletes the consents that were stored for an integration's run and that it has tried, once their use is authorised. A
/// consent that a corrected answer brought meanwhile is still to be tried.
pub(crate) async fn delete_tried_consents(
    tx: &Tx,
    integration: &entity::integration::Model,
    run: Id<ids::Run>,
) -> Result<()> {
    use entity::{connect_session, signal};
    let reported = signal::of(tx.tenant())
        .filter(signal::Column::RunId.eq(run))
        .filter(signal::Column::Name.eq("consented"))
        .one(tx.conn())
        .await?;
    match (reported, integration.consent_session) {
        (Some(_), Some(tried)) => {
            let own = connect_session::update(tx.tenant()).filter(connect_session::Column::Id.eq(tried));
            let nothing = Expr::value(Option::<Vec<u8>>::None);
            own.col_expr(connect_session::Column::Consent, nothing).exec(tx.conn()).await?;
            Ok(())
        }
        _ => delete_stored_consents(tx, integration.id).await,
    }
}

/// Clears the organisation of an integration whose consent never took effect, so that it can be connected to another
/// one.
pub(crate) async fn clear_organisation(tx: &Tx, integration: Id<ids::Integration>) -> Result<()> {
    use entity::integration::{Column, update};
    let none = || Expr::value(Option::<String>::None);
    update(tx.tenant())
        .filter(Column::Id.eq(integration))
        .col_expr(Column::ExternalTenant, none())
        .col_expr(Column::ExternalName, none())
        .col_expr(Column::ServerUrl, none())
        .col_expr(Column::ConsentedBy, none())
        .col_expr(Column::ConsentSession, Expr::value(Option::<Id<ids::ConnectSession>>::None))
        .exec(tx.conn())
        .await?;
    Ok(())
}
