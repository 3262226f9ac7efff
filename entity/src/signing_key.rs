//! A key that signs access tokens.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

/// A key that signs access tokens.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The public key.
    pub public_key: Vec<u8>,
    /// The private key.
    pub private_key: Vec<u8>,
    /// When it was made.
    pub created_at: DateTimeUtc,
}

/// Relations are followed through loaders, by id.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
