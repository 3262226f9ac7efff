//! The key pairs that sign access tokens, and what this node has opened of stored keys.
//!
//! A private key is sealed by the vault and opened in memory only. Two nodes that begin at the same moment may make
//! one each: both are in the table, so each node accepts the other's tokens.

#![expect(clippy::disallowed_methods, reason = "keys belong to the installation")]

use std::{sync::Arc, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::access::Staff;
use entity::signing_key::{ActiveModel, Column, Entity, Model};
use jsonwebtoken::{DecodingKey, EncodingKey};
use moka::sync::Cache;
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Keys;
use crate::{
    Error, Result,
    vault::{DataKey, Place},
};

/// How long an opened key is kept: no longer than it may take until a destroyed one is dead everywhere.
const KEPT: Duration = Duration::from_mins(1);

/// What this node has opened of stored keys: signing keys and tenants' data keys.
#[derive(Debug)]
pub struct Signing {
    current: Cache<(), SigningKey>,
    verifying: Cache<Uuid, DecodingKey>,
    pub(crate) data_keys: Cache<Uuid, DataKey>,
}

impl Default for Signing {
    fn default() -> Self {
        fn cache<K, V>(size: u64) -> Cache<K, V>
        where
            K: std::hash::Hash + Eq + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
        {
            Cache::builder().max_capacity(size).time_to_live(KEPT).build()
        }
        Self { current: cache(1), verifying: cache(64), data_keys: cache(10_000) }
    }
}

/// An opened signing key. Never printed.
#[derive(Clone)]
pub(crate) struct SigningKey {
    /// The `kid` of the tokens that it signs.
    pub(crate) id: Uuid,
    /// What signs.
    pub(crate) key: Arc<EncodingKey>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

impl Keys {
    /// The public keys as a JSON Web Key Set (RFC 7517, RFC 8037), for `/.well-known/jwks.json`.
    pub async fn jwks(&self) -> Result<Value> {
        let keys = self.signing_keys(self.services.store.installation()).await?;
        let jwk = |key: &Model| {
            json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": "EdDSA",
                "kid": key.id.to_string(),
                "x": URL_SAFE_NO_PAD.encode(&key.public_key),
            })
        };
        Ok(json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() }))
    }

    /// Makes a further signing key. New tokens are signed with it; tokens of the former ones stay valid until they
    /// expire.
    pub async fn rotate_signing(&self, _by: &Staff) -> Result<()> {
        let txn = self.services.store.write_installation().await?;
        self.make_signing_key(&txn).await?;
        txn.commit().await?;
        self.opened().current.invalidate_all();
        Ok(())
    }

    /// The key that signs now, made if there is none yet.
    pub(crate) async fn signing_key(&self) -> Result<SigningKey> {
        if let Some(key) = self.opened().current.get(&()) {
            return Ok(key);
        }
        let newest = self.signing_keys(self.services.store.installation()).await?.pop();
        let row = match newest {
            Some(row) => row,
            None => self.first_signing_key().await?,
        };
        let private = self.services.vault.open(place(row.id), &row.private_key)?;
        let key = SigningKey { id: row.id, key: Arc::new(EncodingKey::from_ed_der(&private)) };
        self.opened().current.insert((), key.clone());
        Ok(key)
    }

    /// The public key of a `kid`; `None` when no such key was ever made here.
    pub(crate) async fn verifying_key(&self, id: Uuid) -> Result<Option<DecodingKey>> {
        if let Some(key) = self.opened().verifying.get(&id) {
            return Ok(Some(key));
        }
        let row = Entity::find_by_id(id).one(self.services.store.installation()).await?;
        let key = row.map(|row| DecodingKey::from_ed_der(&row.public_key));
        if let Some(key) = &key {
            self.opened().verifying.insert(id, key.clone());
        }
        Ok(key)
    }

    /// What this node has opened.
    pub(crate) fn opened(&self) -> &Signing {
        self.services.signing.get_or_init(Signing::default)
    }

    /// Asks again within a writing transaction: somebody else may have been first.
    async fn first_signing_key(&self) -> Result<Model> {
        let txn = self.services.store.write_installation().await?;
        let row = match self.signing_keys(&txn).await?.pop() {
            Some(row) => row,
            None => self.make_signing_key(&txn).await?,
        };
        txn.commit().await?;
        Ok(row)
    }

    async fn signing_keys(&self, conn: &impl ConnectionTrait) -> Result<Vec<Model>> {
        Ok(Entity::find().order_by_asc(Column::Id).all(conn).await?)
    }

    async fn make_signing_key(&self, conn: &impl ConnectionTrait) -> Result<Model> {
        let unusable = || Error::Unreadable { what: "signing_key" };
        let seed: [u8; 32] = self.services.ids.bytes();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| unusable())?;
        let private = pair.to_pkcs8().map_err(|_| unusable())?;
        let id = self.services.ids.uuid();
        let row = Model {
            id,
            public_key: pair.public_key().as_ref().to_vec(),
            private_key: self.services.vault.seal(place(id), private.as_ref())?,
            created_at: self.services.now(),
        };
        Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(conn).await?;
        Ok(row)
    }
}

fn place(row: Uuid) -> Place {
    Place { tenant: Uuid::nil(), table: "signing_key", column: "private_key", row }
}
