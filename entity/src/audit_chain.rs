//! How far each chain of `audit` goes.

crate::table::tenant_junction! {
    /// The two ends of a chain. The tenant of all zeros stands for the installation.
    "audit_chain" {
        ;
        /// The place of the last entry; 0 when there never was one.
        seq: i64,
        /// The hash of the last entry.
        hash: Vec<u8>,
        /// The place of the last entry that was pruned; 0 when none was.
        base_seq: i64,
        /// The hash of the last entry that was pruned.
        base_hash: Vec<u8>,
        /// HMAC over all of it, with a key that is not in the database in the clear.
        seal: Vec<u8>,
    }
}

/// The chains of all tenants and the installation: for the operator's own commands.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn everywhere() -> Select<Entity> {
    Entity::find()
}

/// The chains of some tenants.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn among(tenants: impl IntoIterator<Item = Uuid>) -> Select<Entity> {
    Entity::find().filter(Column::TenantId.is_in(tenants))
}
