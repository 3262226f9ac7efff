//! Key pairs that sign access tokens, and this node's cache of unsealed keys.
//!
//! A private key is stored sealed and unsealed in memory only. Two nodes that start at the same moment may create one
//! key each: both are in the table, so each node accepts the other's tokens.

#![expect(clippy::disallowed_methods, reason = "keys belong to the installation")]

use std::{sync::Arc, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use domain::{Id, Timestamp, ids};
use entity::signing_key::{ActiveModel, Column, Entity, Model};
use jsonwebtoken::{DecodingKey, EncodingKey};
use moka::sync::Cache;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};
use serde_json::{Value, json};

use super::Keys;
use crate::{
    Error, Result, System,
    access::CLOCK_LEEWAY_SECONDS,
    audit::{AuditFacts, ENGINE_ACTOR, OPERATOR_ACTOR},
    proof::Anyone,
    secrets::KeyRing,
    vault::{Column as Sealed, SealContext},
};

/// How long an unsealed key is cached, and thus how long another node may continue to sign with a rotated key.
const OPENED_FOR: Duration = Duration::from_mins(1);

/// This node's cache of unsealed keys: signing keys and tenants' data keys.
#[derive(Debug)]
pub struct OpenedKeyCache {
    current: Cache<(), SigningKey>,
    verifying: Cache<Id<ids::SigningKey>, (DecodingKey, Option<Timestamp>)>,
    pub(crate) data_keys: Cache<Id<ids::Tenant>, KeyRing>,
}

impl Default for OpenedKeyCache {
    fn default() -> Self {
        fn cache<K, V>(size: u64) -> Cache<K, V>
        where
            K: std::hash::Hash + Eq + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
        {
            Cache::builder().max_capacity(size).time_to_live(OPENED_FOR).build()
        }
        Self { current: cache(1), verifying: cache(64), data_keys: cache(10_000) }
    }
}

/// An unsealed signing key. Its `Debug` output does not contain the key.
#[derive(Clone)]
pub(crate) struct SigningKey {
    /// The `kid` of tokens signed with the key.
    pub(crate) id: Id<ids::SigningKey>,
    /// The private key.
    pub(crate) key: Arc<EncodingKey>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

impl Keys {
    /// The public keys as a JSON Web Key Set (RFC 7517, RFC 8037), for `/.well-known/jwks.json`. The set contains a key
    /// until the last token that it signed has expired.
    pub async fn jwks(&self, _by: Anyone) -> Result<Value> {
        let keys = self.signing_keys(self.services.store.installation_connection()).await?;
        let jwk = |key: &Model| {
            json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": "EdDSA",
                "kid": key.id.uuid().to_string(),
                "x": URL_SAFE_NO_PAD.encode(&key.public_key),
            })
        };
        let verifies = |key: &&Model| self.verifies(key.retires_at);
        Ok(json!({ "keys": keys.iter().filter(verifies).map(jwk).collect::<Vec<_>>() }))
    }

    /// Adds a signing key at the operator's request. New tokens are signed with it; tokens signed with previous keys
    /// stay valid until they expire, after which those keys are deleted.
    pub async fn rotate_signing_key(&self, _by: &System) -> Result<Id<ids::SigningKey>> {
        self.rotate_signing_by(OPERATOR_ACTOR).await
    }

    async fn rotate_signing_by(&self, actor: &str) -> Result<Id<ids::SigningKey>> {
        let mut tx = self.services.begin_installation().await?;
        let last = self.services.now() + self.services.settings.token_lifetime + OPENED_FOR;
        Entity::update_many()
            .filter(Column::RetiresAt.is_null())
            .col_expr(Column::RetiresAt, Expr::value(last + TimeDelta::seconds(CLOCK_LEEWAY_SECONDS)))
            .exec(tx.conn())
            .await?;
        let key = self.make_signing_key(tx.conn()).await?;
        tx.audit(
            actor,
            "signing_key.rotate",
            key.id.uuid().to_string(),
            AuditFacts::for_creation(audit_json(&key)),
        );
        tx.commit().await?;
        self.opened_keys().current.invalidate_all();
        self.opened_keys().verifying.invalidate_all();
        Ok(key.id)
    }

    /// Rotates the signing key when it is due, and destroys retired keys. Called periodically by the engine.
    pub async fn maintain_signing_keys(&self, _by: &System) -> Result<()> {
        let now = self.services.now();
        let keys = self.signing_keys(self.services.store.installation_connection()).await?;
        if keys.iter().any(|key| !self.verifies(key.retires_at)) {
            let mut tx = self.services.begin_installation().await?;
            let retired = Entity::find().filter(Column::RetiresAt.lte(now)).all(tx.conn()).await?;
            Entity::delete_many().filter(Column::RetiresAt.lte(now)).exec(tx.conn()).await?;
            for key in retired {
                tx.audit(
                    ENGINE_ACTOR,
                    "signing_key.retire",
                    key.id.uuid().to_string(),
                    AuditFacts::for_deletion(audit_json(&key)),
                );
            }
            tx.commit().await?;
        }
        let signs = keys.iter().rfind(|key| key.retires_at.is_none());
        if signs.is_some_and(|key| key.created_at + self.services.settings.signing_key_lifetime <= now) {
            self.rotate_signing_by(ENGINE_ACTOR).await?;
        }
        Ok(())
    }

    /// The current signing key, created if there is none yet.
    pub(crate) async fn signing_key(&self) -> Result<SigningKey> {
        if let Some(key) = self.opened_keys().current.get(&()) {
            return Ok(key);
        }
        let newest = self.signs(self.services.store.installation_connection()).await?;
        let row = match newest {
            Some(row) => row,
            None => self.first_signing_key().await?,
        };
        let private = self.services.vault.open(seal_context(row.id), &row.private_key)?;
        let key = SigningKey { id: row.id, key: Arc::new(EncodingKey::from_ed_der(&private)) };
        self.opened_keys().current.insert((), key.clone());
        Ok(key)
    }

    /// The public key with this `kid`; `None` if it does not exist or has retired.
    pub(crate) async fn verifying_key(&self, id: Id<ids::SigningKey>) -> Result<Option<DecodingKey>> {
        let known = match self.opened_keys().verifying.get(&id) {
            Some(known) => known,
            None => {
                let row = Entity::find_by_id(id).one(self.services.store.installation_connection()).await?;
                let Some(row) = row else { return Ok(None) };
                let known = (DecodingKey::from_ed_der(&row.public_key), row.retires_at);
                self.opened_keys().verifying.insert(id, known.clone());
                known
            }
        };
        let (key, retires_at) = known;
        Ok(self.verifies(retires_at).then_some(key))
    }

    fn verifies(&self, retires_at: Option<Timestamp>) -> bool {
        retires_at.is_none_or(|at| self.services.now() < at)
    }

    async fn signs(&self, conn: &impl ConnectionTrait) -> Result<Option<Model>> {
        Ok(self.signing_keys(conn).await?.into_iter().rfind(|key| key.retires_at.is_none()))
    }

    /// This node's cache of unsealed keys.
    pub(crate) fn opened_keys(&self) -> &OpenedKeyCache {
        self.services.signing.get_or_init(OpenedKeyCache::default)
    }

    /// Checks again for a signing key within a writing transaction, because another node may have created one, and
    /// otherwise creates it.
    async fn first_signing_key(&self) -> Result<Model> {
        let mut tx = self.services.begin_installation().await?;
        let row = match self.signs(tx.conn()).await? {
            Some(row) => row,
            None => {
                let key = self.make_signing_key(tx.conn()).await?;
                tx.audit(
                    ENGINE_ACTOR,
                    "signing_key.create",
                    key.id.uuid().to_string(),
                    AuditFacts::for_creation(audit_json(&key)),
                );
                key
            }
        };
        tx.commit().await?;
        Ok(row)
    }

    async fn signing_keys(&self, conn: &impl ConnectionTrait) -> Result<Vec<Model>> {
        Ok(Entity::find().order_by_asc(Column::Id).all(conn).await?)
    }

    async fn make_signing_key(&self, conn: &impl ConnectionTrait) -> Result<Model> {
        let unusable = || Error::Unreadable { what: "signing_key" };
        let seed: [u8; 32] = self.services.ids.random_bytes();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| unusable())?;
        let private = pair.to_pkcs8().map_err(|_| unusable())?;
        let id = self.services.ids.make();
        let secrets = self.services.secrets();
        let sealed = secrets.seal_for_installation(conn, seal_context(id), private.as_ref()).await?;
        let row = Model {
            id,
            public_key: pair.public_key().as_ref().to_vec(),
            private_key: sealed,
            created_at: self.services.now(),
            retires_at: None,
        };
        Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(conn).await?;
        Ok(row)
    }
}

/// The audit representation of a signing key.
fn audit_json(key: &Model) -> Value {
    json!({ "publicKey": URL_SAFE_NO_PAD.encode(&key.public_key), "retiresAt": key.retires_at })
}

fn seal_context(row: Id<ids::SigningKey>) -> SealContext {
    Sealed::SigningKeyPrivate.at(Id::nil(), row)
}
