//! A standing request for a provider's pushes.

crate::table::tenant_table! {
    /// A standing request for a provider's pushes.
    "channel" {
        /// The connection.
        connection_id: Uuid,
        /// The external id.
        external_id: String,
        /// The secret.
        secret: Vec<u8>,
        /// When it ends.
        expires_at: DateTimeUtc,
    }
}
