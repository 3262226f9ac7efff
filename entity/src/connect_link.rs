//! Invitations with which administrators connect a calendar system.

crate::table::tenant_table! {
    /// An invitation with which an administrator can connect a calendar system without a Muster account.
    "connect_link": ids::ConnectLink {
        /// The keyed digest of the token in the link's URL; the token itself is not stored.
        token_hash: Vec<u8>,
        /// The email address of the invited administrator.
        email: String,
        /// The Muster user on whose behalf the invited administrator acts.
        user_id: Option<Id<ids::User>>,
        /// The calendar system to connect; null until the administrator chooses one.
        integration_id: Option<Id<ids::Integration>>,
        /// The URL to which the browser returns afterwards; null to stay on Muster's page.
        return_url: Option<String>,
        /// The actor who created the link: the id of a user or of an API key.
        created_by: String,
        /// When the invitation was sent.
        created_at: DateTimeUtc,
        /// When the link stops working.
        expires_at: DateTimeUtc,
    }
}
