//! Somebody or some room that takes part.

crate::table::tenant_table! {
    /// Somebody or some room that takes part.
    "booking_participant" {
        /// The booking.
        booking_id: Uuid,
        /// The kind.
        kind: String,
        /// The user.
        user_id: Option<Uuid>,
        /// The room.
        room_id: Option<Uuid>,
        /// The mailbox address.
        address: String,
        /// The name, for people.
        name: String,
        /// The answer.
        answer: String,
    }
}
