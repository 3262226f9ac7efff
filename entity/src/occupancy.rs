//! The times that bookings block for users and rooms.

crate::table::tenant_table! {
    /// A time range that a booking blocks for one user or room.
    "occupancy": ids::Row {
        /// The id of the user or room whose time is blocked.
        holder: domain::AnyId,
        /// The booking that blocks the time.
        booking_id: Id<ids::Booking>,
        /// The start of the blocked time, including the buffer.
        start_at: DateTimeUtc,
        /// The end of the blocked time, exclusive and including the buffer.
        end_at: DateTimeUtc,
    }
}
