//! The online meeting of a booking, which the provider may finish a moment after the event.

use providers::{Event, ProviderFeatures};
use services::bookings::{BookingDetails, awaits_meeting, meeting_of};

/// What is to be written about the meeting, and whether it is still waited for.
pub(super) struct Meeting {
    /// As in [`services::change::BookingChange::meeting`].
    #[expect(clippy::option_option, reason = "nothing new and no meeting are two things")]
    pub news: Option<Option<String>>,
    /// Whether the event has to be looked at again.
    pub waits: bool,
}

/// What an event says about the meeting of its booking. One that has not come when patience is over never does.
pub(super) fn look(
    details: &BookingDetails,
    seen: Option<(&Event, ProviderFeatures)>,
    is_late: bool,
) -> Meeting {
    let booking = &details.booking;
    let news = seen.and_then(|(event, offers)| meeting_of(booking, offers, event.online_meeting.as_ref()));
    match (awaits_meeting(booking) && news.is_none(), is_late) {
        (true, false) => Meeting { news: None, waits: true },
        (true, true) => Meeting { news: Some(None), waits: false },
        (false, _) => Meeting { news, waits: false },
    }
}
