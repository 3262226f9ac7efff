//! The service accounts of integrations, current and former ones: mailboxes used for bookings.

use domain::state::ServiceAccountStatus;

use crate::Stored;

crate::table::tenant_table! {
    /// A mailbox through which an integration writes bookings on behalf of organisers.
    "service_account": ids::ServiceAccount {
        /// The integration that uses the account.
        integration_id: Id<ids::Integration>,
        /// The mailbox's email address, in lower case; unique within the integration.
        address: String,
        /// A display name.
        name: String,
        /// Whether new bookings use the account.
        status: Stored<ServiceAccountStatus>,
        /// Priority among the integration's service accounts, lowest first; currently always 0.
        position: i32,
        /// When the account last passed verification; null before the first time.
        verified_at: Option<DateTimeUtc>,
        /// When the account was first stored.
        created_at: DateTimeUtc,
    }
}
