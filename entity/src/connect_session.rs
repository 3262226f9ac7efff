//! A browser that follows a connect link or connects its own calendar.

crate::table::tenant_table! {
    /// A browser that follows a connect link or connects its own calendar.
    "connect_session" {
        /// The link id.
        link_id: Option<Uuid>,
        /// The user.
        user_id: Option<Uuid>,
        /// The integration.
        integration_id: Uuid,
        /// The cookie hash.
        cookie_hash: Vec<u8>,
        /// The purpose.
        purpose: String,
        /// The step.
        step: String,
        /// The state hash.
        state_hash: Option<Vec<u8>>,
        /// The nonce.
        nonce: Option<String>,
        /// The verifier.
        verifier: Option<Vec<u8>>,
        /// The signed in.
        signed_in: Option<Json>,
        /// When it was made.
        created_at: DateTimeUtc,
        /// When it ends.
        expires_at: DateTimeUtc,
    }
}
