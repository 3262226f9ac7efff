//! An invitation for an IT person.

crate::table::tenant_table! {
    /// An invitation for an IT person.
    "connect_link" {
        /// The token hash.
        token_hash: Vec<u8>,
        /// The email.
        email: String,
        /// The user.
        user_id: Option<Uuid>,
        /// The integration.
        integration_id: Option<Uuid>,
        /// The return url.
        return_url: Option<String>,
        /// The created by.
        created_by: String,
        /// When it was made.
        created_at: DateTimeUtc,
        /// When it ends.
        expires_at: DateTimeUtc,
    }
}
