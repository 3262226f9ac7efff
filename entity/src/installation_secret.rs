//! A secret of the installation itself. The master key that seals it is the one in force.

use sea_orm::entity::prelude::*;

/// A secret of the installation itself.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "installation_secret")]
pub struct Model {
    /// Which secret it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The secret, sealed under a master key.
    pub sealed: Vec<u8>,
    /// When it was sealed.
    pub changed_at: DateTimeUtc,
}

/// Relations are followed through loaders, by id.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
