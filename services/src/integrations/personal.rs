//! Personal integrations (S6.12): people's own consents at one calendar system, without a directory, rooms or a service
//! account. A tenant has at most one for each calendar system; the first own connection creates it, and it needs no
//! plan. What acts for the whole organisation refuses it with [`require_organisation_wide`].

use domain::{AccessLevel, Id, IntegrationKind, ProviderKind, ids, state::IntegrationState};
use entity::integration::{Column, Model, of};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, sea_query::SimpleExpr};

use crate::{Error, Result, Services, connect, messages};

/// Whether an integration holds people's own consents only.
pub fn is_personal(row: &Model) -> bool {
    row.kind == IntegrationKind::Personal
}

/// Refuses a personal integration with `INTEGRATION_IS_PERSONAL`.
pub(crate) fn require_organisation_wide(row: &Model) -> Result<()> {
    match row.kind.require()? {
        IntegrationKind::OrganisationWide => Ok(()),
        IntegrationKind::Personal => {
            Err(Error::refuse("INTEGRATION_IS_PERSONAL", messages::integration_is_personal()))
        }
    }
}

/// Selects the integrations that give access to an organisation's calendars.
pub(crate) fn organisation_wide() -> SimpleExpr {
    Column::Kind.eq(IntegrationKind::OrganisationWide.as_str())
}

/// The tenant's personal integration with a calendar system, unless it was disconnected.
pub(crate) async fn find_personal(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    provider: ProviderKind,
) -> Result<Option<Model>> {
    let rows = of(tenant)
        .filter(Column::Kind.eq(IntegrationKind::Personal.as_str()))
        .filter(Column::Provider.eq(provider.as_str()))
        .filter(Column::State.ne(IntegrationState::Removed.as_str()));
    Ok(rows.one(conn).await?)
}

/// A personal integration that is not stored yet. It is in use from the first own consent on.
pub(crate) fn new_personal(
    services: &Services,
    tenant: Id<ids::Tenant>,
    provider: ProviderKind,
    by: Id<ids::User>,
) -> Model {
    let now = services.now();
    Model {
        id: services.ids.make(),
        tenant_id: tenant,
        provider: provider.into(),
        kind: IntegrationKind::Personal.into(),
        name: connect::provider_label(provider).to_owned(),
        state: IntegrationState::Active.into(),
        reason: None,
        since: now,
        suspended_state: None,
        suspended_reason: None,
        access_level: AccessLevel::Full.into(),
        scope_group: None,
        external_tenant: None,
        external_name: None,
        server_url: None,
        service_mailbox: None,
        known_good: None,
        consented_by: None,
        consent_session: None,
        return_url: None,
        room_rules: None,
        created_by: by.to_string(),
        created_at: now,
        version: 1,
    }
}
