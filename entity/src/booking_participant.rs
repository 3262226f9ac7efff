//! The users, rooms and guests who take part in bookings.

crate::table::tenant_table! {
    /// A user, room or guest who takes part in a booking.
    "booking_participant" {
        /// The booking in which the participant takes part.
        booking_id: Uuid,
        /// What the participant is: `USER`, `ROOM` or `GUEST`.
        kind: String,
        /// Set for a user of the tenant, null for rooms and guests.
        user_id: Option<Uuid>,
        /// Set for a room of the tenant, null for users and guests.
        room_id: Option<Uuid>,
        /// The mailbox address in lower case; unique within the booking.
        address: String,
        /// A display name, copied when the booking was made.
        name: String,
        /// The response to the invitation: a `domain::Answer` as text.
        answer: String,
    }
}
