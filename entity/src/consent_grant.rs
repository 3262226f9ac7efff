//! Encrypted consents and credentials that give Muster access to a calendar system.

use domain::connect::SecretKind;

use crate::Stored;

crate::table::tenant_table! {
    /// An encrypted consent or set of credentials that gives Muster access to a calendar system.
    "consent_grant": ids::Grant {
        /// The integration for which the consent was given.
        integration_id: Id<ids::Integration>,
        /// The user who consented for their own mailbox; null for an organisation-wide consent.
        user_id: Option<Id<ids::User>>,
        /// What kind of credential `secret` contains.
        kind: Stored<SecretKind>,
        /// The account that consented, or to which the credentials belong.
        account: String,
        /// The URL of the server to which these credentials of one user belong; null if it is the integration's, and
        /// for cloud providers.
        server_url: Option<String>,
        /// The credentials, sealed with the tenant's data key; a rotated refresh token replaces the previous one in
        /// this column.
        secret: Vec<u8>,
        /// The last access token obtained with a user's consent, sealed and shared by all nodes; null for other kinds
        /// of consent.
        access_token: Option<Vec<u8>>,
        /// When `access_token` expires; null if there is none.
        expires_at: Option<DateTimeUtc>,
        /// Whether the provider has permanently withdrawn the consent.
        lost: bool,
        /// When the consent was stored; a new consent of the same integration and user replaces the row.
        created_at: DateTimeUtc,
        /// Currently always 1.
        version: i64,
    }
}
