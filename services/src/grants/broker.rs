//! Provides a connector with the credentials of one consent: they are cached until they expire, and refreshed by one
//! caller at a time.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use domain::{Id, ProviderKind, Timestamp, ids};
use providers::{
    Credential, Credentials, Error as ProviderError, ErrorKind, IssuedToken, Provider, Remedy, Secret,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseBackend, DatabaseTransaction, QueryFilter, QuerySelect,
    sea_query::Expr,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use super::{lost, read, seal_context};
use crate::{Error, Result, Services, messages, vault::Column};

/// An access token and when it expires.
type Live = (SecretString, Timestamp);

/// Access tokens in memory, one slot for each grant; the caller that locks a slot refreshes its token.
#[derive(Debug, Clone, Default)]
pub(super) struct TokenCache {
    slots: Arc<std::sync::Mutex<BTreeMap<Id<ids::Grant>, Slot>>>,
    /// Limits the number of database connections that are occupied while a provider responds.
    held: Arc<OnceLock<Semaphore>>,
}

/// The lockable slot for the access token of one grant.
type Slot = Arc<Mutex<Option<Live>>>;

impl TokenCache {
    fn slot(&self, grant: Id<ids::Grant>) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(slots.entry(grant).or_default())
    }

    /// Waits for permission to lock a row, so that at least half of the database connections stay available for other
    /// work.
    async fn may_hold(&self, connections: u32) -> Option<SemaphorePermit<'_>> {
        let half = usize::try_from(connections / 2).unwrap_or_default().max(1);
        self.held.get_or_init(|| Semaphore::new(half)).acquire().await.ok()
    }
}

/// Requirements that an access token must meet.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted<'a> {
    /// The token that the provider refused, so that a different token is needed.
    other_than: Option<&'a SecretString>,
    /// Additional claims that the provider requires in a newly issued token.
    claims: Option<&'a str>,
}

impl Wanted<'_> {
    fn refuses(self, token: &SecretString) -> bool {
        self.other_than.is_some_and(|refused| refused.expose_secret() == token.expose_secret())
    }
}

/// How long before their expiry access tokens are renewed.
const EARLY: Duration = Duration::from_mins(5);

/// The credentials of a consent that is not in effect yet.
#[derive(Debug)]
pub(super) struct TrialCredentials {
    pub(super) connector: Arc<dyn Provider>,
    pub(super) secret: Secret,
}

#[async_trait]
impl Credentials for TrialCredentials {
    async fn current(&self) -> providers::Result<Credential> {
        Ok(Credential::Bearer(self.connector.token(&self.secret, None).await?.token))
    }

    async fn renewed(&self, _refused: &Credential, claims: Option<&str>) -> providers::Result<Credential> {
        Ok(Credential::Bearer(self.connector.token(&self.secret, claims).await?.token))
    }
}

/// Credentials of one grant.
#[derive(Debug, Clone)]
pub(super) struct GrantCredentials {
    pub(super) services: Services,
    pub(super) tenant: Id<ids::Tenant>,
    pub(super) grant: Id<ids::Grant>,
    pub(super) kind: ProviderKind,
    /// Whether the consent counts only while its organisation is bound to the tenant; a person's own consent in a
    /// personal integration stands by itself.
    pub(super) needs_binding: bool,
    pub(super) connector: Arc<dyn Provider>,
}

#[async_trait]
impl Credentials for GrantCredentials {
    async fn current(&self) -> providers::Result<Credential> {
        self.token(Wanted::default()).await
    }

    async fn renewed(&self, refused: &Credential, claims: Option<&str>) -> providers::Result<Credential> {
        match refused {
            Credential::Bearer(token) => self.token(Wanted { other_than: Some(token), claims }).await,
            Credential::Basic { .. } | Credential::ServiceAccount(_) | Credential::Keyless(_) => {
                Err(ProviderError::new(
                    ErrorKind::GrantLost,
                    Remedy::Reconnect,
                    "401",
                    messages::password_refused(),
                ))
            }
        }
    }
}

impl GrantCredentials {
    async fn token(&self, wanted: Wanted<'_>) -> providers::Result<Credential> {
        let slot = self.services.connectors.tokens.slot(self.grant);
        let mut live = slot.lock().await;
        if let Some((token, ends)) = &*live
            && !wanted.refuses(token)
            && self.lasts(*ends)
        {
            return Ok(Credential::Bearer(token.clone()));
        }
        *live = None;
        let fetched = self.fetch(wanted).await.map_err(|error| match error {
            Error::Provider(error) => error,
            other => ProviderError::new(
                ErrorKind::Unavailable,
                Remedy::RetryAfter(Duration::from_secs(2)),
                other.code(),
                messages::stored_consent_unreadable(),
            ),
        })?;
        Ok(match fetched {
            Fetched::Token(fetched) => Credential::Bearer(live.insert(fetched).0.clone()),
            Fetched::Key(credential) => credential,
        })
    }

    fn lasts(&self, ends: Timestamp) -> bool {
        self.services.now() + EARLY < ends
    }

    async fn fetch(&self, wanted: Wanted<'_>) -> Result<Fetched> {
        let (secret, stored) = self.consent(wanted).await?;
        if let Some(credential) = secret.fixed_credential()? {
            return Ok(Fetched::Key(credential));
        }
        match stored {
            Some(live) if secret.is_personal() => Ok(Fetched::Token(live)),
            None if secret.is_personal() => self.rotate(wanted).await.map(Fetched::Token),
            _ => Ok(Fetched::Token(self.exchange(&secret, wanted.claims).await?.0)),
        }
    }

    /// Reads the stored consent, and the stored access token if it is still valid and meets the requirements. Fails if
    /// the organisation no longer belongs to the tenant.
    async fn consent(&self, wanted: Wanted<'_>) -> Result<(Secret, Option<Live>)> {
        let txn = self.services.read(self.tenant).await?;
        let row = entity::consent_grant::by_id(self.tenant, self.grant).one(&txn).await?;
        let row = row.filter(|row| !row.lost).ok_or_else(lost)?;
        let secret = self.secret(&txn, &row).await?;
        if let Some(external) = secret.organisation().filter(|_| self.needs_binding) {
            let binding = super::find_binding(&txn, self.kind, external, self.tenant).await?;
            binding.ok_or_else(lost)?;
        }
        let stored = self.stored(&txn, &row, wanted).await;
        Ok((secret, stored))
    }

    async fn secret(&self, txn: &impl ConnectionTrait, row: &entity::consent_grant::Model) -> Result<Secret> {
        let at = Column::ConsentGrantSecret.at(self.tenant, row.id);
        read(&self.services.secrets().open_in_tx(txn, at, &row.secret).await?)
    }

    /// The access token stored by any node, if it is still valid and meets the requirements. An unreadable token is
    /// ignored.
    async fn stored(
        &self,
        txn: &impl ConnectionTrait,
        row: &entity::consent_grant::Model,
        wanted: Wanted<'_>,
    ) -> Option<Live> {
        let (sealed, ends) = (row.access_token.as_deref()?, row.expires_at?);
        if !self.lasts(ends) {
            return None;
        }
        let at = Column::ConsentGrantAccessToken.at(self.tenant, row.id);
        let plain = self.services.secrets().open_in_tx(txn, at, sealed).await.ok()?;
        let token = SecretString::from(String::from_utf8(plain).ok()?);
        (!wanted.refuses(&token)).then_some((token, ends))
    }

    /// Exchanges the refresh token while its row is locked: the row is read again after locking, and the new tokens are
    /// stored before they are used. A node that waited for the lock finds the access token that another node has
    /// stored. SQLite is used by one process only, for which the slot suffices; occupying its only writing connection
    /// while a provider responds would block all other work.
    async fn rotate(&self, wanted: Wanted<'_>) -> Result<Live> {
        let store = &self.services.store;
        if store.backend() != DatabaseBackend::Postgres {
            let (secret, _) = self.consent(wanted).await?;
            let exchanged = self.exchange(&secret, wanted.claims).await?;
            return self.keep(store.write(self.tenant).await?, exchanged).await;
        }
        let _held = self.services.connectors.tokens.may_hold(store.max_connections()).await;
        let txn = store.write(self.tenant).await?;
        let row = entity::consent_grant::by_id(self.tenant, self.grant).lock_exclusive().one(&txn).await?;
        let row = row.filter(|row| !row.lost).ok_or_else(lost)?;
        if let Some(live) = self.stored(&txn, &row, wanted).await {
            return Ok(live);
        }
        let exchanged = self.exchange(&self.secret(&txn, &row).await?, wanted.claims).await?;
        self.keep(txn, exchanged).await
    }

    /// Stores the sealed tokens of an exchange, and commits.
    async fn keep(&self, txn: DatabaseTransaction, (live, next): Exchanged) -> Result<Live> {
        use entity::consent_grant::{Column as Row, update};
        let (secrets, (token, ends)) = (self.services.secrets(), &live);
        let at = Column::ConsentGrantAccessToken.at(self.tenant, self.grant);
        let sealed = secrets.seal(&txn, at, token.expose_secret().as_bytes()).await?;
        let mut statement = update(self.tenant)
            .filter(Row::Id.eq(self.grant))
            .col_expr(Row::AccessToken, Expr::value(sealed))
            .col_expr(Row::ExpiresAt, Expr::value(*ends));
        if let Some(next) = next {
            let sealed =
                self.services.grants().seal(&txn, seal_context(self.tenant, self.grant), &next).await?;
            statement = statement.col_expr(Row::Secret, Expr::value(sealed));
        }
        statement.exec(&txn).await?;
        txn.commit().await?;
        Ok(live)
    }

    /// Exchanges a consent for an access token at the provider.
    async fn exchange(&self, secret: &Secret, claims: Option<&str>) -> Result<Exchanged> {
        let IssuedToken { token, expires_in, next } = self.connector.token(secret, claims).await?;
        Ok(((token, self.services.now() + expires_in), next))
    }
}

/// An access token, and the consent that replaces the stored one if the refresh token was rotated.
type Exchanged = (Live, Option<Secret>);

enum Fetched {
    Token(Live),
    /// A credential that never expires.
    Key(Credential),
}
