//! The busy times of mailboxes as bitmaps, derived from `calendar_event`.

use domain::BusyKind;

use crate::Stored;

crate::table::tenant_junction! {
    /// The busy times of a mailbox, one bit per cell of the grid; derived from `calendar_event`.
    "busy_bitmap" {
        /// The mailbox whose busy times the bitmap contains.
        connection_id: Id<ids::Connection>,
        /// Which busy times the bitmap contains: definite or tentative ones.
        plane: Stored<BusyKind>;
        /// A serialised `domain::Bitmap`: a header with start, cell length and number of cells, then one bit per cell.
        bits: Vec<u8>,
    }
}
