//! An event as it was last read.

crate::table::tenant_table! {
    /// An event as it was last read.
    "calendar_event" {
        /// The connection.
        connection_id: Uuid,
        /// The external id.
        external_id: String,
        /// The iCalendar UID, the same in every calendar that holds the event.
        uid: String,
        /// The title.
        title: String,
        /// The private.
        private: bool,
        /// When it begins.
        start_at: DateTimeUtc,
        /// When it ends.
        end_at: DateTimeUtc,
        /// The all day.
        all_day: bool,
        /// The busy.
        busy: Option<String>,
    }
}
