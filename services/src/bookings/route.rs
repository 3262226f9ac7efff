//! Decides to which calendar a booking is written.
//!
//! This is the organiser's own calendar if it is writable, otherwise the calendar of a service mailbox. The same rule
//! applies when a booking is requested, when it is written, and when the organiser is informed beforehand.

use std::sync::Arc;

use domain::{
    Id, Route, WrittenVia, ids,
    provider::Capabilities,
    state::{BookingState, ConnectionState, IntegrationState, ServiceAccountStatus},
};
use entity::{booking, connection, integration, service_account};
use providers::{Provider, Session};
use sea_orm::{ColumnTrait, ConnectionTrait, PaginatorTrait, QueryFilter, QueryOrder};

use super::Bookings;
use crate::{Error, Result, System, change::WriteTarget, integrations::is_personal, suspension};

/// Notice for an organiser before the first booking that is written through a service account.
pub const SERVICE_ACCOUNT_NOTICE: &str = "This booking is made through the service account, because the organiser's calendar \
     cannot be reached: responses go to the service mailbox, and the organiser does not receive these emails.";

/// The calendars to which a booking could be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Routes {
    /// The organiser's own calendar.
    pub own: Option<WriteTarget>,
    /// The calendar of a service mailbox.
    pub service: Option<WriteTarget>,
}

impl Routes {
    /// Selects the calendar: the organiser's own if possible, otherwise that of the service mailbox.
    pub fn decide(self) -> Option<WriteTarget> {
        self.own.or(self.service)
    }
}

impl Bookings {
    /// Selects the calendar to which a booking is written; called by workflows. `without` lists mailboxes that have
    /// just denied access.
    pub async fn choose_target(
        &self,
        _by: &System,
        tenant: Id<ids::Tenant>,
        booking: &booking::Model,
        without: &[String],
    ) -> Result<Option<WriteTarget>> {
        let txn = self.services.read(tenant).await?;
        Ok(find_routes(&txn, tenant, booking.organiser_id, without).await?.decide())
    }

    /// Opens the calendar that was selected for a booking; called by workflows. It is always the same calendar, even if
    /// the service account has changed since. `None` if no calendar has been selected yet, or if its
    /// calendar system was disconnected. Fails if a newer version selected a kind of calendar that this version does not
    /// support.
    pub async fn open_target_calendar(
        &self,
        by: &System,
        booking: &booking::Model,
    ) -> Result<Option<TargetCalendar>> {
        if let Some(via) = &booking.written_via {
            via.require()?;
        }
        let (Some(via), tenant) = (recorded(booking), booking.tenant_id) else { return Ok(None) };
        let (row, connection) = {
            use connection::{Column, of};
            let txn = self.services.read(tenant).await?;
            let at = of(tenant).filter(Column::IntegrationId.eq(via.integration));
            let at = at.filter(Column::Address.eq(via.mailbox.to_lowercase()));
            (integration::by_id(tenant, via.integration).one(&txn).await?, at.one(&txn).await?)
        };
        let integration = row.ok_or_else(|| Error::not_found("integration"))?;
        // Events of a calendar system that was disconnected stay as they are.
        if integration.state == IntegrationState::Removed {
            return Ok(None);
        }
        let grants = self.services.grants();
        let (provider, session) = match &connection {
            Some(connection) => grants.open_for_mailbox(by, &integration, connection).await?,
            None => grants.open_session(by, &integration, None).await?,
        };
        Ok(Some(TargetCalendar {
            via,
            integration,
            connection: connection.map(|row| row.id),
            provider,
            session,
        }))
    }
}

/// An opened calendar to which a booking is written.
#[derive(Debug)]
pub struct TargetCalendar {
    /// The owner of the calendar, and how it is accessed.
    pub via: WriteTarget,
    /// The integration that gives access to the calendar.
    pub integration: integration::Model,
    /// The mailbox's connection, if it has one.
    pub connection: Option<Id<ids::Connection>>,
    /// Connector of the calendar system.
    pub provider: Arc<dyn Provider>,
    /// Authenticated session with the calendar system.
    pub session: Session,
}

/// The calendar that was selected for a booking.
fn recorded(booking: &booking::Model) -> Option<WriteTarget> {
    Some(WriteTarget {
        written_via: booking.written_via.as_ref()?.known()?,
        integration: booking.integration_id?,
        service_account: booking.service_account_id,
        mailbox: booking.mailbox.clone()?,
    })
}

/// Determines to which calendars a booking of this organiser could be written. Fails if that depends on a state that
/// this version does not support, because the route must not change for that reason, and if there is no calendar
/// because an integration is suspended.
pub(super) async fn find_routes(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    organiser: Id<ids::User>,
    without: &[String],
) -> Result<Routes> {
    let integrations = integration::of(tenant).order_by_asc(integration::Column::Id).all(txn).await?;
    let live: Vec<Id<ids::Integration>> =
        integrations.iter().filter(|one| may_write(one)).map(|one| one.id).collect();
    let theirs = connection::of(tenant).filter(connection::Column::UserId.eq(organiser));
    let mailboxes = theirs.order_by_asc(connection::Column::Id).all(txn).await?;
    for mailbox in &mailboxes {
        mailbox.state.require()?;
        if let Some(integration) = integrations.iter().find(|one| one.id == mailbox.integration_id) {
            integration.state.require()?;
        }
    }
    // The organisation's own access makes a personal connection unnecessary (S2.9).
    let personal: Vec<Id<ids::Integration>> =
        integrations.iter().filter(|one| is_personal(one)).map(|one| one.id).collect();
    let own = mailboxes
        .iter()
        .filter(|row| live.contains(&row.integration_id) && writes(row) && !without.contains(&row.address))
        .min_by_key(|row| (personal.contains(&row.integration_id), row.route != Route::Own));
    let accounts = service_account::of(tenant)
        .filter(service_account::Column::Status.eq(ServiceAccountStatus::Active.as_str()));
    let accounts = accounts.order_by_asc(service_account::Column::Position).all(txn).await?;
    let service = accounts
        .iter()
        .filter(|account| live.contains(&account.integration_id) && !without.contains(&account.address))
        .min_by_key(|account| {
            let is_home = mailboxes.iter().any(|row| row.integration_id == account.integration_id);
            (!is_home, account.position, account.id)
        });
    let routes = Routes { own: own.map(through_own), service: service.map(through_service) };
    if routes.own.is_none() && routes.service.is_none() {
        integrations.iter().try_for_each(suspension::require_in_force)?;
    }
    Ok(routes)
}

fn through_own(row: &connection::Model) -> WriteTarget {
    WriteTarget {
        written_via: WrittenVia::Organiser,
        integration: row.integration_id,
        service_account: None,
        mailbox: row.address.clone(),
    }
}

fn through_service(account: &service_account::Model) -> WriteTarget {
    WriteTarget {
        written_via: WrittenVia::ServiceAccount,
        integration: account.integration_id,
        service_account: Some(account.id),
        mailbox: account.address.clone(),
    }
}

/// Whether bookings may be written through an integration. Temporary failures of a provider do not change the route; a
/// suspended integration may not be used.
fn may_write(row: &integration::Model) -> bool {
    use IntegrationState as S;
    matches!(
        row.state.known(),
        Some(S::Active | S::Degraded | S::Failing | S::Verifying | S::AwaitingPropagation)
    )
}

fn writes(row: &connection::Model) -> bool {
    let measured = serde_json::from_value::<Capabilities>(row.capabilities.clone()).unwrap_or_default();
    row.state == ConnectionState::Active && measured.can_write()
}

/// The notice to the organiser that the booking is written through a service account; shown until one of the
/// organiser's bookings has been.
pub(super) async fn service_account_notice(
    txn: &impl ConnectionTrait,
    booking: &booking::Model,
    without: &[String],
) -> Result<Option<String>> {
    use booking::{Column, of};
    let via = match &booking.written_via {
        Some(word) => word.known(),
        None => {
            let routes = find_routes(txn, booking.tenant_id, booking.organiser_id, without).await?;
            routes.decide().map(|via| via.written_via)
        }
    };
    if via != Some(WrittenVia::ServiceAccount) {
        return Ok(None);
    }
    let earlier = of(booking.tenant_id)
        .filter(Column::OrganiserId.eq(booking.organiser_id))
        .filter(Column::WrittenVia.eq(WrittenVia::ServiceAccount.as_str()))
        .filter(Column::State.ne(BookingState::Failed.as_str()))
        .filter(Column::Id.lt(booking.id))
        .count(txn)
        .await?;
    Ok((earlier == 0).then(|| SERVICE_ACCOUNT_NOTICE.to_owned()))
}
