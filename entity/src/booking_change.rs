//! A move or a cancellation, kept for the record.

crate::table::tenant_table! {
    /// A move or a cancellation, kept for the record.
    "booking_change" {
        /// The booking.
        booking_id: Uuid,
        /// The what.
        what: String,
        /// The old start.
        old_start: DateTimeUtc,
        /// The old end.
        old_end: DateTimeUtc,
        /// The by whom.
        by_whom: String,
        /// When.
        at: DateTimeUtc,
    }
}
