//! Bindings of organisations at a provider to Muster's tenants.

use domain::ProviderKind;
use domain::{Id, ids};
use sea_orm::entity::prelude::*;

use crate::Stored;

/// The binding of one organisation at a provider to exactly one of Muster's tenants.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "external_binding")]
pub struct Model {
    /// The calendar system.
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider: Stored<ProviderKind>,
    /// The organisation's id at the provider; unique together with `provider`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub external_tenant: String,
    /// Muster's tenant that owns the binding.
    pub tenant_id: Id<ids::Tenant>,
    /// The integration whose consent proved that the tenant controls the organisation.
    pub integration_id: Id<ids::Integration>,
    /// When the consent took effect.
    pub bound_at: DateTimeUtc,
    /// The organisation's domains verified by the provider, as a list of strings; null if unknown.
    pub domains: Option<Json>,
}

/// No relations are declared: related rows are loaded by their ids.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Selects the bindings of a tenant.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn of(tenant: Id<ids::Tenant>) -> Select<Entity> {
    Entity::find().filter(Column::TenantId.eq(tenant))
}

/// Updates bindings of a tenant.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn update(tenant: Id<ids::Tenant>) -> sea_orm::UpdateMany<Entity> {
    Entity::update_many().filter(Column::TenantId.eq(tenant))
}

/// Deletes bindings of a tenant.
#[expect(clippy::disallowed_methods, reason = "finders live here")]
pub fn delete(tenant: Id<ids::Tenant>) -> sea_orm::DeleteMany<Entity> {
    Entity::delete_many().filter(Column::TenantId.eq(tenant))
}
