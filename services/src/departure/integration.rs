//! Disconnects an integration (S6.7), and removes one that was never in use (S6.5).
//!
//! An integration is in use from its first campaign on, which starts in the transaction that makes it active.

use domain::{
    Id, Reason, ids, may,
    state::{IntegrationState, Lane},
};
use entity::{
    booking, booking_participant, campaign, channel, connect_link, connect_session, connection,
    consent_grant, external_binding, integration, room, service_account, verification,
};
use providers::{ConsentFlow, Provider};
use sea_orm::{
    ColumnTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, prelude::Json,
    sea_query::Expr,
};
use serde_json::json;

use super::{count, future_bookings, ids_of, live_run, provider::Closing};
use crate::{
    Error, Page, PageArgs, Refusal, Result, System, Tx,
    audit::{AuditFacts, ENGINE_ACTOR},
    change::reason_to_json,
    connect,
    events::topic,
    integrations::{self, Integrations},
    messages, page,
    proof::Allowed,
    run_inputs::{DisconnectIntegration, RunInput},
};

/// Number of mailboxes whose copies are deleted in one transaction.
const MAILBOXES: u64 = 50;

/// What goes and what stays if an integration is disconnected now.
#[derive(Debug, Clone, PartialEq)]
pub struct IntegrationDeparture {
    /// The row as read for the preview; its version is that to pass on.
    pub integration: integration::Model,
    /// Number of mailboxes that are disconnected.
    pub mailboxes: u64,
    /// Number of stored copies of calendars that are deleted.
    pub copies: u64,
    /// Number of push channels that are closed.
    pub channels: u64,
    /// Number of users' own consents that are deleted.
    pub own_consents: u64,
    /// Number of those that the provider withdraws at Muster's request.
    pub own_consents_withdrawn: u64,
    /// Number of stored secrets of the organisation that are deleted.
    pub secrets: u64,
    /// Whether the provider withdraws the organisation's consent at Muster's request; otherwise its administrator does.
    pub consent_withdrawn: bool,
    /// Number of bookings that are not over and stay in the calendars.
    pub bookings: u64,
}

impl Integrations {
    /// What goes and what stays if an integration is disconnected now.
    pub async fn preview_disconnection(
        &self,
        by: &Allowed<may::SeeIntegrations>,
        id: Id<ids::Integration>,
    ) -> Result<IntegrationDeparture> {
        let (tenant, now) = (by.tenant(), self.services.now());
        let txn = self.services.read(tenant).await?;
        let row = integration::by_id(tenant, id).one(&txn).await?;
        let row = row.ok_or_else(|| Error::not_found("integration"))?;
        let mailboxes = || mailboxes_of(tenant, id);
        let channels = channel::of(tenant)
            .filter(channel::Column::ConnectionId.in_subquery(ids_of(mailboxes(), connection::Column::Id)));
        let consents = consents_of(tenant, id).all(&txn).await?;
        let (own, whole): (Vec<_>, Vec<_>) = consents.iter().partition(|row| row.user_id.is_some());
        let is_revocable = |row: &&&consent_grant::Model| self.services.is_revocable(row);
        Ok(IntegrationDeparture {
            integration: row,
            mailboxes: count(mailboxes(), &txn).await?,
            copies: count(mailboxes().filter(connection::Column::AsOf.is_not_null()), &txn).await?,
            channels: count(channels, &txn).await?,
            own_consents: own.len() as u64,
            own_consents_withdrawn: own.iter().filter(is_revocable).count() as u64,
            secrets: whole.len() as u64,
            consent_withdrawn: !whole.is_empty() && whole.iter().all(|row| self.services.is_revocable(row)),
            bookings: count(bookings_of(tenant, id, now), &txn).await?,
        })
    }

    /// One page of the bookings that are not over and were written through an integration.
    pub async fn future_bookings(
        &self,
        by: &Allowed<may::BookingView>,
        id: Id<ids::Integration>,
        args: PageArgs,
    ) -> Result<Page<booking::Model>> {
        let txn = self.services.read(by.tenant()).await?;
        page::read_page(bookings_of(by.tenant(), id, self.services.now()), booking::Column::Id, args, &txn)
            .await
    }

    /// Disconnects an integration that has not changed since `if_version`: it is out of use at once, and a run closes
    /// its channels, deletes its copies and secrets, and frees its organisation. Bookings are kept. Returns the run.
    /// Refuses one that was never in use with `INTEGRATION_NEVER_CONNECTED`, and one that is disconnected already with
    /// `INTEGRATION_DISCONNECTED`.
    pub async fn disconnect(
        &self,
        by: &Allowed<may::DisconnectCalendars>,
        id: Id<ids::Integration>,
        if_version: i64,
    ) -> Result<Id<ids::Run>> {
        let (mut tx, _) = self.services.begin_locked(by.tenant()).await?;
        let row = integrations::find(&tx, id).await?;
        let state = row.state.require()?;
        if state == IntegrationState::Removed {
            let message = "This integration has been disconnected already.";
            return Err(Error::refuse("INTEGRATION_DISCONNECTED", message));
        }
        if row.version != if_version {
            let message = "This integration was changed in the meantime. Read the preview again, then repeat your request.";
            return Err(Refusal::new("VERSION_CONFLICT", message).at("ifVersion").into());
        }
        if !was_in_use(&tx, &row).await? {
            let message =
                "This integration was never in use, so there is nothing to disconnect. Remove it instead.";
            return Err(Error::refuse("INTEGRATION_NEVER_CONNECTED", message));
        }
        retire(&mut tx, id).await?;
        let facts = AuditFacts::for_change(
            json!({ "state": row.state }),
            json!({ "state": IntegrationState::Retiring.as_str() }),
        );
        tx.audit(&by.actor(), "integration.disconnect", id.to_string(), facts);
        let input = RunInput::DisconnectIntegration(DisconnectIntegration { integration: id });
        let run = match tx.enqueue(input, &by.actor(), Lane::Interactive).await? {
            Some(run) => run,
            None => live_run(&tx, "disconnect_integration", id.any()).await?,
        };
        tx.commit().await?;
        Ok(run)
    }

    /// Removes an integration that was never in use, with its connect attempt (S6.5). Its invitations stay valid for
    /// another attempt. Refuses one that was in use with `INTEGRATION_WAS_CONNECTED`.
    pub async fn remove(&self, by: &Allowed<may::ConnectCalendars>, id: Id<ids::Integration>) -> Result<()> {
        let (mut tx, _) = self.services.begin_locked(by.tenant()).await?;
        let row = integrations::find(&tx, id).await?;
        row.state.require()?;
        if was_in_use(&tx, &row).await? {
            let message = "This integration was in use. Disconnect it instead, which also closes what is open at the provider.";
            return Err(Error::refuse("INTEGRATION_WAS_CONNECTED", message));
        }
        let live = entity::run::of(tx.tenant())
            .filter(entity::run::Column::Subject.eq(id))
            .filter(entity::run::Column::FinishedAt.is_null())
            .all(tx.conn())
            .await?;
        for run in live {
            if let Some(hint) = runs::request_cancel(tx.conn(), tx.tenant(), run.id, tx.now()).await? {
                tx.add_hint(hint);
            }
        }
        connect_link::update(tx.tenant())
            .filter(connect_link::Column::IntegrationId.eq(id))
            .col_expr(connect_link::Column::IntegrationId, Expr::value(None::<Id<ids::Integration>>))
            .exec(tx.conn())
            .await?;
        integration::delete(tx.tenant()).filter(integration::Column::Id.eq(id)).exec(tx.conn()).await?;
        tx.add_event(topic::INTEGRATION, id);
        let facts = AuditFacts::for_deletion(json!({
            "name": row.name, "provider": row.provider, "state": row.state,
        }));
        tx.audit(&by.actor(), "integration.remove", id.to_string(), facts);
        tx.commit().await
    }
}

/// Takes an integration out of use, and ends its invitations and connect sessions.
pub(super) async fn retire(tx: &mut Tx, id: Id<ids::Integration>) -> Result<()> {
    use integration::{Column, update};
    let reason = Reason::new("INTEGRATION_DISCONNECTING", messages::integration_disconnecting());
    update(tx.tenant())
        .filter(Column::Id.eq(id))
        .col_expr(Column::State, Expr::value(IntegrationState::Retiring.as_str()))
        .col_expr(Column::Reason, Expr::value(reason_to_json(Some(reason))))
        .col_expr(Column::SuspendedState, Expr::value(None::<String>))
        .col_expr(Column::SuspendedReason, Expr::value(None::<Json>))
        .col_expr(Column::Since, Expr::value(tx.now()))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .exec(tx.conn())
        .await?;
    connect_session::delete(tx.tenant())
        .filter(connect_session::Column::IntegrationId.eq(id))
        .exec(tx.conn())
        .await?;
    connect_link::update(tx.tenant())
        .filter(connect_link::Column::IntegrationId.eq(id))
        .filter(connect_link::Column::ExpiresAt.gt(tx.now()))
        .col_expr(connect_link::Column::ExpiresAt, Expr::value(tx.now()))
        .exec(tx.conn())
        .await?;
    tx.add_event(topic::INTEGRATION, id);
    Ok(())
}

async fn was_in_use(tx: &Tx, row: &integration::Model) -> Result<bool> {
    // A personal integration exists only because somebody connected a calendar.
    if integrations::is_personal(row) {
        return Ok(true);
    }
    let campaigns = campaign::of(tx.tenant()).filter(campaign::Column::IntegrationId.eq(row.id));
    Ok(campaigns.one(tx.conn()).await?.is_some())
}

fn mailboxes_of(tenant: Id<ids::Tenant>, id: Id<ids::Integration>) -> Select<connection::Entity> {
    connection::of(tenant).filter(connection::Column::IntegrationId.eq(id))
}

fn consents_of(tenant: Id<ids::Tenant>, id: Id<ids::Integration>) -> Select<consent_grant::Entity> {
    consent_grant::of(tenant).filter(consent_grant::Column::IntegrationId.eq(id))
}

fn bookings_of(
    tenant: Id<ids::Tenant>,
    id: Id<ids::Integration>,
    now: domain::Timestamp,
) -> Select<booking::Entity> {
    future_bookings(tenant, now).filter(booking::Column::IntegrationId.eq(id))
}

impl System {
    /// Deletes some mailboxes of an integration that is being disconnected, with their copies.
    pub(crate) async fn delete_mailboxes(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Integration>,
    ) -> Result<Closing> {
        use connection::{Column, delete};
        let mut tx = self.begin(tenant).await?;
        if !is_retiring(&tx, id).await? {
            return Ok(Closing::Complete);
        }
        let rows = mailboxes_of(tenant, id).order_by_asc(Column::Id).limit(MAILBOXES).all(tx.conn()).await?;
        let found: Vec<Id<ids::Connection>> = rows.iter().map(|row| row.id).collect();
        // Copies, channels and results of campaigns go with their mailbox.
        delete(tenant).filter(Column::Id.is_in(found.iter().copied())).exec(tx.conn()).await?;
        for mailbox in &found {
            tx.add_event(topic::CONNECTION, *mailbox);
        }
        integration::update(tenant)
            .filter(integration::Column::Id.eq(id))
            .col_expr(integration::Column::KnownGood, Expr::value(None::<String>))
            .exec(tx.conn())
            .await?;
        tx.commit().await?;
        Ok(if (found.len() as u64) < MAILBOXES { Closing::Complete } else { Closing::More })
    }

    /// Deletes what else is stored of an integration that is being disconnected, and frees its organisation for
    /// everybody. Bookings are kept, with the rooms and service mailboxes to which they refer.
    pub(crate) async fn finish_disconnection(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Integration>,
    ) -> Result<()> {
        let mut tx = self.begin(tenant).await?;
        if !is_retiring(&tx, id).await? {
            return Ok(());
        }
        let row = integrations::find(&tx, id).await?;
        let connector = self.connectors.get(integrations::provider(&row)?);
        let is_left = count(consents_of(tenant, id), tx.conn()).await? > 0;
        let withdrawal = connector.ok().filter(|_| is_left).map(|connector| withdrawal(&*connector));
        mark_removed(&tx, &row, withdrawal).await?;
        consent_grant::delete(tenant)
            .filter(consent_grant::Column::IntegrationId.eq(id))
            .exec(tx.conn())
            .await?;
        external_binding::delete(tenant)
            .filter(external_binding::Column::IntegrationId.eq(id))
            .exec(tx.conn())
            .await?;
        campaign::delete(tenant).filter(campaign::Column::IntegrationId.eq(id)).exec(tx.conn()).await?;
        verification::delete(tenant)
            .filter(verification::Column::IntegrationId.eq(id))
            .exec(tx.conn())
            .await?;
        delete_unused(&tx, id).await?;
        connect::clear_organisation(&tx, id).await?;
        tx.add_event(topic::INTEGRATION, id);
        let facts = AuditFacts::for_change(
            json!({
                "organisation": row.external_tenant, "consentedBy": row.consented_by, "server": row.server_url,
                "state": row.state,
            }),
            json!({ "state": IntegrationState::Removed.as_str() }),
        );
        tx.audit(ENGINE_ACTOR, "integration.disconnected", id.to_string(), facts);
        tx.commit().await
    }
}

/// Whether an integration is being disconnected. Its row is locked until the transaction ends.
async fn is_retiring(tx: &Tx, id: Id<ids::Integration>) -> Result<bool> {
    let row = integration::by_id(tx.tenant(), id).lock_exclusive().one(tx.conn()).await?;
    Ok(row.is_some_and(|row| row.state == IntegrationState::Retiring))
}

/// Deletes the rooms and service mailboxes to which no booking refers.
async fn delete_unused(tx: &Tx, id: Id<ids::Integration>) -> Result<()> {
    let tenant = tx.tenant();
    let booked = booking_participant::of(tenant)
        .filter(booking_participant::Column::RoomId.is_not_null())
        .select_only()
        .column(booking_participant::Column::RoomId);
    room::delete(tenant)
        .filter(room::Column::IntegrationId.eq(id))
        .filter(room::Column::Id.not_in_subquery(booked.into_query()))
        .exec(tx.conn())
        .await?;
    let used = booking::of(tenant)
        .filter(booking::Column::ServiceAccountId.is_not_null())
        .select_only()
        .column(booking::Column::ServiceAccountId);
    service_account::delete(tenant)
        .filter(service_account::Column::IntegrationId.eq(id))
        .filter(service_account::Column::Id.not_in_subquery(used.into_query()))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Sets the final state. The reason says what an administrator still has to do at the provider.
async fn mark_removed(tx: &Tx, row: &integration::Model, withdrawal: Option<domain::Message>) -> Result<()> {
    use integration::{Column, update};
    let reason = Reason::new("INTEGRATION_DISCONNECTED", messages::integration_disconnected());
    let reason = Reason { next_action: withdrawal, ..reason };
    update(tx.tenant())
        .filter(Column::Id.eq(row.id))
        .col_expr(Column::State, Expr::value(IntegrationState::Removed.as_str()))
        .col_expr(Column::Reason, Expr::value(reason_to_json(Some(reason))))
        .col_expr(Column::ServiceMailbox, Expr::value(None::<String>))
        .col_expr(Column::KnownGood, Expr::value(None::<String>))
        .col_expr(Column::RoomRules, Expr::value(None::<Json>))
        .col_expr(Column::Since, Expr::value(tx.now()))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// What an administrator does at the provider, because Muster cannot withdraw the consent.
fn withdrawal(connector: &dyn Provider) -> domain::Message {
    match connector.consent_flow() {
        ConsentFlow::Pages => {
            messages::withdraw_consent_at_provider(connect::provider_label(connector.kind()))
        }
        ConsentFlow::ServiceAccount { .. } => messages::withdraw_delegation_at_google(),
        ConsentFlow::Login { .. } => messages::change_the_password(),
    }
}
