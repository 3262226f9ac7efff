//! Tenants: the organisations that are the vendor's customers.

use domain::state::{KeyRotation, Plan};
use domain::{Id, ids};
use sea_orm::entity::prelude::*;

use crate::Stored;

/// An organisation that is the vendor's customer.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant")]
pub struct Model {
    /// The primary key; in the API it has the prefix `ten_`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Id<ids::Tenant>,
    /// A display name.
    pub name: String,
    /// The plan for which the tenant pays.
    pub plan: Stored<Plan>,
    /// A list of permitted return URLs: browsers may be redirected to each of them and to any URL below it.
    pub return_urls: Json,
    /// The default time zone (IANA name) for whole days if neither the calendar nor the user has one; null if
    /// unknown.
    pub time_zone: Option<String>,
    /// The preferred language, as a BCP 47 tag; null while unknown.
    pub language: Option<String>,
    /// The calendar systems that the tenant may connect, as a list of their words; null for all that the installation
    /// offers.
    pub providers: Option<Json>,
    /// The tenant's current data key, sealed under a master key.
    pub data_key: Vec<u8>,
    /// Progress of the data-key rotation; null when none is in progress.
    pub data_key_rotation: Option<Stored<KeyRotation>>,
    /// Since when the tenant is being erased; nobody acts within it any more. Null otherwise.
    pub erasing_since: Option<DateTimeUtc>,
    /// Incremented on every change; updates compare it with `ifVersion`.
    pub version: i64,
    /// When the tenant was created.
    pub created_at: DateTimeUtc,
}

/// No relations are declared: related rows are loaded by their ids.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
