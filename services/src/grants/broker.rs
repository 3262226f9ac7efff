//! Credentials of one consent for a connector: cached until they expire, refreshed by one caller at a time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{ProviderKind, Timestamp};
use providers::{
    Credential, Credentials, Error as ProviderError, ErrorKind, Remedy, microsoft::identity::Identity,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseBackend, QueryFilter, QuerySelect, sea_query::Expr};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Secret, lost, place, service_account};
use crate::{Error, Result, Services};

/// An access token and when it expires.
type Live = (SecretString, Timestamp);

/// Access tokens in memory, one slot for each grant; whoever holds the slot refreshes.
#[derive(Debug, Clone, Default)]
pub(super) struct Tokens(Arc<std::sync::Mutex<BTreeMap<Uuid, Slot>>>);

/// The slot for one grant's access token.
type Slot = Arc<Mutex<Option<Live>>>;

impl Tokens {
    fn slot(&self, grant: Uuid) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(slots.entry(grant).or_default())
    }
}

/// How long before its expiry a token is renewed.
const EARLY: Duration = Duration::from_mins(5);

/// The application's own token within an organisation that is not bound yet.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) identity: Identity,
    pub(super) external: String,
}

#[async_trait]
impl Credentials for Trial {
    async fn current(&self) -> providers::Result<Credential> {
        Ok(Credential::Bearer(self.identity.app_token(&self.external).await?.access_token))
    }

    async fn renewed(&self, _refused: &Credential, claims: Option<&str>) -> providers::Result<Credential> {
        Ok(Credential::Bearer(self.identity.app_token_for(&self.external, claims).await?.access_token))
    }
}

/// Credentials of one grant.
#[derive(Debug, Clone)]
pub(super) struct Broker {
    pub(super) services: Services,
    pub(super) tenant: Uuid,
    pub(super) grant: Uuid,
    pub(super) provider: ProviderKind,
}

#[async_trait]
impl Credentials for Broker {
    async fn current(&self) -> providers::Result<Credential> {
        self.token(None, None).await
    }

    async fn renewed(&self, refused: &Credential, claims: Option<&str>) -> providers::Result<Credential> {
        match refused {
            Credential::Bearer(token) => self.token(Some(token), claims).await,
            Credential::Basic { .. } | Credential::ServiceAccount(_) | Credential::Keyless(_) => {
                Err(ProviderError::new(
                    ErrorKind::GrantLost,
                    Remedy::Reconnect,
                    "401",
                    "The calendar system no longer accepts the stored password.",
                ))
            }
        }
    }
}

impl Broker {
    async fn token(
        &self,
        refused: Option<&SecretString>,
        claims: Option<&str>,
    ) -> providers::Result<Credential> {
        let slot = self.services.connectors.tokens.slot(self.grant);
        let mut live = slot.lock().await;
        if let Some((token, ends)) = &*live {
            let stale = refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret());
            if !stale && self.services.now() + EARLY < *ends {
                return Ok(Credential::Bearer(token.clone()));
            }
        }
        *live = None;
        let fetched = self.fetch(claims).await.map_err(|error| match error {
            Error::Provider(error) => error,
            other => ProviderError::new(
                ErrorKind::Unavailable,
                Remedy::RetryAfter(Duration::from_secs(2)),
                other.code(),
                "The stored consent could not be read.",
            ),
        })?;
        if let Fetched::Token(token, lasts) = &fetched {
            *live = Some((token.clone(), self.services.now() + *lasts));
        }
        Ok(match fetched {
            Fetched::Token(token, _) => Credential::Bearer(token),
            Fetched::Key(credential) => credential,
        })
    }

    async fn fetch(&self, claims: Option<&str>) -> Result<Fetched> {
        let grants = self.services.grants();
        let row = self.row().await?;
        let secret = grants.open(&row).await?;
        if let Some(external) = secret.external()
            && !grants.is_bound(self.provider, external, self.tenant).await?
        {
            return Err(lost().into());
        }
        match secret {
            Secret::Basic { user, password } => {
                Ok(Fetched::Key(Credential::Basic { user, password: password.into() }))
            }
            Secret::ServiceAccount { key } => Ok(Fetched::Key(service_account(&key)?)),
            Secret::Keyless { service_account } => {
                Ok(Fetched::Key(Credential::Keyless(service_account.into())))
            }
            Secret::MicrosoftApp { external } => {
                let tokens = self.services.connectors.microsoft()?.app_token_for(&external, claims).await?;
                Ok(Fetched::Token(tokens.access_token, tokens.expires_in))
            }
            Secret::MicrosoftUser { .. } | Secret::GoogleUser { .. } => self.rotate(claims).await,
        }
    }

    async fn row(&self) -> Result<entity::consent_grant::Model> {
        let txn = self.services.store.read(self.tenant).await?;
        let row = entity::consent_grant::one(self.tenant, self.grant).one(&txn).await?;
        Ok(row.filter(|row| !row.lost).ok_or_else(lost)?)
    }

    /// Exchanges the refresh token under a lock on its row: the row is read again inside the lock, and the new refresh
    /// token is stored before the new access token is used. On SQLite, which belongs to one process, the slot
    /// suffices; holding its only writing connection while waiting for a provider would block everybody.
    async fn rotate(&self, claims: Option<&str>) -> Result<Fetched> {
        let postgres = self.services.store.backend() == DatabaseBackend::Postgres;
        let lock = if postgres { Some(self.services.store.write(self.tenant).await?) } else { None };
        let row = match &lock {
            Some(txn) => {
                let select = entity::consent_grant::one(self.tenant, self.grant).lock_exclusive();
                select.one(txn).await?.filter(|row| !row.lost).ok_or_else(lost)?
            }
            None => self.row().await?,
        };
        let grants = self.services.grants();
        let (fetched, next) = self.exchange(grants.open(&row).await?, claims).await?;
        if let Some(next) = next {
            let txn = match lock {
                Some(txn) => txn,
                None => self.services.store.write(self.tenant).await?,
            };
            let sealed = grants.seal(&txn, place(self.tenant, row.id), &next).await?;
            self.persist(&txn, sealed).await?;
            txn.commit().await?;
        }
        Ok(fetched)
    }

    /// Exchanges a user's refresh token; returns the consent to store instead, if it changed.
    async fn exchange(&self, secret: Secret, claims: Option<&str>) -> Result<(Fetched, Option<Secret>)> {
        let connectors = &self.services.connectors;
        let text = |token: &SecretString| token.expose_secret().to_owned();
        match secret {
            Secret::MicrosoftUser { external, refresh_token } => {
                let tokens =
                    connectors.microsoft()?.refresh_for(&external, &refresh_token.into(), claims).await?;
                let next = tokens.refresh_token.as_ref().map(text);
                let next = next.map(|refresh_token| Secret::MicrosoftUser { external, refresh_token });
                Ok((Fetched::Token(tokens.access_token, tokens.expires_in), next))
            }
            Secret::GoogleUser { external, refresh_token } => {
                let tokens = connectors.google()?.refresh(&refresh_token.into()).await?;
                let next = tokens.refresh_token.as_ref().map(text);
                let next = next.map(|refresh_token| Secret::GoogleUser { external, refresh_token });
                Ok((Fetched::Token(tokens.access_token, tokens.expires_in), next))
            }
            _ => Err(Error::Unreadable { what: "consent" }),
        }
    }

    async fn persist(&self, txn: &impl ConnectionTrait, sealed: Vec<u8>) -> Result<()> {
        use entity::consent_grant::{Column, update};
        update(self.tenant)
            .filter(Column::Id.eq(self.grant))
            .col_expr(Column::Secret, Expr::value(sealed))
            .exec(txn)
            .await?;
        Ok(())
    }
}

enum Fetched {
    Token(SecretString, Duration),
    /// A credential that never changes.
    Key(Credential),
}
