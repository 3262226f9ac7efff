//! Macros that declare a table with a tenant column: its columns, and finders whose first argument is the tenant.

/// Declares an entity with `id`, whose kind follows from the table, and `tenant_id`, and finders whose first argument
/// is the tenant, such as `of` and `by_id`.
macro_rules! tenant_table {
    ($(#[$doc:meta])* $table:literal : $kind:ty { $($(#[$fdoc:meta])* $field:ident : $ty:ty),* $(,)? }) => {
        use domain::{Id, ids};
        use sea_orm::entity::prelude::*;

        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
        #[sea_orm(table_name = $table)]
        pub struct Model {
            /// The primary key, a UUIDv7; in the API it has the prefix of its kind.
            #[sea_orm(primary_key, auto_increment = false)]
            pub id: Id<$kind>,
            /// The tenant that owns the row; every finder filters by it.
            pub tenant_id: Id<ids::Tenant>,
            $($(#[$fdoc])* pub $field: $ty),*
        }

        /// No relations are declared: related rows are loaded by their ids.
        #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}

        /// Selects all rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn of(tenant: Id<ids::Tenant>) -> Select<Entity> {
            Entity::find().filter(Column::TenantId.eq(tenant))
        }

        /// Selects the rows of all tenants; only for the engine's own role and the operator's commands.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn all_tenants() -> Select<Entity> {
            Entity::find()
        }

        /// Selects one row of a tenant by its id.
        pub fn by_id(tenant: Id<ids::Tenant>, id: Id<$kind>) -> Select<Entity> {
            of(tenant).filter(Column::Id.eq(id))
        }

        /// Selects the rows of a tenant that have one of the given ids.
        pub fn by_ids(tenant: Id<ids::Tenant>, ids: impl IntoIterator<Item = Id<$kind>>) -> Select<Entity> {
            of(tenant).filter(Column::Id.is_in(ids))
        }

        /// Updates rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn update(tenant: Id<ids::Tenant>) -> sea_orm::UpdateMany<Entity> {
            Entity::update_many().filter(Column::TenantId.eq(tenant))
        }

        /// Deletes rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn delete(tenant: Id<ids::Tenant>) -> sea_orm::DeleteMany<Entity> {
            Entity::delete_many().filter(Column::TenantId.eq(tenant))
        }
    };
}

/// Declares an entity of a tenant whose primary key consists of several columns.
macro_rules! tenant_junction {
    ($(#[$doc:meta])* $table:literal { $($(#[$kdoc:meta])* $key:ident : $kty:ty),* ; $($(#[$fdoc:meta])* $field:ident : $ty:ty),* $(,)? }) => {
        use domain::{Id, ids};
        use sea_orm::entity::prelude::*;

        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
        #[sea_orm(table_name = $table)]
        pub struct Model {
            /// The tenant that owns the row; every finder filters by it.
            #[sea_orm(primary_key, auto_increment = false)]
            pub tenant_id: Id<ids::Tenant>,
            $($(#[$kdoc])* #[sea_orm(primary_key, auto_increment = false)] pub $key: $kty,)*
            $($(#[$fdoc])* pub $field: $ty),*
        }

        /// No relations are declared: related rows are loaded by their ids.
        #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}

        /// Selects all rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn of(tenant: Id<ids::Tenant>) -> Select<Entity> {
            Entity::find().filter(Column::TenantId.eq(tenant))
        }

        /// Updates rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn update(tenant: Id<ids::Tenant>) -> sea_orm::UpdateMany<Entity> {
            Entity::update_many().filter(Column::TenantId.eq(tenant))
        }

        /// Deletes rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn delete(tenant: Id<ids::Tenant>) -> sea_orm::DeleteMany<Entity> {
            Entity::delete_many().filter(Column::TenantId.eq(tenant))
        }
    };
}

pub(crate) use {tenant_junction, tenant_table};
