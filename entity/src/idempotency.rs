//! Idempotency keys of mutations and what the mutations made.

crate::table::tenant_table! {
    /// An idempotency key and what the mutation sent with it made.
    "idempotency": ids::Row {
        /// The GraphQL mutation, such as `createBooking`; a key counts per mutation and caller.
        field: String,
        /// The actor who sent the request: the id of a user or of an API key.
        caller: String,
        /// The idempotency key from the request, 1 to 128 characters.
        key: String,
        /// SHA-256 of the request's parameters: the same key with other parameters is refused.
        parameters: Vec<u8>,
        /// The id of what the mutation made, returned to repeated requests; all zeros while the first is being
        /// processed.
        entity: domain::AnyId,
        /// When the key is forgotten, 24 hours after the request.
        expires_at: DateTimeUtc,
    }
}
