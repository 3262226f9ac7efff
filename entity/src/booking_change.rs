//! The history of moves and cancellations of bookings.

use domain::state::BookingChangeKind;

use crate::Stored;

crate::table::tenant_table! {
    /// A recorded move or cancellation of a booking; the row is never changed afterwards.
    "booking_change": ids::Row {
        /// The booking that was moved or cancelled.
        booking_id: Id<ids::Booking>,
        /// How the booking was changed.
        what: Stored<BookingChangeKind>,
        /// Start of the booking before the change.
        old_start: DateTimeUtc,
        /// End of the booking before the change.
        old_end: DateTimeUtc,
        /// The actor who requested the change: the id of a user or of an API key.
        by_whom: String,
        /// When the change was committed.
        at: DateTimeUtc,
    }
}
