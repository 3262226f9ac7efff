//! Maps lookup keys to tenants, for rows that are looked up before their tenant is known. Database triggers maintain
//! this table; nodes only read it.

use std::collections::BTreeSet;

use domain::{Id, ids};
use sea_orm::entity::prelude::*;

use crate::{Store, Stored};

pub use domain::connect::LookupKind as Kind;

/// The tenant to which a lookup key belongs.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant_lookup")]
pub struct Model {
    /// The table that contains the row with this key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: Stored<Kind>,
    /// The lookup key: a digest, or the bytes of a provider's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Vec<u8>,
    /// The tenant that owns the row.
    pub tenant_id: Id<ids::Tenant>,
}

/// No relations are declared: related rows are loaded by their ids.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The tenant that a lookup key belongs to; the row itself is then read in that tenant's transaction.
#[expect(clippy::disallowed_methods, reason = "the key is what tells the tenant")]
pub async fn tenant_of(store: &Store, kind: Kind, key: &[u8]) -> Result<Option<Id<ids::Tenant>>, DbErr> {
    let found =
        Entity::find_by_id((Stored::from(kind), key.to_vec())).one(store.installation_connection()).await?;
    Ok(found.map(|row| row.tenant_id))
}

/// The tenants that these lookup keys belong to, read with one statement.
#[expect(clippy::disallowed_methods, reason = "the keys are what tells the tenants")]
pub async fn tenants_of(
    store: &Store,
    kind: Kind,
    keys: impl IntoIterator<Item = Vec<u8>>,
) -> Result<BTreeSet<Id<ids::Tenant>>, DbErr> {
    let found = Entity::find().filter(Column::Kind.eq(Stored::from(kind))).filter(Column::Key.is_in(keys));
    Ok(found.all(store.installation_connection()).await?.into_iter().map(|row| row.tenant_id).collect())
}
