//! Idempotency keys of mutations, with the objects that the mutations created.

crate::table::tenant_table! {
    /// An idempotency key, with the object that its mutation created.
    "idempotency": ids::Row {
        /// The GraphQL mutation, such as `createBooking`; idempotency keys are separate for each mutation and caller.
        field: String,
        /// The actor who sent the request: the id of a user or of an API key.
        caller: String,
        /// The idempotency key from the request, 1 to 128 characters.
        key: String,
        /// SHA-256 of the request's parameters: the same key with different parameters is refused.
        parameters: Vec<u8>,
        /// The id of the created object, returned for repeated requests; all zeros while the first request is being
        /// processed.
        entity: domain::AnyId,
        /// When the idempotency key expires, 24 hours after the request.
        expires_at: DateTimeUtc,
    }
}
