//! A vendor's key; only its hash is kept.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

/// A vendor's key; only its hash is kept.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The name, for people.
    pub name: String,
    /// The prefix.
    pub prefix: String,
    /// The hash.
    pub hash: Vec<u8>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it ends.
    pub expires_at: Option<DateTimeUtc>,
    /// The revoked at.
    pub revoked_at: Option<DateTimeUtc>,
}

/// Relations are followed through loaders, by id.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
