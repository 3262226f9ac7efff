//! A vendor's key; only its hash is kept.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

/// A vendor's key; only its hash is kept.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// The id; shown with the prefix `key_`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The name, for people.
    pub name: String,
    /// The first characters of the key, so that people can tell keys apart.
    pub prefix: String,
    /// The keyed digest of the whole key.
    pub hash: Vec<u8>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it ends by itself; null for a key that the operator configured.
    pub expires_at: Option<DateTimeUtc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTimeUtc>,
    /// What its bearer may do: the names of permissions.
    pub permissions: Json,
    /// The one tenant that it acts for; null when it may act for any, one at a time.
    pub tenant_id: Option<Uuid>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<DateTimeUtc>,
    /// The key that takes its place, once it was rotated.
    pub replaced_by: Option<Uuid>,
}

/// Relations are followed through loaders, by id.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
