//! Appointments that Muster writes to calendars.

use domain::{
    WrittenVia,
    state::{BookingState, OnlineMeetingState},
};

use crate::Stored;

crate::table::tenant_table! {
    /// An appointment that Muster writes to a calendar.
    "booking": ids::Booking {
        /// The user who organises the appointment, even if the event is in another mailbox's calendar.
        organiser_id: Id<ids::User>,
        /// The title as entered by the caller, on one line.
        title: String,
        /// Body text of the event; empty when there is none.
        description: String,
        /// The start of the appointment, without its buffer.
        start_at: DateTimeUtc,
        /// The end of the appointment, exclusive and without its buffer.
        end_at: DateTimeUtc,
        /// Minutes blocked before the start for every participating user and room.
        buffer_before_minutes: i32,
        /// Minutes blocked after the end for every participating user and room.
        buffer_after_minutes: i32,
        /// The IANA name of the zone in which calendars show the event.
        time_zone: String,
        /// Current state of the booking.
        state: Stored<BookingState>,
        /// Why the booking is in its state, as a `domain::Reason`; null when no explanation is needed.
        reason: Option<Json>,
        /// When the booking entered its state.
        since: DateTimeUtc,
        /// Which calendar contains the event; null until the calendar has been chosen.
        written_via: Option<Stored<WrittenVia>>,
        /// The integration through which the event is written; null until the calendar has been chosen.
        integration_id: Option<Id<ids::Integration>>,
        /// The service account whose calendar contains the event; null for events in the organiser's own calendar.
        service_account_id: Option<Id<ids::ServiceAccount>>,
        /// The email address of the mailbox whose calendar contains the event; null until the calendar has been chosen.
        mailbox: Option<String>,
        /// The provider's id of the event; null before it is written.
        external_id: Option<String>,
        /// The iCalendar UID of the event; null before it is written.
        event_uid: Option<String>,
        /// The state of the online meeting; null when none was requested.
        online_meeting: Option<Stored<OnlineMeetingState>>,
        /// The https URL for joining the online meeting; null until it is known.
        online_meeting_url: Option<String>,
        /// Part of the event's idempotency key; currently always 1.
        generation: i32,
        /// When the event was last compared with the calendar; null before the first time.
        followed_at: Option<DateTimeUtc>,
        /// The run that wrote or last changed the event.
        run_id: Id<ids::Run>,
        /// The actor who created the booking: the id of a user or API key.
        created_by: String,
        /// When the booking was created.
        created_at: DateTimeUtc,
        /// Incremented on every change; updates compare it with `ifVersion`.
        version: i64,
    }
}
