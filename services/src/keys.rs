//! Vendor keys, and the key pairs that sign access tokens.
//!
//! A vendor key is shown once and stored as a digest that is useless without the installation's secret. It has fixed
//! permissions, is valid for one tenant or for any, and expires. Signing keys are created at first use; several may be
//! valid at the same time, each identified by the `kid` of the tokens that it signed.

#![expect(clippy::disallowed_methods, reason = "keys belong to the installation")]

mod permissions;
mod revocation;
mod signing;

use std::collections::BTreeSet;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chrono::Duration;
use domain::{Id, Permission, Timestamp, access::Denied, ids};
use entity::api_key::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseBackend,
    EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
    prelude::Json, sea_query::Expr,
};
use serde_json::json;

use crate::{
    Error, Page, PageArgs, Refusal, Result, System,
    audit::{AuditFacts, OPERATOR_ACTOR},
    error::is_duplicate,
    page,
    proof::Staff,
    roles,
};

use self::permissions::is_in_force;
pub use self::permissions::permissions_of;
pub(crate) use self::permissions::{current_permissions, is_revoked_key, successor_permissions};
pub use self::revocation::RevokedKeys;
pub use signing::OpenedKeyCache;
pub(crate) use signing::SigningKey;

/// Prefix of every vendor key.
pub const KEY_PREFIX: &str = "muster_";
/// Number of characters of a key that are stored in clear text, so that people recognise the key in a list.
const SHOWN: usize = 12;
const DIGITS: usize = 64;
/// Maximum time for which a rotated key stays valid alongside its successor.
const LONGEST_OVERLAP: Duration = Duration::days(30);
/// Resolution of `last_used_at`, which limits how often it is written.
const USE_RESOLUTION: Duration = Duration::minutes(1);

/// Fields of a new vendor key.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Display name.
    pub name: String,
    /// The key's permissions; a subset of its creator's.
    pub permissions: BTreeSet<Permission>,
    /// The only tenant for which the key may be used; `None` allows any tenant, one per request.
    pub tenant: Option<Id<ids::Tenant>>,
    /// When the key expires; by default after [`crate::Settings::key_lifetime`].
    pub expires_at: Option<Timestamp>,
}

crate::noun! {
    /// Vendor keys and signing keys.
    Keys
}

impl Keys {
    /// Creates a vendor key. Also returns the secret, which is not shown again.
    ///
    /// The caller must hold every permission of the key. A key for one tenant cannot have `STAFF`. The key expires no later
    /// than the caller's own.
    pub async fn create(&self, by: &Staff, new: NewKey) -> Result<(Model, String)> {
        roles::require_grantable(|permission| by.has_permission(permission), &new.permissions)?;
        if new.tenant.is_some() && new.permissions.contains(&Permission::Staff) {
            let message = "A key for one tenant cannot have STAFF, which applies to the whole installation.";
            return Err(Refusal::new("KEY_SCOPE", message).at("tenantId").into());
        }
        if new.expires_at.is_some_and(|end| end <= self.services.now()) {
            return Err(Refusal::new("EXPIRY_PAST", "Choose an expiry in the future.")
                .at("expiresAt")
                .into());
        }
        if let Some(tenant) = new.tenant {
            self.services.tenants().find(tenant).await?.ok_or_else(|| Error::not_found("tenant"))?;
        }
        let secret = self.secret();
        let mut tx = self.services.begin_installation().await?;
        let own = self.locked(by, Some(&[by.key(), by.key()]), tx.conn()).await?;
        let own_end = own.first().and_then(|key| key.expires_at);
        if let (Some(end), Some(last)) = (new.expires_at, own_end)
            && end > last
        {
            let message =
                "Your own key expires before that. Choose an earlier expiry, or use a key that lives longer.";
            return Err(Refusal::new("EXPIRY_BEYOND_YOURS", message).at("expiresAt").into());
        }
        let usual = tx.now() + self.services.settings.key_lifetime;
        let ends = new.expires_at.unwrap_or_else(|| own_end.map_or(usual, |last| last.min(usual)));
        let key = self.row(&secret, &new, Some(ends), Some(by)).await?;
        insert(&key, tx.conn()).await?;
        tx.audit(&by.actor(), "key.create", shown(&key), AuditFacts::for_creation(audit_json(&key)));
        tx.commit().await?;
        Ok((key, secret))
    }

    /// Creates a key that replaces another, with the same name, permissions and tenant. Both are valid for `overlap`, so
    /// that the back end can switch without interruption; then the old one expires. The new key has the lifetime of the
    /// old one, but a key other than the caller's own gets none that outlives the caller's. A key may renew itself.
    pub async fn rotate(
        &self,
        by: &Staff,
        id: Id<ids::ApiKey>,
        overlap: Duration,
    ) -> Result<(Model, String)> {
        if overlap < Duration::zero() || overlap > LONGEST_OVERLAP {
            let message =
                format!("Both keys may be valid for 0 to {} seconds.", LONGEST_OVERLAP.num_seconds());
            let refusal = Refusal::new("KEY_OVERLAP", message).at("overlapSeconds");
            return Err(refusal.exceeding(LONGEST_OVERLAP.num_seconds(), overlap.num_seconds()).into());
        }
        let mut tx = self.services.begin_installation().await?;
        let (own, old) = self.to_be_replaced(by, id, tx.conn()).await?;
        if !self.is_in_force(&old) || old.replaced_by.is_some() {
            let message = "This key is no longer valid or has already been rotated. Rotate its successor, \
                or create a new key.";
            return Err(Error::refuse("KEY_ENDED", message));
        }
        let now = self.services.now();
        let new = NewKey {
            name: old.name.clone(),
            permissions: permissions_of(&old),
            tenant: old.tenant_id,
            expires_at: None,
        };
        let secret = self.secret();
        let usual = now + lifetime_of(&old, self.services.settings.key_lifetime);
        let own_end = own.expires_at.filter(|_| own.id != old.id);
        let ends = own_end.map_or(usual, |last| last.min(usual));
        let key = self.row(&secret, &new, Some(ends), Some(by)).await?;
        insert(&key, tx.conn()).await?;
        let old_ends = old.expires_at.map_or(now + overlap, |end| end.min(now + overlap));
        let before = audit_json(&old);
        let mut old = old.into_active_model();
        (old.expires_at, old.replaced_by) = (Set(Some(old_ends)), Set(Some(key.id)));
        let old = old.update(tx.conn()).await?;
        let facts = AuditFacts::for_change(before, audit_json(&old))
            .with_details(json!({ "successor": audit_json(&key) }));
        tx.audit(&by.actor(), "key.rotate", shown(&old), facts);
        // Nodes remember when the old one ends.
        tx.notify_access_changed();
        tx.commit().await?;
        Ok((key, secret))
    }

    /// Ensures that at least one vendor key exists.
    ///
    /// If `secret` is given, stores that key unless it is already stored. Otherwise, if there is no key at all, creates
    /// one and returns it, to be shown once. The key has every permission and does not expire, because the operator
    /// configures it. Called when a node starts, never for a request.
    pub async fn ensure_first_key(
        &self,
        _by: &System,
        secret: Option<&str>,
        name: &str,
    ) -> Result<Option<(Model, String)>> {
        let secret = match secret {
            Some(secret) if !is_well_formed(secret) => {
                let message =
                    format!("A vendor key consists of {KEY_PREFIX} and {DIGITS} hexadecimal digits.");
                return Err(Error::refuse("KEY_MALFORMED", message));
            }
            Some(secret) => secret.to_owned(),
            None if Entity::find().count(self.services.store.installation_connection()).await? > 0 => {
                return Ok(None);
            }
            None => self.secret(),
        };
        let permissions = Permission::ALL.iter().copied().collect();
        let new = NewKey { name: name.to_owned(), permissions, tenant: None, expires_at: None };
        let key = self.row(&secret, &new, None, None).await?;
        let mut tx = self.services.begin_installation().await?;
        match insert(&key, tx.conn()).await {
            Ok(()) => {
                tx.audit(
                    OPERATOR_ACTOR,
                    "key.create",
                    shown(&key),
                    AuditFacts::for_creation(audit_json(&key)),
                );
                tx.commit().await?;
            }
            Err(Error::Database(error)) if is_duplicate(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(Some((key, secret)))
    }

    /// Time until the caller's own key expires, at least a second; `None` if it does not expire.
    pub(crate) async fn remaining_lifetime(&self, by: &Staff) -> Result<Option<std::time::Duration>> {
        let key = Entity::find()
            .filter(Column::Id.eq(by.key()))
            .one(self.services.store.installation_connection())
            .await?;
        let end = key.ok_or(Denied::Unauthenticated)?.expires_at;
        let left = end.map(|end| (end - self.services.now()).num_seconds().max(1).unsigned_abs());
        Ok(left.map(std::time::Duration::from_secs))
    }

    /// One page of all keys, including expired and revoked ones.
    pub async fn list(&self, _by: &Staff, args: PageArgs) -> Result<Page<Model>> {
        page::read_page(Entity::find(), Column::Id, args, self.services.store.installation_connection()).await
    }

    /// The valid key with this secret, if there is one. Records its use.
    pub(crate) async fn find(&self, secret: &str) -> Result<Option<Model>> {
        if !is_well_formed(secret) {
            return Ok(None);
        }
        let digest = self.services.secrets().digest(secret).await?;
        let found = by_digest(&digest, self.services.store.installation_connection()).await?;
        let is_it =
            |key: &Model| verify_slices_are_equal(&key.hash, &digest).is_ok() && self.is_in_force(key);
        let Some(key) = found.filter(is_it) else { return Ok(None) };
        if let Err(error) = self.record_use(&key).await {
            tracing::warn!(%error, "the use of a vendor key was not recorded");
        }
        Ok(Some(key))
    }

    async fn record_use(&self, key: &Model) -> Result<()> {
        let (now, known) = (self.services.now(), self.services.now() - USE_RESOLUTION);
        if key.last_used_at.is_some_and(|at| at > known) {
            return Ok(());
        }
        let outdated = Condition::any().add(Column::LastUsedAt.is_null()).add(Column::LastUsedAt.lte(known));
        let txn = self.services.store.write_installation().await?;
        Entity::update_many()
            .filter(Column::Id.eq(key.id))
            .filter(outdated)
            .col_expr(Column::LastUsedAt, Expr::value(now))
            .exec(&txn)
            .await?;
        Ok(txn.commit().await?)
    }

    /// Locks the caller's own key and a key that the caller may replace, so that it is replaced only once and never after
    /// its revocation.
    async fn to_be_replaced(
        &self,
        by: &Staff,
        id: Id<ids::ApiKey>,
        txn: &impl ConnectionTrait,
    ) -> Result<(Model, Model)> {
        let both = self.locked(by, Some(&[by.key(), id]), txn).await?;
        let find = |id| both.iter().find(|key| key.id == id).cloned();
        let key = find(id).ok_or_else(|| Error::not_found("key"))?;
        may_take(by, &key)?;
        Ok((find(by.key()).ok_or(Denied::Unauthenticated)?, key))
    }

    /// Locks these keys, or all keys. The caller's own key must be among them and still be valid.
    async fn locked(
        &self,
        by: &Staff,
        only: Option<&[Id<ids::ApiKey>; 2]>,
        txn: &impl ConnectionTrait,
    ) -> Result<Vec<Model>> {
        // One after the other: what another change is about to add would not be seen here.
        one_at_a_time(txn).await?;
        // In one order for everybody, also for those of earlier versions.
        let keys = Entity::find().order_by_asc(Column::Id);
        let keys = match only {
            Some(only) => keys.filter(Column::Id.is_in(*only)),
            None => keys,
        };
        let keys = keys.lock_exclusive().all(txn).await?;
        if !keys.iter().any(|key| key.id == by.key() && self.is_in_force(key)) {
            return Err(Denied::Unauthenticated.into());
        }
        Ok(keys)
    }

    fn is_in_force(&self, key: &Model) -> bool {
        is_in_force(key, self.services.now())
    }

    fn secret(&self) -> String {
        format!("{KEY_PREFIX}{}", self.services.ids.random_secret())
    }

    async fn row(
        &self,
        secret: &str,
        new: &NewKey,
        expires_at: Option<Timestamp>,
        by: Option<&Staff>,
    ) -> Result<Model> {
        Ok(Model {
            id: self.services.ids.make::<ids::ApiKey>(),
            name: crate::tenants::validate_name(&new.name)?,
            prefix: secret.chars().take(SHOWN).collect(),
            hash: self.services.secrets().digest(secret).await?,
            created_at: self.services.now(),
            expires_at,
            revoked_at: None,
            permissions: roles::permission_names(&new.permissions),
            tenant_id: new.tenant,
            last_used_at: None,
            replaced_by: None,
            created_by: by.map(Staff::key),
        })
    }
}

/// Waits for concurrent changes of keys to finish. Not needed on SQLite, which has a single writer.
async fn one_at_a_time(txn: &impl ConnectionTrait) -> Result<()> {
    if txn.get_database_backend() == DatabaseBackend::Postgres {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended('api_key', 0))";
        txn.execute_raw(Statement::from_string(DatabaseBackend::Postgres, sql)).await?;
    }
    Ok(())
}

fn may_take(by: &Staff, key: &Model) -> Result<()> {
    roles::require_revocable(|permission| by.has_permission(permission), &permissions_of(key))
}

/// How long a successor of a key lives: as long as its predecessor was meant to, so that one rotation of a temporary key
/// does not make it a lasting one.
fn lifetime_of(key: &Model, usual: std::time::Duration) -> Duration {
    let usual = Duration::from_std(usual).unwrap_or(Duration::MAX);
    key.expires_at.map_or(usual, |end| usual.min(end - key.created_at))
}

fn shown(key: &Model) -> String {
    key.id.to_string()
}

/// The audit representation of a key, which includes its prefix.
fn audit_json(key: &Model) -> Json {
    json!({
        "id": shown(key), "name": key.name, "prefix": key.prefix, "permissions": key.permissions,
        "tenant": key.tenant_id, "expiresAt": key.expires_at,
        "revokedAt": key.revoked_at, "replacedBy": key.replaced_by, "createdBy": key.created_by,
    })
}

async fn insert(key: &Model, conn: &impl ConnectionTrait) -> Result<()> {
    Entity::insert(ActiveModel::from(key.clone())).exec_without_returning(conn).await?;
    Ok(())
}

async fn by_digest(digest: &[u8], conn: &impl ConnectionTrait) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Hash.eq(digest)).one(conn).await?)
}

fn is_well_formed(secret: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    secret
        .strip_prefix(KEY_PREFIX)
        .is_some_and(|digits| digits.len() == DIGITS && digits.chars().all(is_digit))
}
