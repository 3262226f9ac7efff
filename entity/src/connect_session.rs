//! A browser that follows a connect link or connects its own calendar.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

/// A browser that follows a connect link or connects its own calendar.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "connect_session")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The link id.
    pub link_id: Option<Uuid>,
    /// The user.
    pub user_id: Option<Uuid>,
    /// The integration.
    pub integration_id: Uuid,
    /// The cookie hash.
    pub cookie_hash: Vec<u8>,
    /// The purpose.
    pub purpose: String,
    /// The step.
    pub step: String,
    /// The state hash.
    pub state_hash: Option<Vec<u8>>,
    /// The nonce.
    pub nonce: Option<String>,
    /// The verifier.
    pub verifier: Option<Vec<u8>>,
    /// The signed in.
    pub signed_in: Option<Json>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it ends.
    pub expires_at: DateTimeUtc,
}

/// Relations are followed through loaders, by id.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
