//! Which tenant of ours a tenant of the provider belongs to.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

/// Which tenant of ours a tenant of the provider belongs to.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "external_binding")]
pub struct Model {
    /// The provider.
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider: String,
    /// The external tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub external_tenant: String,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The integration.
    pub integration_id: Uuid,
    /// The bound at.
    pub bound_at: DateTimeUtc,
    /// The domains that the provider has verified for it, a list of texts; null while none is known.
    pub domains: Option<Json>,
}

/// Relations are followed through loaders, by id.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The bindings of a tenant.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn of(tenant: Uuid) -> Select<Entity> {
    Entity::find().filter(Column::TenantId.eq(tenant))
}

/// An update of bindings of a tenant.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn update(tenant: Uuid) -> sea_orm::UpdateMany<Entity> {
    Entity::update_many().filter(Column::TenantId.eq(tenant))
}

/// A deletion of bindings of a tenant.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn delete(tenant: Uuid) -> sea_orm::DeleteMany<Entity> {
    Entity::delete_many().filter(Column::TenantId.eq(tenant))
}
