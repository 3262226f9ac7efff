//! A key that signs access tokens.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

/// A key that signs access tokens.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub struct Model {
    /// The `kid` of the tokens that it signs.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The Ed25519 public key, 32 bytes.
    pub public_key: Vec<u8>,
    /// The private key (PKCS #8), sealed.
    pub private_key: Vec<u8>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When the last token that it signed has ended; null while it signs.
    pub retires_at: Option<DateTimeUtc>,
}

/// Relations are followed through loaders, by id.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
