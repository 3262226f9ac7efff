//! A customer organisation.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

/// A customer organisation.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The name, for people.
    pub name: String,
    /// The plan.
    pub plan: String,
    /// The return urls.
    pub return_urls: Json,
    /// The time zone of days that neither a calendar nor a user tells the zone of, as an IANA name; null while nobody
    /// has told it.
    pub time_zone: Option<String>,
    /// The language, as a BCP 47 tag; null while nobody has told it.
    pub language: Option<String>,
    /// The data key, sealed under a master key.
    pub data_key: Vec<u8>,
    /// How far the rotation of the data key is; null while there is none.
    pub data_key_rotation: Option<String>,
    /// Grows with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTimeUtc,
}

/// Relations are followed through loaders, by id.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
