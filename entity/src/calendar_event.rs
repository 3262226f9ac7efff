//! The stored copy of calendars: events as last returned by the provider.

use domain::BusyKind;

use crate::Stored;

crate::table::tenant_table! {
    /// An event, or one occurrence of a series, as the provider last returned it.
    "calendar_event": ids::Row {
        /// The mailbox whose calendar contains the event.
        connection_id: Id<ids::Connection>,
        /// The provider's id of the event, or of the occurrence.
        external_id: String,
        /// The iCalendar UID, the same in every calendar that contains the event.
        uid: String,
        /// The event's title; `Busy` if the provider does not reveal it.
        title: String,
        /// Whether the owner marked the event as private, so that only the owner may see its title.
        private: bool,
        /// The start, in UTC; for an all-day event, midnight in the calendar's time zone.
        start_at: DateTimeUtc,
        /// The end, exclusive and in UTC.
        end_at: DateTimeUtc,
        /// Whether the event covers whole days in the calendar's time zone.
        all_day: bool,
        /// Whether the event blocks its time definitely or tentatively; null when its time stays free.
        busy: Option<Stored<BusyKind>>,
    }
}
