//! The history of moves and cancellations of bookings.

crate::table::tenant_table! {
    /// A move or a cancellation of a booking; never changed afterwards.
    "booking_change" {
        /// The booking that was moved or cancelled.
        booking_id: Uuid,
        /// The kind of change: `MOVED` or `CANCELLED`.
        what: String,
        /// When the booking began before the change.
        old_start: DateTimeUtc,
        /// When the booking ended before the change.
        old_end: DateTimeUtc,
        /// The actor who requested the change: the id of a user or of an API key.
        by_whom: String,
        /// When the change was committed.
        at: DateTimeUtc,
    }
}
