//! Online meetings of bookings.
//!
//! If an online meeting is requested but not available, the booking is refused before any time is blocked, so that the
//! front end can offer to book without a meeting. If the problem appears only when the event is written, the booking is
//! kept and reports that it has no meeting.

use domain::{Id, WrittenVia, ids, state::OnlineMeetingState};
use entity::{booking, connection, integration};
use providers::{OnlineMeeting, ProviderFeatures};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter};

use crate::{Error, Refusal, Result, Services, change::WriteTarget};

/// Whether a booking is still waiting for the online meeting it requested.
pub fn awaits_online_meeting(booking: &booking::Model) -> bool {
    booking.online_meeting.as_ref().is_some_and(|state| *state == OnlineMeetingState::Pending)
}

/// The change of a booking's online meeting after its event was read: `Some(Some(url))` for a new join URL,
/// `Some(None)` if there is no meeting, `None` if nothing has changed.
pub fn online_meeting_change(
    booking: &booking::Model,
    offers: ProviderFeatures,
    seen: Option<&OnlineMeeting>,
) -> Option<Option<String>> {
    match seen {
        _ if !awaits_online_meeting(booking) => None,
        Some(OnlineMeeting::Ready(url)) => Some(Some(url.clone())),
        Some(OnlineMeeting::Failed) => Some(None),
        Some(OnlineMeeting::Pending) | None => (!offers.online_meetings).then_some(None),
    }
}

/// The change that removes the join URL of a booking that has ended.
pub fn online_meeting_removal(booking: &booking::Model) -> Option<Option<String>> {
    booking.online_meeting.as_ref().map(|_| None)
}

/// Returns an error if the target calendar does not support online meetings. For a service mailbox this is known only
/// when the event is written.
pub(super) async fn require_online_meetings(
    services: &Services,
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    via: &WriteTarget,
) -> Result<()> {
    let row = integration::by_id(tenant, via.integration).one(txn).await?;
    let row = row.ok_or_else(|| Error::not_found("integration"))?;
    let connector = services.connectors.get(crate::integrations::provider(&row)?)?;
    let has = connector.features().online_meetings
        && match via.written_via {
            WrittenVia::ServiceAccount => true,
            WrittenVia::Organiser => permits(txn, tenant, via).await?,
        };
    if has {
        return Ok(());
    }
    let message =
        "The calendar for this booking does not support online meetings. Book without an online meeting.";
    Err(Refusal::new("ONLINE_MEETING_UNAVAILABLE", message).at("onlineMeeting").into())
}

/// Whether a mailbox's calendar supports online meetings, according to the capabilities determined at its activation.
async fn permits(txn: &impl ConnectionTrait, tenant: Id<ids::Tenant>, via: &WriteTarget) -> Result<bool> {
    use connection::{Column, of};
    let at = of(tenant).filter(Column::IntegrationId.eq(via.integration));
    let row = at.filter(Column::Address.eq(via.mailbox.to_lowercase())).one(txn).await?;
    Ok(row.is_some_and(|row| crate::connections::capabilities(&row).online_meetings))
}
