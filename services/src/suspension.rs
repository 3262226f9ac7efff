//! Suspends a tenant's organisation-wide integrations while its plan or features do not allow them (S6.11).
//!
//! A suspended integration is neither read nor written: [`require_in_force`] refuses every session, and a run that is
//! refused waits. No state is lost: the state that a run determines for a suspended integration is stored separately,
//! see [`IntegrationChange`](crate::IntegrationChange), and is restored when the integration is resumed.

use domain::{
    Reason,
    state::{Feature, IntegrationState},
};
use entity::integration::{Column, Entity, Model, of, update};
use sea_orm::{ColumnTrait, ExprTrait, QueryFilter, sea_query::Expr};

use crate::{
    Error, Refusal, Result, Tx, change::reason_to_json, events::topic, integrations, messages, tenants,
};

/// Error code for requests to a suspended integration.
pub(crate) const SUSPENDED_CODE: &str = "INTEGRATION_SUSPENDED";

/// Whether a use case was refused because an integration is suspended, so that it may succeed once the integration is
/// resumed.
pub fn is_suspension(error: &Error) -> bool {
    matches!(error, Error::Refused(Refusal { code: SUSPENDED_CODE, .. }))
}

pub(crate) fn suspended_error() -> Error {
    Error::refuse(SUSPENDED_CODE, messages::integration_suspended())
}

/// The reason why a suspended integration and its calendars cannot be used.
pub fn suspended_reason() -> Reason {
    Reason::new(SUSPENDED_CODE, messages::integration_suspended())
        .with_next_action(messages::ask_the_vendor_to_resume())
}

/// Returns an error if the integration is suspended.
pub(crate) fn require_in_force(row: &Model) -> Result<()> {
    match row.state.require()? {
        IntegrationState::Suspended => Err(suspended_error()),
        _ => Ok(()),
    }
}

/// Suspends or resumes the integrations of a tenant whose plan or features have just changed. Runs that were waiting
/// for the resumption continue.
pub(crate) async fn apply_feature_changes(tx: &mut Tx, actor: &str) -> Result<()> {
    match tenants::require_feature(tx.conn(), tx.tenant(), Feature::ServiceAccount).await {
        Ok(()) => resume(tx, actor).await,
        Err(Error::Refused(_)) => suspend(tx, actor).await,
        Err(error) => Err(error),
    }
}

async fn suspend(tx: &mut Tx, actor: &str) -> Result<()> {
    let in_force = IntegrationState::ALL.iter().filter(|state| may_be_suspended(**state));
    let in_force = Column::State.is_in(in_force.map(|state| state.as_str()));
    // People's own consents need neither the plan nor the feature (S6.12).
    let in_force = in_force.and(integrations::organisation_wide());
    let rows = of(tx.tenant()).filter(in_force.clone()).all(tx.conn()).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let statement = update(tx.tenant())
        .filter(in_force)
        .col_expr(Column::SuspendedState, Expr::col(Column::State))
        .col_expr(Column::SuspendedReason, Expr::col(Column::Reason))
        .col_expr(Column::State, Expr::value(IntegrationState::Suspended.as_str()))
        .col_expr(Column::Reason, Expr::value(reason_to_json(Some(suspended_reason()))));
    record(tx, actor, "integration.suspend", statement, &rows).await
}

async fn resume(tx: &mut Tx, actor: &str) -> Result<()> {
    let suspended = Column::State.eq(IntegrationState::Suspended.as_str());
    let rows = of(tx.tenant()).filter(suspended.clone()).all(tx.conn()).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let statement = update(tx.tenant())
        .filter(suspended)
        .col_expr(Column::State, Expr::col(Column::SuspendedState))
        .col_expr(Column::Reason, Expr::col(Column::SuspendedReason))
        .col_expr(Column::SuspendedState, Expr::value(Option::<String>::None))
        .col_expr(Column::SuspendedReason, Expr::value(Option::<serde_json::Value>::None));
    record(tx, actor, "integration.resume", statement, &rows).await?;
    forget_copies(tx, &rows).await?;
    for hint in ::runs::wake_runs_with_reason(tx.conn(), tx.tenant(), SUSPENDED_CODE, tx.now()).await? {
        tx.add_hint(hint);
    }
    Ok(())
}

/// Makes calendars unknown until they are read again, because changes made while the integration was suspended were
/// missed.
async fn forget_copies(tx: &Tx, rows: &[Model]) -> Result<()> {
    use entity::connection::{Column, update};
    let copies = update(tx.tenant())
        .filter(Column::IntegrationId.is_in(rows.iter().map(|row| row.id)))
        .col_expr(Column::AsOf, Expr::value(Option::<domain::Timestamp>::None))
        .col_expr(Column::Watermark, Expr::value(Option::<String>::None));
    copies.exec(tx.conn()).await?;
    Ok(())
}

/// Executes the statement for these integrations, records the act in the audit log and notifies subscribers.
async fn record(
    tx: &mut Tx,
    actor: &str,
    act: &'static str,
    statement: sea_orm::UpdateMany<Entity>,
    rows: &[Model],
) -> Result<()> {
    let statement = statement
        .col_expr(Column::Since, Expr::value(tx.now()))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1));
    statement.exec(tx.conn()).await?;
    for row in rows {
        tx.add_event(topic::INTEGRATION, row.id);
        tx.audit(actor, act, row.id.to_string(), serde_json::Value::Null);
    }
    Ok(())
}

/// Whether an integration in this state can be suspended. One that has ended makes no requests.
const fn may_be_suspended(state: IntegrationState) -> bool {
    !state.is_over() && !matches!(state, IntegrationState::Suspended | IntegrationState::Retiring)
}
