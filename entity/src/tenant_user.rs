//! A person of a tenant.

crate::table::tenant_table! {
    /// A person of a tenant.
    "tenant_user" {
        /// The email.
        email: String,
        /// The name, for people.
        name: String,
        /// The calendar address.
        calendar_address: Option<String>,
        /// The time zone.
        time_zone: Option<String>,
        /// Grows with every change.
        version: i64,
        /// When it was made.
        created_at: DateTimeUtc,
    }
}
