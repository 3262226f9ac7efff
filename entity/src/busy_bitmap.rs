//! When a mailbox is taken, as bits.

crate::table::tenant_junction! {
    /// When a mailbox is taken, as bits.
    "busy_bitmap" {
        /// The connection.
        connection_id: Uuid,
        /// The plane.
        plane: String;
        /// The bits.
        bits: Vec<u8>,
    }
}
