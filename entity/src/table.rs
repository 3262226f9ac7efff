//! How a table of a tenant is declared: its columns, and the finders that begin with the tenant.

/// Declares an entity with `id` and `tenant_id`, and its tenant-first finders `of` and `one`.
macro_rules! tenant_table {
    ($(#[$doc:meta])* $table:literal { $($(#[$fdoc:meta])* $field:ident : $ty:ty),* $(,)? }) => {
        use sea_orm::entity::prelude::*;
        use uuid::Uuid;

        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
        #[sea_orm(table_name = $table)]
        pub struct Model {
            /// The id.
            #[sea_orm(primary_key, auto_increment = false)]
            pub id: Uuid,
            /// The tenant it belongs to.
            pub tenant_id: Uuid,
            $($(#[$fdoc])* pub $field: $ty),*
        }

        /// Relations are followed through loaders, by id.
        #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}

        /// All rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn of(tenant: Uuid) -> Select<Entity> {
            Entity::find().filter(Column::TenantId.eq(tenant))
        }

        /// The rows of all tenants: for the engine's own role and the operator's own commands.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn everywhere() -> Select<Entity> {
            Entity::find()
        }

        /// One row of a tenant.
        pub fn one(tenant: Uuid, id: Uuid) -> Select<Entity> {
            of(tenant).filter(Column::Id.eq(id))
        }

        /// The rows of a tenant that have one of these ids.
        pub fn among(tenant: Uuid, ids: impl IntoIterator<Item = Uuid>) -> Select<Entity> {
            of(tenant).filter(Column::Id.is_in(ids))
        }

        /// An update of rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn update(tenant: Uuid) -> sea_orm::UpdateMany<Entity> {
            Entity::update_many().filter(Column::TenantId.eq(tenant))
        }

        /// A deletion of rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn delete(tenant: Uuid) -> sea_orm::DeleteMany<Entity> {
            Entity::delete_many().filter(Column::TenantId.eq(tenant))
        }
    };
}

/// Declares an entity of a tenant whose key is made of several columns.
macro_rules! tenant_junction {
    ($(#[$doc:meta])* $table:literal { $($(#[$kdoc:meta])* $key:ident : $kty:ty),* ; $($(#[$fdoc:meta])* $field:ident : $ty:ty),* $(,)? }) => {
        use sea_orm::entity::prelude::*;
        use uuid::Uuid;

        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
        #[sea_orm(table_name = $table)]
        pub struct Model {
            /// The tenant it belongs to.
            #[sea_orm(primary_key, auto_increment = false)]
            pub tenant_id: Uuid,
            $($(#[$kdoc])* #[sea_orm(primary_key, auto_increment = false)] pub $key: $kty,)*
            $($(#[$fdoc])* pub $field: $ty),*
        }

        /// Relations are followed through loaders, by id.
        #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}

        /// All rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn of(tenant: Uuid) -> Select<Entity> {
            Entity::find().filter(Column::TenantId.eq(tenant))
        }

        /// An update of rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn update(tenant: Uuid) -> sea_orm::UpdateMany<Entity> {
            Entity::update_many().filter(Column::TenantId.eq(tenant))
        }

        /// A deletion of rows of a tenant.
        #[expect(clippy::disallowed_methods, reason = "finders live here")]
        pub fn delete(tenant: Uuid) -> sea_orm::DeleteMany<Entity> {
            Entity::delete_many().filter(Column::TenantId.eq(tenant))
        }
    };
}

pub(crate) use {tenant_junction, tenant_table};
