//! The consents and credentials by which Muster reaches a calendar system, encrypted.

use domain::connect::SecretKind;

use crate::Stored;

crate::table::tenant_table! {
    /// A consent or a set of credentials by which Muster reaches a calendar system, encrypted.
    "consent_grant": ids::Grant {
        /// The link to the calendar system that the consent opens.
        integration_id: Id<ids::Integration>,
        /// The user who consented for the user's own mailbox; null for the integration's own consent.
        user_id: Option<Id<ids::User>>,
        /// What `secret` consists of.
        kind: Stored<SecretKind>,
        /// Who consented, or the account that the credentials belong to.
        account: String,
        /// The credentials, sealed with the tenant's data key; rotating refresh tokens are replaced here.
        secret: Vec<u8>,
        /// The last access token obtained by a user's consent, sealed, for all nodes; null for other kinds of consent.
        access_token: Option<Vec<u8>>,
        /// When `access_token` expires; null without one.
        expires_at: Option<DateTimeUtc>,
        /// Whether the provider has withdrawn the consent for good, so that it may no longer be used.
        lost: bool,
        /// When the consent was stored; a new consent of the same integration and user replaces the row.
        created_at: DateTimeUtc,
        /// Always 1 at present: no update increments it.
        version: i64,
    }
}
