//! The key that seals the audit log's hash chains and signs checkpoints. The table has a single row with the all-zero
//! id.

use domain::{Id, ids};
use sea_orm::entity::prelude::*;

/// The key that seals the audit log's hash chains and signs checkpoints.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_key")]
pub struct Model {
    /// The all-zero id, because there is only one row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Id<ids::Row>,
    /// 32 random bytes, sealed under the master key.
    pub seed: Vec<u8>,
    /// When the key was generated.
    pub created_at: DateTimeUtc,
}

/// The table has no foreign keys.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Selects the only row.
#[expect(clippy::disallowed_methods, reason = "the key belongs to the installation")]
pub fn find_key() -> Select<Entity> {
    Entity::find().filter(Column::Id.eq(Id::<ids::Row>::nil()))
}
