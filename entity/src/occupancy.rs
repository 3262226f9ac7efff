//! A time that a booking blocks for one mailbox.

crate::table::tenant_table! {
    /// A time that a booking blocks for one mailbox.
    "occupancy" {
        /// The holder.
        holder: Uuid,
        /// The booking.
        booking_id: Uuid,
        /// When it begins.
        start_at: DateTimeUtc,
        /// When it ends.
        end_at: DateTimeUtc,
    }
}
