//! API keys of the vendor's back ends. Only a digest of each key is stored.

use domain::{Id, ids};
use sea_orm::entity::prelude::*;

/// An API key of one of the vendor's back ends; only a digest of the key is stored.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// The id; in the API it has the prefix `key_`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Id<ids::ApiKey>,
    /// A display name, so that people can tell keys apart.
    pub name: String,
    /// The first characters of the key, shown in lists so that people recognise it.
    pub prefix: String,
    /// The keyed digest of the whole key.
    pub hash: Vec<u8>,
    /// When the key was created.
    pub created_at: DateTimeUtc,
    /// When the key expires; null for a key from the operator's configuration.
    pub expires_at: Option<DateTimeUtc>,
    /// When staff revoked the key; null while it is valid.
    pub revoked_at: Option<DateTimeUtc>,
    /// The names of the permissions that the key grants.
    pub permissions: Json,
    /// The only tenant for which the key may be used; null if each request specifies its tenant.
    pub tenant_id: Option<Id<ids::Tenant>>,
    /// When the key was last used, to the minute; null before its first use.
    pub last_used_at: Option<DateTimeUtc>,
    /// The key that replaces this one after a rotation; null for a key that was never rotated.
    pub replaced_by: Option<Id<ids::ApiKey>>,
    /// The key with which a caller created this one; null for a key from the operator's configuration.
    pub created_by: Option<Id<ids::ApiKey>>,
}

/// No relations are declared: related rows are loaded by their ids.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
