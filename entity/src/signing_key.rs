//! Keys that sign access tokens.

use domain::{Id, ids};
use sea_orm::entity::prelude::*;

/// A key that signs access tokens.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub struct Model {
    /// The id, and the `kid` of the tokens signed with the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Id<ids::SigningKey>,
    /// The Ed25519 public key, 32 bytes.
    pub public_key: Vec<u8>,
    /// The private key (PKCS #8), sealed under the master key.
    pub private_key: Vec<u8>,
    /// When the key was generated.
    pub created_at: DateTimeUtc,
    /// When the last token signed with the key expires; null while the key signs.
    pub retires_at: Option<DateTimeUtc>,
}

/// No relations are declared: related rows are loaded by their ids.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
