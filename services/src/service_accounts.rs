//! Service accounts: the mailboxes with which integrations write bookings, and how they are replaced.

use domain::{
    Id, ids, may,
    state::{Lane, ServiceAccountStatus},
};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder};
use serde_json::json;

use crate::{
    Refusal, Result,
    audit::AuditFacts,
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
    /// the account with which they were written. Returns the run. Needs `SERVICE_ACCOUNT_EDIT`.
    pub async fn propose_mailbox(
        &self,
        by: &Allowed<may::ServiceAccountEdit>,
        integration: Id<ids::Integration>,
        mailbox: &str,
    ) -> Result<Id<ids::Run>> {
        let candidate = parse_address(mailbox)?;
        let mut tx = self.services.begin(by.tenant()).await?;
        let row = integrations::find(&tx, integration).await?;
        integrations::require_consent_in_force(&row)?;
        let order = RunInput::Verify(Verify { integration: row.id, candidate: Some(candidate.clone()) });
        let run = tx.enqueue(order, &by.actor(), Lane::Interactive).await?;
        let run = run.ok_or_else(integrations::verification_in_progress)?;
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
