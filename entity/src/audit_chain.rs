//! The start and the end of each hash chain of `audit`.

crate::table::tenant_junction! {
    /// The start and the end of one hash chain of the audit log. An all-zero tenant id identifies the installation.
    "audit_chain" {
        ;
        /// The position of the last entry in the chain; 0 for a chain without entries.
        seq: i64,
        /// The hash of the last entry.
        hash: Vec<u8>,
        /// The position of the last pruned entry in the chain; 0 if none was pruned.
        base_seq: i64,
        /// The hash of the last pruned entry.
        base_hash: Vec<u8>,
        /// An HMAC over all other columns; its key is stored only in encrypted form.
        seal: Vec<u8>,
    }
}

/// Selects the hash chains of all tenants and of the installation; only for the operator's commands.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn all_tenants() -> Select<Entity> {
    Entity::find()
}

/// Selects the hash chains of the given tenants.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn of_tenants(tenants: impl IntoIterator<Item = Id<ids::Tenant>>) -> Select<Entity> {
    Entity::find().filter(Column::TenantId.is_in(tenants))
}
