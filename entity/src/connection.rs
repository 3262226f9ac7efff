//! One mailbox reached through an integration.

crate::table::tenant_table! {
    /// One mailbox reached through an integration.
    "connection" {
        /// The integration.
        integration_id: Uuid,
        /// The user.
        user_id: Option<Uuid>,
        /// The room.
        room_id: Option<Uuid>,
        /// The mailbox address.
        address: String,
        /// The state, as one of the words of `domain::state`.
        state: String,
        /// Why: a `domain::Reason`.
        reason: Option<Json>,
        /// Since when it is in this state.
        since: DateTimeUtc,
        /// The route.
        route: String,
        /// The capabilities.
        capabilities: Json,
        /// The time zone.
        time_zone: Option<String>,
        /// The as of.
        as_of: Option<DateTimeUtc>,
        /// The read from.
        read_from: Option<DateTimeUtc>,
        /// The read until.
        read_until: Option<DateTimeUtc>,
        /// From where its changes are asked: what the provider said before the copy was read. Absent when the copy is
        /// no longer just what was read.
        watermark: Option<String>,
        /// How many items of the calendar could not be read when the copy was made.
        unreadable_count: i32,
        /// How many of these block nothing, since nothing is known of their times.
        unknown_count: i32,
        /// Examples of these items: at most 20 of `domain::Unreadable`, those that block nothing first.
        unreadable: Json,
        /// The calendars of the mailbox, a list of `providers::CalendarListing`; null before they were listed.
        calendars: Option<Json>,
        /// The ids of the calendars that make the owner busy, a list of texts; null leaves it to the calendar system.
        counted_calendars: Option<Json>,
        /// Since when every attempt has failed in the same way; null after one that did not.
        failing_since: Option<DateTimeUtc>,
        /// In which way: the stable code of the kind, and after a space the provider's own code, if it gave one.
        failing_code: Option<String>,
        /// How many attempts have failed one after the other.
        failures: i32,
        /// When it is tried again after a failure.
        retry_at: Option<DateTimeUtc>,
        /// Grows with every change.
        version: i64,
    }
}
