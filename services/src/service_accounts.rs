//! Service accounts: the mailboxes with which integrations write bookings, and how they are replaced.

use domain::{
    Id, ids, may,
    state::{IntegrationState, Lane, ServiceAccountStatus},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder};
use serde_json::json;

use crate::{
    Refusal, Result, Tx,
    audit::AuditFacts,
    events::topic,
    integrations,
    proof::{Allowed, TenantScope},
    run_inputs::{RunInput, Verify},
    users::parse_email,
};

crate::noun! {
    /// Service mailboxes.
    ServiceAccounts
}

impl ServiceAccounts {
    /// Adds or changes the service mailbox (S4.1, S4.2). It becomes the current one only after its verification has
    /// succeeded (S4.3); until then, and if the verification fails, the previous one is used. Existing bookings keep
    /// the account with which they were written. Returns the run that verifies it. Needs `SERVICE_ACCOUNT_EDIT`.
    ///
    /// For an integration that is not connected yet, it replaces the mailbox that will be verified with the connection;
    /// the result is then the run that connects the integration, or `None` if none does.
    pub async fn propose_mailbox(
        &self,
        by: &Allowed<may::ServiceAccountEdit>,
        integration: Id<ids::Integration>,
        mailbox: &str,
    ) -> Result<Option<Id<ids::Run>>> {
        use IntegrationState as S;
        let candidate = parse_address(mailbox)?;
        let (mut tx, _) = self.services.begin_locked(by.tenant()).await?;
        let row = integrations::find(&tx, integration).await?;
        integrations::require_organisation_wide(&row)?;
        let run = match row.state.require()? {
            S::Draft
            | S::AwaitingConsent
            | S::AwaitingAuthorization
            | S::Failed
            | S::Expired
            | S::Declined => replace_choice(&mut tx, &row, &candidate).await?,
            S::Verifying | S::AwaitingPropagation => return Err(integrations::verification_in_progress()),
            _ => Some(enqueue_verification(&mut tx, &row, &candidate, &by.actor()).await?),
        };
        let facts = AuditFacts::for_change(json!(row.service_mailbox), json!(candidate));
        tx.audit(&by.actor(), "service_account.propose", integration.to_string(), facts);
        tx.commit().await?;
        Ok(run)
    }

    /// Current and former service mailboxes of integrations.
    pub async fn of_integrations(
        &self,
        scope: TenantScope,
        integrations: &[Id<ids::Integration>],
    ) -> Result<Vec<entity::service_account::Model>> {
        use entity::service_account::{Column, of};
        let tenant = scope.tenant();
        let txn = self.services.read(tenant).await?;
        let rows = of(tenant).filter(Column::IntegrationId.is_in(integrations.iter().copied()));
        Ok(rows.order_by_asc(Column::Position).order_by_asc(Column::Id).all(&txn).await?)
    }
}

async fn enqueue_verification(
    tx: &mut Tx,
    row: &entity::integration::Model,
    candidate: &str,
    actor: &str,
) -> Result<Id<ids::Run>> {
    integrations::require_consent_in_force(row)?;
    let order = RunInput::Verify(Verify { integration: row.id, candidate: Some(candidate.to_owned()) });
    let run = tx.enqueue(order, actor, Lane::Interactive).await?;
    run.ok_or_else(integrations::verification_in_progress)
}

/// Replaces the mailbox that is verified when the integration is connected. Refused for an integration that was
/// connected before and is being connected again: its mailbox is in use.
async fn replace_choice(
    tx: &mut Tx,
    row: &entity::integration::Model,
    candidate: &str,
) -> Result<Option<Id<ids::Run>>> {
    let run = integrations::live_connect_run(tx.conn(), tx.tenant(), row.id).await?;
    if find_current(tx.conn(), tx.tenant(), row.id).await?.is_some() {
        return Err(integrations::verification_in_progress());
    }
    let mut change = entity::integration::ActiveModel::from(row.clone());
    change.service_mailbox = Set(Some(candidate.to_owned()));
    change.version = Set(row.version + 1);
    change.update(tx.conn()).await?;
    tx.add_event(topic::INTEGRATION, row.id);
    Ok(run.map(|run| run.id))
}

/// The service account with which an integration currently writes bookings.
pub async fn find_current(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    integration: Id<ids::Integration>,
) -> Result<Option<entity::service_account::Model>> {
    use entity::service_account::{Column, of};
    let rows = of(tenant)
        .filter(Column::IntegrationId.eq(integration))
        .filter(Column::Status.eq(ServiceAccountStatus::Active.as_str()));
    Ok(rows.order_by_asc(Column::Position).one(conn).await?)
}

/// Parses an email address into its stored form, in lower case.
pub fn parse_address(text: &str) -> Result<String> {
    let message = "This is not a valid email address.";
    let malformed = |_| Refusal::new("ADDRESS_MALFORMED", message).at("mailbox").into();
    parse_email(text, "mailbox").map_err(malformed)
}
