//! A standing request for a provider's pushes.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

/// A standing request for a provider's pushes.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "channel")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The connection.
    pub connection_id: Uuid,
    /// The external id.
    pub external_id: String,
    /// The secret.
    pub secret: Vec<u8>,
    /// When it ends.
    pub expires_at: DateTimeUtc,
}

/// Relations are followed through loaders, by id.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
