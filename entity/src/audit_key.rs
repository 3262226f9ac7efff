//! The key that seals the chains of the audit and signs checkpoints. One row, under the id of all zeros.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

/// The key of the audit.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_key")]
pub struct Model {
    /// All zeros: there is one.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// 32 random bytes, sealed with the master key.
    pub seed: Vec<u8>,
    /// When it was made.
    pub created_at: DateTimeUtc,
}

/// It refers to nothing.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The one key.
#[expect(clippy::disallowed_methods, reason = "the key belongs to the installation")]
pub fn the_key() -> Select<Entity> {
    Entity::find().filter(Column::Id.eq(Uuid::nil()))
}
