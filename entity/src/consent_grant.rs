//! The stored secret of a consent, encrypted.

crate::table::tenant_table! {
    /// The stored secret of a consent, encrypted.
    "consent_grant" {
        /// The integration.
        integration_id: Uuid,
        /// The user.
        user_id: Option<Uuid>,
        /// The kind.
        kind: String,
        /// The account.
        account: String,
        /// The secret.
        secret: Vec<u8>,
        /// The access token that a person's consent gave last, encrypted, for all nodes; null for other kinds of consent.
        access_token: Option<Vec<u8>>,
        /// When the access token ends.
        expires_at: Option<DateTimeUtc>,
        /// The lost.
        lost: bool,
        /// When it was made.
        created_at: DateTimeUtc,
        /// Grows with every change.
        version: i64,
    }
}
