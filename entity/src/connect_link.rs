//! An invitation for an IT person.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

/// An invitation for an IT person.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "connect_link")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The token hash.
    pub token_hash: Vec<u8>,
    /// The email.
    pub email: String,
    /// The user.
    pub user_id: Option<Uuid>,
    /// The integration.
    pub integration_id: Option<Uuid>,
    /// The return url.
    pub return_url: Option<String>,
    /// The created by.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it ends.
    pub expires_at: DateTimeUtc,
}

/// Relations are followed through loaders, by id.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
