//! The run that connects an integration: how it is enqueued again, found and signalled.

use domain::{
    Id, Reason, ids,
    state::{Feature, IntegrationState, Lane},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, QueryFilter};
use serde_json::json;

use super::{Integrations, parse_reason, shown};
use crate::{
    Error, Result, Tx,
    change::reason_to_json,
    connect::{Authorisation, delete_tried_consents},
    events::topic,
    messages,
    run_inputs::{Connect, RunInput},
    tenants,
};

impl Integrations {
    /// Says with an integration that is to be connected again how to go on: its run waits for somebody to open a link.
    pub(super) async fn show_next_action(&self, tx: &mut Tx, row: entity::integration::Model) -> Result<()> {
        let reason = parse_reason(row.reason.as_ref())
            .map_or_else(terms_pending, |reason| reason.with_next_action(messages::open_a_connect_link()));
        let mut change = entity::integration::ActiveModel::from(row.clone());
        change.reason = Set(reason_to_json(Some(reason)));
        change.version = Set(row.version + 1);
        change.update(tx.conn()).await?;
        tx.add_event(topic::INTEGRATION, row.id);
        Ok(())
    }

    pub(crate) async fn enqueue_reconnection(
        &self,
        tx: &mut Tx,
        row: &entity::integration::Model,
        actor: &str,
    ) -> Result<Id<ids::Run>> {
        use IntegrationState as S;
        tenants::require_feature(tx.conn(), tx.tenant(), Feature::ServiceAccount).await?;
        let again = match row.state.require()? {
            S::Active | S::Degraded | S::Failing => true,
            S::Failed | S::Expired | S::Declined => false,
            _ => {
                let message = "This integration is already being connected, or has been removed.";
                return Err(Error::refuse("INTEGRATION_NOT_RECONNECTABLE", message));
            }
        };
        let order = RunInput::Connect(Connect { integration: row.id, again });
        let run = tx.enqueue(order, actor, Lane::Interactive).await?;
        let run = run.ok_or_else(|| {
            Error::refuse("INTEGRATION_NOT_RECONNECTABLE", "This integration is already being connected.")
        })?;
        tx.audit(actor, "integration.reconnect", shown(row.id), json!({}));
        Ok(run)
    }
}

/// Why an integration is not being connected although a run waits for it.
pub(super) fn terms_pending() -> Reason {
    Reason::new("TERMS_PENDING", messages::terms_pending()).with_next_action(messages::open_a_connect_link())
}

/// Signals the administrator's authorisation, a separate and explicit step, to the integration's run.
pub(crate) async fn authorise(tx: &mut Tx, row: &entity::integration::Model, actor: &str) -> Result<()> {
    if row.state.require()? != IntegrationState::AwaitingAuthorization {
        let message = "This integration cannot be authorised now: the provider has not granted access yet, \
            or it has already been authorised.";
        return Err(Error::refuse("NOTHING_TO_AUTHORISE", message));
    }
    let said = Authorisation { session: row.consent_session };
    let run = signal_connect_run(tx, row.id, "authorised", json!(said)).await?;
    delete_tried_consents(tx, row, run).await?;
    tx.audit(actor, "integration.authorise", shown(row.id), json!({}));
    Ok(())
}

/// The run that is connecting an integration, if there is one.
pub(crate) async fn live_connect_run(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    integration: Id<ids::Integration>,
) -> Result<Option<entity::run::Model>> {
    use entity::run::{Column, of};
    let run = of(tenant)
        .filter(Column::Subject.eq(integration))
        .filter(Column::Workflow.eq("connect_integration"))
        .filter(Column::FinishedAt.is_null());
    Ok(run.one(conn).await?)
}

/// Tells the run that connects an integration that the terms were accepted.
pub(crate) async fn signal_terms_accepted(
    tx: &mut Tx,
    integration: Id<ids::Integration>,
    by: &str,
) -> Result<()> {
    signal_connect_run(tx, integration, "terms_accepted", json!({ "by": by })).await?;
    Ok(())
}

/// Sends a signal to the run that connects an integration. Returns the run.
pub(crate) async fn signal_connect_run(
    tx: &mut Tx,
    integration: Id<ids::Integration>,
    name: &str,
    payload: serde_json::Value,
) -> Result<Id<ids::Run>> {
    let run = live_connect_run(tx.conn(), tx.tenant(), integration).await?;
    let over = || Error::refuse("CONNECT_OVER", "This connection attempt has ended. Start again.");
    let run = run.ok_or_else(over)?;
    if tx.signal(run.id, name, payload).await? { Ok(run.id) } else { Err(over()) }
}
