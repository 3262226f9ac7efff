//! Online meetings of bookings.
//!
//! Whoever asks for one and cannot have it is told so before anything is held: the front end then offers to book
//! without. What is only found out when the event is written never takes the booking back; the booking says that it has
//! no meeting.

use domain::{WrittenVia, state::OnlineMeetingState};
use entity::{booking, connection, integration};
use providers::{Offers, OnlineMeeting};
use sea_orm::{ColumnTrait, DatabaseTransaction, QueryFilter};
use uuid::Uuid;

use crate::{Error, Refusal, Result, Services, change::Via};

/// Whether a booking still waits for the online meeting that it was asked to have.
pub fn awaits_meeting(booking: &booking::Model) -> bool {
    booking.online_meeting.as_deref() == Some(OnlineMeetingState::Pending.as_str())
}

/// What is known of a booking's online meeting now that its event was seen: where it is joined, that there is none
/// (`Some(None)`), or nothing new.
pub fn meeting_of(
    booking: &booking::Model,
    offers: Offers,
    seen: Option<&OnlineMeeting>,
) -> Option<Option<String>> {
    match seen {
        _ if !awaits_meeting(booking) => None,
        Some(OnlineMeeting::Ready(url)) => Some(Some(url.clone())),
        Some(OnlineMeeting::Failed) => Some(None),
        Some(OnlineMeeting::Pending) | None => (!offers.online_meetings).then_some(None),
    }
}

/// What becomes of the online meeting of a booking that is over: nobody is sent there any more.
pub fn meeting_over(booking: &booking::Model) -> Option<Option<String>> {
    booking.online_meeting.as_ref().map(|_| None)
}

/// Refuses a booking whose calendar has no online meetings. What a service mailbox permits is seen when it is written
/// to.
pub(super) async fn check(
    services: &Services,
    txn: &DatabaseTransaction,
    tenant: Uuid,
    via: &Via,
) -> Result<()> {
    let row = integration::one(tenant, via.integration).one(txn).await?;
    let row = row.ok_or_else(|| Error::not_found("integration"))?;
    let connector = services.connectors.get(crate::integrations::provider(&row)?)?;
    let has = connector.offers().online_meetings
        && match via.written_via {
            WrittenVia::ServiceAccount => true,
            WrittenVia::Organiser => permits(txn, tenant, via).await?,
        };
    if has {
        return Ok(());
    }
    let message = "The calendar that this booking goes to has no online meetings. Book without one.";
    Err(Refusal::new("ONLINE_MEETING_UNAVAILABLE", message).at("onlineMeeting").into())
}

/// Whether the calendar of a mailbox was measured to permit online meetings.
async fn permits(txn: &DatabaseTransaction, tenant: Uuid, via: &Via) -> Result<bool> {
    use connection::{Column, of};
    let at = of(tenant).filter(Column::IntegrationId.eq(via.integration));
    let row = at.filter(Column::Address.eq(via.mailbox.to_lowercase())).one(txn).await?;
    Ok(row.is_some_and(|row| crate::connections::capabilities(&row).online_meetings))
}
