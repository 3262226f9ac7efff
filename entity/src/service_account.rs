//! A technical account that an integration acts with.

crate::table::tenant_table! {
    /// A technical account that an integration acts with.
    "service_account" {
        /// The integration.
        integration_id: Uuid,
        /// The mailbox address.
        address: String,
        /// The name, for people.
        name: String,
        /// The status.
        status: String,
        /// The position.
        position: i32,
        /// The verified at.
        verified_at: Option<DateTimeUtc>,
        /// When it was made.
        created_at: DateTimeUtc,
    }
}
