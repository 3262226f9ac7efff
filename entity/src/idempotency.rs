//! What a repeated request is answered with.

crate::table::tenant_table! {
    /// What a repeated request is answered with.
    "idempotency" {
        /// The field.
        field: String,
        /// The caller.
        caller: String,
        /// The key.
        key: String,
        /// The parameters.
        parameters: Vec<u8>,
        /// The entity.
        entity: Uuid,
        /// When it ends.
        expires_at: DateTimeUtc,
    }
}
