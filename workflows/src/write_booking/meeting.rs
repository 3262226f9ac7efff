//! The online meeting of a booking, which the provider may create a moment after the event.

use providers::{Event, ProviderFeatures};
use services::bookings::{BookingDetails, awaits_online_meeting, online_meeting_change};

/// The update of a booking's online meeting, and whether to keep waiting for it.
pub(super) struct Meeting {
    /// As in [`services::change::BookingChange::meeting`].
    #[expect(clippy::option_option, reason = "nothing new and no meeting are two things")]
    pub news: Option<Option<String>>,
    /// Whether the event must be read again later.
    pub waits: bool,
}

/// Reads the state of the online meeting from an event. A meeting that is still missing when the wait ends counts
/// as unavailable.
pub(super) fn read_meeting(
    details: &BookingDetails,
    seen: Option<(&Event, ProviderFeatures)>,
    is_late: bool,
) -> Meeting {
    let booking = &details.booking;
    let news = seen
        .and_then(|(event, offers)| online_meeting_change(booking, offers, event.online_meeting.as_ref()));
    match (awaits_online_meeting(booking) && news.is_none(), is_late) {
        (true, false) => Meeting { news: None, waits: true },
        (true, true) => Meeting { news: Some(None), waits: false },
        (false, _) => Meeting { news, waits: false },
    }
}
