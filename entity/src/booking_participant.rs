//! The users, rooms and guests who take part in bookings.

use domain::state::{Answer, ParticipantKind};

use crate::Stored;

crate::table::tenant_table! {
    /// A user, room or guest who takes part in a booking.
    "booking_participant": ids::Row {
        /// The booking in which the participant takes part.
        booking_id: Id<ids::Booking>,
        /// Whether a user or room of the tenant takes part, or a guest.
        kind: Stored<ParticipantKind>,
        /// The participating user of the tenant; null for rooms and guests.
        user_id: Option<Id<ids::User>>,
        /// The participating room of the tenant; null for users and guests.
        room_id: Option<Id<ids::Room>>,
        /// The participant's email address in lower case; unique within the booking.
        address: String,
        /// A display name, copied when the booking was made.
        name: String,
        /// The response to the invitation.
        answer: Stored<Answer>,
    }
}
