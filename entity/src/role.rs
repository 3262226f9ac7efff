//! Roles: named sets of permissions.

crate::table::tenant_table! {
    /// A named set of permissions that users of a tenant can have.
    "role": ids::Role {
        /// A display name, unique within the tenant.
        name: String,
        /// Whether every tenant has the role from the start; such roles cannot be changed.
        standard: bool,
        /// The permissions that the role grants, as a list of `domain::Permission`.
        permissions: Json,
        /// When the role was added; for a standard role, when its tenant was created.
        created_at: DateTimeUtc,
    }
}
