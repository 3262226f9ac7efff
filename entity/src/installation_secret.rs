//! Secrets of the installation itself, sealed under the current master key.

use domain::connect::InstallationSecret;
use sea_orm::entity::prelude::*;

use crate::Stored;

/// A secret of the installation itself, sealed under a master key.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "installation_secret")]
pub struct Model {
    /// Which of the installation's secrets the row contains.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: Stored<InstallationSecret>,
    /// The secret, sealed under a master key.
    pub sealed: Vec<u8>,
    /// When the secret was last sealed.
    pub changed_at: DateTimeUtc,
}

/// No relations are declared: related rows are loaded by their ids.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
