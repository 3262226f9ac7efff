//! Vendor keys, and the keys that sign access tokens.
//!
//! A vendor key is shown once and kept as a digest that is useless without the installation's key. Signing keys are
//! made at first use; several may be in force at once, each found by the `kid` of the tokens that it signed.

#![expect(clippy::disallowed_methods, reason = "keys belong to the installation")]

mod signing;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use domain::{Id, Timestamp, access::Staff, ids};
use entity::api_key::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};

use crate::{Error, Page, PageArgs, Refusal, Result, error::is_duplicate, page};

pub use signing::Signing;

/// What every vendor key begins with.
pub const PREFIX: &str = "muster_";
/// How many characters of a key are kept in the clear, so that people can tell keys apart.
const SHOWN: usize = 12;
const DIGITS: usize = 64;

crate::noun! {
    /// Vendor keys and signing keys.
    Keys
}

impl Keys {
    /// Makes a vendor key. The second part of the answer is the key itself: it is shown this once.
    pub async fn create(
        &self,
        _by: &Staff,
        name: &str,
        expires_at: Option<Timestamp>,
    ) -> Result<(Model, String)> {
        if expires_at.is_some_and(|end| end <= self.services.now()) {
            return Err(Refusal::new("EXPIRY_PAST", "The key would have expired already.")
                .at("expiresAt")
                .into());
        }
        let secret = format!("{PREFIX}{}", self.services.ids.secret());
        let key = self.row(&secret, name, expires_at)?;
        self.insert(&key).await?;
        Ok((key, secret))
    }

    /// Makes sure that there is a key with which to begin.
    ///
    /// A given key is stored unless it is known already. Without one, and only while there is no key at all, a new
    /// one is made and answered, to be shown this once. Called by whoever starts a node, never for a request.
    pub async fn ensure_first(&self, secret: Option<&str>, name: &str) -> Result<Option<(Model, String)>> {
        let secret = match secret {
            Some(secret) if !is_well_formed(secret) => {
                let message = format!("A vendor key is {PREFIX} and {DIGITS} hexadecimal digits.");
                return Err(Error::refuse("KEY_MALFORMED", message));
            }
            Some(secret) => secret.to_owned(),
            None if Entity::find().count(self.services.store.installation()).await? > 0 => return Ok(None),
            None => format!("{PREFIX}{}", self.services.ids.secret()),
        };
        let key = self.row(&secret, name, None)?;
        match self.insert(&key).await {
            Ok(()) => Ok(Some((key, secret))),
            Err(Error::Database(error)) if is_duplicate(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes a key back. It opens nothing from now on.
    pub async fn revoke(&self, _by: &Staff, id: Id<ids::ApiKey>) -> Result<Model> {
        let txn = self.services.store.write_installation().await?;
        Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::RevokedAt.is_null())
            .col_expr(Column::RevokedAt, Expr::value(self.services.now()))
            .exec(&txn)
            .await?;
        let key = Entity::find_by_id(id.uuid()).one(&txn).await?;
        let key = key.ok_or_else(|| Error::not_found("key"))?;
        txn.commit().await?;
        Ok(key)
    }

    /// All keys, the dead ones too.
    pub async fn list(&self, _by: &Staff, args: PageArgs) -> Result<Page<Model>> {
        page::read(Entity::find(), Column::Id, args, self.services.store.installation()).await
    }

    /// The live key of a secret.
    pub async fn find(&self, secret: &str) -> Result<Option<Model>> {
        if !is_well_formed(secret) {
            return Ok(None);
        }
        let digest = self.services.vault.digest(secret);
        let found = by_digest(&digest, self.services.store.installation()).await?;
        let now = self.services.now();
        Ok(found.filter(|key| {
            verify_slices_are_equal(&key.hash, &digest).is_ok()
                && key.revoked_at.is_none()
                && key.expires_at.is_none_or(|end| now < end)
        }))
    }

    fn row(&self, secret: &str, name: &str, expires_at: Option<Timestamp>) -> Result<Model> {
        Ok(Model {
            id: self.services.ids.make::<ids::ApiKey>().uuid(),
            name: crate::tenants::checked_name(name)?,
            prefix: secret.chars().take(SHOWN).collect(),
            hash: self.services.vault.digest(secret),
            created_at: self.services.now(),
            expires_at,
            revoked_at: None,
        })
    }

    async fn insert(&self, key: &Model) -> Result<()> {
        let txn = self.services.store.write_installation().await?;
        Entity::insert(ActiveModel::from(key.clone())).exec_without_returning(&txn).await?;
        txn.commit().await?;
        Ok(())
    }
}

async fn by_digest(digest: &[u8], conn: &impl ConnectionTrait) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Hash.eq(digest)).one(conn).await?)
}

fn is_well_formed(secret: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    secret.strip_prefix(PREFIX).is_some_and(|digits| digits.len() == DIGITS && digits.chars().all(is_digit))
}
