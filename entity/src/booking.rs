//! Appointments that Muster writes to calendars.

crate::table::tenant_table! {
    /// An appointment that Muster writes to a calendar.
    "booking" {
        /// The user whose appointment it is, even where another mailbox's calendar holds the event.
        organiser_id: Uuid,
        /// The title as the caller gave it, one line.
        title: String,
        /// Text for the body of the event; empty when there is none.
        description: String,
        /// The start of the appointment, without its buffer.
        start_at: DateTimeUtc,
        /// The end of the appointment, exclusive and without its buffer.
        end_at: DateTimeUtc,
        /// Minutes blocked before the start, for every user and room that takes part.
        buffer_before_minutes: i32,
        /// Minutes blocked after the end, for every user and room that takes part.
        buffer_after_minutes: i32,
        /// The IANA name of the zone in which calendars show the event.
        time_zone: String,
        /// A `domain::BookingState` as text.
        state: String,
        /// Why the booking is in its state, as a `domain::Reason`; null when there is nothing to explain.
        reason: Option<Json>,
        /// When the booking entered its state.
        since: DateTimeUtc,
        /// Which calendar holds the event: a `domain::WrittenVia` as text; null until that is decided.
        written_via: Option<String>,
        /// The integration through which the event is written; null until the calendar is decided.
        integration_id: Option<Uuid>,
        /// The service account whose calendar holds the event; null for events in the organiser's own calendar.
        service_account_id: Option<Uuid>,
        /// The address of the mailbox whose calendar holds the event; null until the calendar is decided.
        mailbox: Option<String>,
        /// The provider's id of the event; null before it is written.
        external_id: Option<String>,
        /// The iCalendar UID of the event; null before it is written.
        event_uid: Option<String>,
        /// A `domain::OnlineMeetingState` as text; null when no online meeting was requested.
        online_meeting: Option<String>,
        /// The https address at which people join the online meeting; null until there is one.
        online_meeting_url: Option<String>,
        /// Part of the key that makes writing the event idempotent; 1 in every booking so far.
        generation: i32,
        /// The run that writes the event, or the one that last changed it.
        run_id: Uuid,
        /// The actor who made the booking: the id of a user or of an API key.
        created_by: String,
        /// When the booking was accepted.
        created_at: DateTimeUtc,
        /// Incremented on every change; updates compare it with `ifVersion`.
        version: i64,
    }
}
