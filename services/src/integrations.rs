//! Integrations: a tenant's links to its calendar systems.

mod connecting;
mod personal;
mod room_rules;

use domain::{
    AccessLevel, Id, IntegrationKind, Permission, ProviderKind, Reason,
    access::Denied,
    ids, may,
    state::{Feature, IntegrationState, Lane},
    text::LineMode,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::json;

use crate::{
    Error, Page, PageArgs, Refusal, Result, Tx,
    audit::AuditFacts,
    change::reason_to_json,
    customer_calls::CustomerServer,
    events::topic,
    page,
    proof::{Allowed, Member, TenantScope},
    run_inputs::{Connect, RunInput, Verify},
    suspension, tenants, text,
};

/// Message that refuses free/busy access for a service account (S2.3).
const CANNOT_WRITE: &str = "A service account with free-busy access cannot write appointments. \
                            Choose full access, or restricted access to the calendars that are needed.";

/// Maximum length of the name of the group to which access is restricted, in characters.
const LONGEST_GROUP: usize = 256;

pub use personal::is_personal;
pub(crate) use personal::{find_personal, new_personal, organisation_wide, require_organisation_wide};
pub use providers::RoomRule;
pub use room_rules::room_rules;

use self::connecting::terms_pending;
pub(crate) use self::connecting::{authorise, live_connect_run, signal_connect_run, signal_terms_accepted};

crate::noun! {
    /// Links between a tenant and its calendar systems.
    Integrations
}

/// Fields of a new integration.
#[derive(Debug, Clone)]
pub struct NewIntegration {
    /// Calendar system to connect.
    pub provider: ProviderKind,
    /// Display name.
    pub name: String,
    /// How much of the calendar system the service account may access.
    pub access_level: AccessLevel,
    /// The group of mailboxes to which access is restricted, as the customer names it; up to 256 characters.
    pub scope_group: Option<String>,
    /// Email address of the service mailbox, if already known.
    pub service_mailbox: Option<String>,
    /// The URL to which the browser returns after the consent.
    pub return_url: Option<String>,
}

impl Integrations {
    /// Registers an integration with a service account and enqueues the run that connects it (S1.1). Only an
    /// administrator may set a service mailbox at the same time (S4.18).
    pub async fn create(
        &self,
        by: &Allowed<may::ConnectCalendars>,
        new: NewIntegration,
    ) -> Result<entity::integration::Model> {
        let tenant = by.tenant();
        let is_administrator = by.has_permission(Permission::ServiceAccountEdit)
            || by.has_permission(Permission::PlatformAdministration);
        if new.service_mailbox.is_some() && !is_administrator {
            return Err(Denied::Forbidden(Permission::ServiceAccountEdit).into());
        }
        // Locked, or the feature could be taken away between the look at it and the commit.
        let (mut tx, _) = self.services.begin_locked(tenant).await?;
        let row = self.insert(&mut tx, &by.actor(), new).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// [`Integrations::create`] within a transaction.
    pub(crate) async fn insert(
        &self,
        tx: &mut Tx,
        actor: &str,
        new: NewIntegration,
    ) -> Result<entity::integration::Model> {
        tenants::require_feature(tx.conn(), tx.tenant(), Feature::ServiceAccount).await?;
        tenants::require_provider_of(&self.services.connectors, tx, new.provider).await?;
        require_writing(new.access_level)?;
        let name = tenants::validate_name(&new.name)?;
        if let Some(group) = &new.scope_group {
            text::check(group, LineMode::Line, LONGEST_GROUP, "scopeGroup")?;
        }
        if let Some(url) = &new.return_url {
            self.services.tenants().require_return_url(tx.conn(), tx.tenant(), url).await?;
        }
        let mailbox = new
            .service_mailbox
            .map(|address| crate::service_accounts::parse_address(&address))
            .transpose()?;
        let row = entity::integration::Model {
            id: self.services.ids.make::<ids::Integration>(),
            tenant_id: tx.tenant(),
            provider: new.provider.into(),
            kind: IntegrationKind::OrganisationWide.into(),
            name,
            state: IntegrationState::Draft.into(),
            reason: reason_to_json(Some(terms_pending())),
            suspended_state: None,
            suspended_reason: None,
            since: tx.now(),
            access_level: new.access_level.into(),
            scope_group: new.scope_group,
            external_tenant: None,
            external_name: None,
            room_rules: None,
            server_url: None,
            service_mailbox: mailbox,
            known_good: None,
            consented_by: None,
            consent_session: None,
            return_url: new.return_url,
            created_by: actor.to_owned(),
            created_at: tx.now(),
            version: 1,
        };
        entity::integration::Entity::insert(entity::integration::ActiveModel::from(row.clone()))
            .exec_without_returning(tx.conn())
            .await?;
        let order = RunInput::Connect(Connect { integration: row.id, again: false });
        tx.enqueue(order, actor, Lane::Interactive).await?;
        tx.add_event(topic::INTEGRATION, row.id);
        let facts = AuditFacts::for_creation(audit_json(&row));
        tx.audit(actor, "integration.create", shown(row.id), facts);
        Ok(row)
    }

    /// The integration with this id.
    pub async fn get(
        &self,
        by: &Allowed<may::SeeIntegrations>,
        id: Id<ids::Integration>,
    ) -> Result<entity::integration::Model> {
        self.of(by, id).await
    }

    async fn of(&self, by: &Member, id: Id<ids::Integration>) -> Result<entity::integration::Model> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let row = entity::integration::by_id(tenant, id).one(&txn).await?;
        row.ok_or_else(|| Error::not_found("integration"))
    }

    /// One page of the tenant's integrations; those that were disconnected are included only on request.
    pub async fn list(
        &self,
        by: &Allowed<may::SeeIntegrations>,
        include_removed: bool,
        args: PageArgs,
    ) -> Result<Page<entity::integration::Model>> {
        use entity::integration::{Column, of};
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let mut rows = of(tenant);
        if !include_removed {
            rows = rows.filter(Column::State.ne(IntegrationState::Removed.as_str()));
        }
        page::read_page(rows, Column::Id, args, &txn).await
    }

    /// The integrations with these ids.
    pub async fn by_ids(
        &self,
        scope: TenantScope,
        ids: &[Id<ids::Integration>],
    ) -> Result<Vec<entity::integration::Model>> {
        let txn = self.services.read(scope.tenant()).await?;
        Ok(entity::integration::by_ids(scope.tenant(), ids.iter().copied()).all(&txn).await?)
    }

    /// Authorises Muster to use the access that the provider granted (S3.5). No mailbox is accessed before the
    /// authorisation.
    pub async fn authorise(
        &self,
        by: &Allowed<may::ConnectCalendars>,
        id: Id<ids::Integration>,
    ) -> Result<entity::integration::Model> {
        let mut tx = self.services.begin(by.tenant()).await?;
        let row = find(&tx, id).await?;
        require_organisation_wide(&row)?;
        authorise(&mut tx, &row, &by.actor()).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Repeats the verification. Returns the run.
    pub async fn verify(
        &self,
        by: &Allowed<may::ConnectCalendars>,
        id: Id<ids::Integration>,
    ) -> Result<Id<ids::Run>> {
        let mut tx = self.services.begin(by.tenant()).await?;
        let row = find(&tx, id).await?;
        require_organisation_wide(&row)?;
        require_consent_in_force(&row)?;
        let order = RunInput::Verify(Verify { integration: row.id, candidate: None });
        let run = tx.enqueue(order, &by.actor(), Lane::Interactive).await?;
        let run = run.ok_or_else(verification_in_progress)?;
        tx.audit(&by.actor(), "integration.verify", shown(row.id), json!({}));
        tx.commit().await?;
        Ok(run)
    }

    /// Requests a new consent for an integration whose consent was revoked or never completed. Mailboxes and bookings
    /// are left unchanged. Returns the run.
    pub async fn reconnect(
        &self,
        by: &Allowed<may::ConnectCalendars>,
        id: Id<ids::Integration>,
    ) -> Result<Id<ids::Run>> {
        let (mut tx, _) = self.services.begin_locked(by.tenant()).await?;
        let row = find(&tx, id).await?;
        require_organisation_wide(&row)?;
        let run = self.enqueue_reconnection(&mut tx, &row, &by.actor()).await?;
        self.show_next_action(&mut tx, row).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// The most recent verifications of an integration, newest first.
    pub async fn verifications(
        &self,
        by: &Allowed<may::SeeIntegrations>,
        id: Id<ids::Integration>,
        max: usize,
    ) -> Result<Vec<entity::verification::Model>> {
        use entity::verification::{Column, of};
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let rows =
            of(tenant).filter(Column::IntegrationId.eq(id)).order_by_desc(Column::Id).all(&txn).await?;
        Ok(rows.into_iter().take(max).collect())
    }

    /// Which terms were accepted for an integration, by whom and when.
    pub async fn terms_acceptances(
        &self,
        by: &Allowed<may::SeeIntegrations>,
        id: Id<ids::Integration>,
    ) -> Result<Vec<entity::terms_acceptance::Model>> {
        use entity::terms_acceptance::{Column, of};
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        Ok(of(tenant).filter(Column::IntegrationId.eq(id)).order_by_asc(Column::Id).all(&txn).await?)
    }

    /// The people in the calendar system's directory, read from the provider at the time of the call. Requires a
    /// connected integration.
    pub async fn directory(
        &self,
        by: &Allowed<may::UserCreate>,
        id: Id<ids::Integration>,
        after: Option<&str>,
    ) -> Result<providers::Page<providers::Person>> {
        let row = self.of(by, id).await?;
        require_organisation_wide(&row)?;
        require_consent_in_force(&row)?;
        let (provider, session) = self.services.grants().open(&row, None).await?;
        Ok(self
            .services
            .call_customer_server(
                (row.tenant_id, CustomerServer::Directory),
                provider.people(&session, after),
            )
            .await??)
    }
}

/// Refuses an access level with which a service account could not write (S2.3).
pub(crate) fn require_writing(level: AccessLevel) -> Result<()> {
    match level {
        AccessLevel::FreeBusy => {
            Err(Refusal::new("ACCESS_LEVEL_CANNOT_WRITE", CANNOT_WRITE).at("accessLevel").into())
        }
        AccessLevel::Full | AccessLevel::Restricted => Ok(()),
    }
}

/// The audit representation of an integration.
pub(crate) fn audit_json(row: &entity::integration::Model) -> serde_json::Value {
    json!({
        "name": row.name, "provider": row.provider, "accessLevel": row.access_level,
        "scopeGroup": row.scope_group, "serviceMailbox": row.service_mailbox,
    })
}

/// Whether Muster may access mailboxes through the integration.
pub fn is_usable(row: &entity::integration::Model) -> bool {
    row.state.known().is_some_and(IntegrationState::is_usable)
}

/// The kind of calendar system of an integration.
pub fn provider(row: &entity::integration::Model) -> Result<ProviderKind> {
    Ok(row.provider.require()?)
}

/// Parses the reason stored with a row.
pub fn parse_reason(json: Option<&serde_json::Value>) -> Option<Reason> {
    json.and_then(|json| serde_json::from_value(json.clone()).ok())
}

/// The integrations through which mailboxes may be accessed.
pub(crate) async fn usable_integrations(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
) -> Result<Vec<Id<ids::Integration>>> {
    use entity::integration::{Column, of};
    let usable = IntegrationState::USABLE.map(IntegrationState::as_str);
    let rows = of(tenant).filter(Column::State.is_in(usable)).all(txn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

pub(crate) async fn find(tx: &Tx, id: Id<ids::Integration>) -> Result<entity::integration::Model> {
    let row = entity::integration::by_id(tx.tenant(), id).one(tx.conn()).await?;
    row.ok_or_else(|| Error::not_found("integration"))
}

/// Refuses an integration without a consent in effect.
pub(crate) fn require_consent_in_force(row: &entity::integration::Model) -> Result<()> {
    use IntegrationState as S;
    match row.state.require()? {
        S::Active | S::Degraded | S::Failing => Ok(()),
        S::Suspended => Err(suspension::suspended_error()),
        _ => Err(Error::refuse("INTEGRATION_NOT_CONNECTED", "This integration is not connected yet.")),
    }
}

pub(crate) fn verification_in_progress() -> Error {
    let message = "This integration is being verified. Try again when the verification has finished.";
    Error::refuse("VERIFICATION_RUNS", message)
}

fn shown(id: Id<ids::Integration>) -> String {
    id.to_string()
}
