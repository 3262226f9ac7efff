//! A set of permissions.

crate::table::tenant_table! {
    /// A set of permissions.
    "role" {
        /// The name, for people.
        name: String,
        /// The standard.
        standard: bool,
        /// The permissions.
        permissions: Json,
        /// When it was made.
        created_at: DateTimeUtc,
    }
}
