//! Receipts: all that remains of erased tenants.

use domain::{Id, ids};
use sea_orm::entity::prelude::*;

/// What was deleted of an erased tenant, when and by whom. It outlives the tenant and holds nothing of its data.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "erasure_receipt")]
pub struct Model {
    /// The id that the tenant had; in the API it has the prefix `ten_`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Id<ids::Tenant>,
    /// The actor who requested the erasure: the id of a vendor key.
    pub requested_by: String,
    /// When the erasure was requested.
    pub requested_at: DateTimeUtc,
    /// When the tenant's data keys were destroyed; null before.
    pub key_destroyed_at: Option<DateTimeUtc>,
    /// When the last row of the tenant was deleted; null before.
    pub finished_at: Option<DateTimeUtc>,
    /// The number of deleted rows by the name of their table.
    pub tables: Json,
    /// The number of entries that the tenant's audit chain had; null before the end.
    pub audit_seq: Option<i64>,
    /// The hash of the last entry in the tenant's audit chain; null before the end.
    pub audit_hash: Option<Vec<u8>>,
}

/// No relations are declared: related rows are loaded by their ids.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Selects the receipts of all tenants.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn all() -> Select<Entity> {
    Entity::find()
}

/// Selects the receipts of these tenants.
pub fn by_ids(tenants: impl IntoIterator<Item = Id<ids::Tenant>>) -> Select<Entity> {
    all().filter(Column::Id.is_in(tenants))
}

/// Updates the receipt of a tenant.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn update(tenant: Id<ids::Tenant>) -> sea_orm::UpdateMany<Entity> {
    Entity::update_many().filter(Column::Id.eq(tenant))
}
