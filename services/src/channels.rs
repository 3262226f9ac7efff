//! Push channels: subscriptions to a provider's notifications, and the processing of notifications.
//!
//! A notification is only a hint that a mailbox has changed; the mailbox is then read again with the stored consent.
//! The sender is authenticated by the channel's secret, which only the provider has; the rest of the notification is
//! not trusted.

use std::collections::{BTreeMap, HashSet};

use domain::{
    Id, Timestamp, ids,
    state::{ConnectionState, IntegrationState, Lane},
    text,
};
use entity::{
    channel::{ActiveModel, Column, Entity, Model},
    tenant_lookup::{self, Kind},
};
use providers::{Channel, ErrorKind};
pub use providers::{ChannelNotification, ParsedPush, PushRequest};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use crate::{
    Result, System, connections, departure,
    proof::{Anyone, TenantScope},
    run_inputs::{Activate, RunInput},
    vault::{Column as Sealed, SealContext},
};

/// How long before its expiry a push channel is renewed.
const EARLY: chrono::Duration = chrono::Duration::hours(24);

crate::noun! {
    /// Push channels.
    Channels
}

/// Until when a provider reports changes of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushChannel {
    /// The mailbox whose changes are reported.
    pub connection: Id<ids::Connection>,
    /// When the channel expires unless it is renewed, which happens a day earlier.
    pub expires_at: Timestamp,
}

impl Channels {
    /// The push channels of these mailboxes, for a data loader.
    pub async fn of_connections(
        &self,
        scope: TenantScope,
        connections: &[Id<ids::Connection>],
    ) -> Result<Vec<PushChannel>> {
        let txn = self.services.read(scope.tenant()).await?;
        let theirs = Column::ConnectionId.is_in(connections.iter().copied());
        let live = entity::channel::of(scope.tenant())
            .filter(theirs)
            .filter(Column::ExpiresAt.gt(self.services.now()));
        let rows = live.all(&txn).await?.into_iter();
        Ok(rows
            .map(|row| PushChannel { connection: row.connection_id, expires_at: row.expires_at })
            .collect())
    }

    /// Active connections of providers that support push, but whose push channel is missing or expires soon.
    pub async fn find_without_channel(
        &self,
        _by: &System,
        tenant: Id<ids::Tenant>,
    ) -> Result<Vec<entity::connection::Model>> {
        use entity::{connection, integration};
        let txn = self.services.read(tenant).await?;
        let live = integration::of(tenant)
            .filter(integration::Column::State.is_in(IntegrationState::USABLE.map(IntegrationState::as_str)));
        let pushing: Vec<Id<ids::Integration>> =
            live.all(&txn).await?.into_iter().filter(|row| self.pushes(row)).map(|row| row.id).collect();
        let channels = entity::channel::of(tenant).all(&txn).await?;
        let kept: HashSet<Id<ids::Connection>> =
            channels.into_iter().filter(|row| !self.ends_soon(row)).map(|row| row.connection_id).collect();
        let rows = connection::of(tenant)
            .filter(connection::Column::IntegrationId.is_in(pushing))
            .filter(connection::Column::State.is_in(ConnectionState::READABLE.map(ConnectionState::as_str)))
            .order_by_asc(connection::Column::Id)
            .all(&txn)
            .await?;
        Ok(rows.into_iter().filter(|row| !kept.contains(&row.id)).collect())
    }

    fn pushes(&self, integration: &entity::integration::Model) -> bool {
        let kind = crate::integrations::provider(integration);
        let connector = kind.and_then(|kind| self.services.connectors.get(kind));
        connector.is_ok_and(|connector| connector.features().push)
    }

    fn ends_soon(&self, channel: &Model) -> bool {
        channel.expires_at < self.services.now() + EARLY
    }

    async fn of(&self, connection: &entity::connection::Model) -> Result<Option<Model>> {
        let tenant = connection.tenant_id;
        let txn = self.services.read(tenant).await?;
        let row = entity::channel::of(tenant).filter(Column::ConnectionId.eq(connection.id));
        Ok(row.one(&txn).await?)
    }

    /// Creates or renews the push channel of a connection.
    pub async fn open_or_renew(&self, by: &System, connection: &entity::connection::Model) -> Result<()> {
        let tenant = connection.tenant_id;
        let rows = self
            .services
            .integrations()
            .by_ids(by.tenant_scope(tenant), &[connection.integration_id])
            .await?;
        let Some(integration) = rows.into_iter().next() else { return Ok(()) };
        let (provider, session) =
            self.services.grants().open_for_mailbox(by, &integration, connection).await?;
        if let Some(known) = self.of(connection).await? {
            match provider.renew(&session, &known.external_id).await {
                Ok(channel) => return self.renewed(connection, known.id, &channel).await,
                Err(error) if error.kind == ErrorKind::Gone => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (id, secret) = (self.services.ids.make::<ids::Row>(), self.services.ids.random_secret());
        let Some(hook) = provider.hook() else { return Ok(()) };
        let url = self.services.settings.absolute_url(hook);
        let channel = provider.watch(&session, &connection.address, &url, &secret).await?;
        self.store(connection, id, &channel, &secret).await
    }

    /// The row of a renewed channel. The stored secret is kept, even if it was sealed with another key in the meantime.
    async fn renewed(
        &self,
        connection: &entity::connection::Model,
        id: Id<ids::Row>,
        channel: &Channel,
    ) -> Result<()> {
        let tx = self.services.begin(connection.tenant_id).await?;
        entity::channel::update(tx.tenant())
            .filter(Column::Id.eq(id))
            .col_expr(Column::ExternalId, Expr::value(channel.id.clone()))
            .col_expr(Column::ExpiresAt, Expr::value(channel.expires_at))
            .exec(tx.conn())
            .await?;
        tx.commit().await
    }

    async fn store(
        &self,
        connection: &entity::connection::Model,
        id: Id<ids::Row>,
        channel: &Channel,
        secret: &str,
    ) -> Result<()> {
        let tx = self.services.begin(connection.tenant_id).await?;
        let place = seal_context(connection.tenant_id, connection.id);
        let sealed = self.services.secrets().seal(tx.conn(), place, secret.as_bytes()).await?;
        let row = ActiveModel {
            id: Set(id),
            tenant_id: Set(connection.tenant_id),
            connection_id: Set(connection.id),
            external_id: Set(channel.id.clone()),
            secret: Set(sealed),
            expires_at: Set(channel.expires_at),
        };
        let changed = [Column::ExternalId, Column::Secret, Column::ExpiresAt];
        Entity::insert(row)
            .on_conflict(
                OnConflict::columns([Column::TenantId, Column::ConnectionId])
                    .update_columns(changed)
                    .to_owned(),
            )
            .exec_without_returning(tx.conn())
            .await?;
        tx.commit().await
    }

    /// Parses a push request to `path`; `None` if no provider of this installation uses that path.
    pub fn parse_push(&self, _by: Anyone, path: &str, request: &PushRequest<'_>) -> Option<ParsedPush> {
        self.services.connectors.by_webhook_path(path).map(|connector| connector.read_push(request))
    }

    /// Processes the notifications of one push request. Returns the number of affected channels; see
    /// [`Self::handle_push`] and [`Self::handle_notices`].
    pub async fn handle_push_request(&self, by: Anyone, notices: &[ChannelNotification]) -> Result<usize> {
        match notices {
            [one] if one.is_part => Ok(usize::from(self.handle_push(by, &one.channel, &one.secret).await?)),
            many => self.handle_notices(by, many).await,
        }
    }

    /// Processes a notification about one channel: its mailbox will be read again soon. Returns `false`, without any
    /// effect, if the channel is unknown or the secret is wrong.
    pub async fn handle_push(&self, _by: Anyone, external_id: &str, secret: &str) -> Result<bool> {
        let (name, store) = (text::escape_provider_token(external_id.to_owned()), &self.services.store);
        let Some(tenant) = tenant_lookup::tenant_of(store, Kind::Channel, key_of(&name)).await? else {
            return Ok(false);
        };
        let txn = store.read(tenant).await?;
        let found = entity::channel::of(tenant).filter(named(&name)).one(&txn).await?;
        // Whoever waits for a second connection while holding one can bring a full pool to a halt.
        drop(txn);
        let Some(channel) = found else { return Ok(false) };
        if !is_same(&self.secret_of(&channel).await?, secret) {
            return Ok(false);
        }
        self.take(tenant, &[(channel, false)]).await?;
        Ok(true)
    }

    /// Processes notifications about many channels, possibly of several tenants: their mailboxes will be read again
    /// soon, and expired channels will be renewed or recreated in the next round. Returns the number of affected
    /// channels; notifications with an unknown channel or a wrong secret are skipped.
    ///
    /// The sender is not authenticated yet: all channels are looked up with one statement, however many the request
    /// names, and only existing channels cost more, a fixed number of statements for each tenant. If one tenant's
    /// notifications cannot be stored, those of other tenants still are; the error is returned after all were tried.
    pub async fn handle_notices(&self, _by: Anyone, notices: &[ChannelNotification]) -> Result<usize> {
        let mut by_channel: ByChannel<'_> = BTreeMap::new();
        for notice in notices {
            by_channel.entry(text::escape_provider_token(notice.channel.clone())).or_default().push(notice);
        }
        let keys = by_channel.keys().map(|name| key_of(name).to_vec());
        let tenants = tenant_lookup::tenants_of(&self.services.store, Kind::Channel, keys).await?;
        let (mut taken, mut failed) = (0, None);
        for tenant in tenants {
            match self.notified_in(tenant, &by_channel).await {
                Ok(channels) => taken += channels,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(taken), Err)
    }

    /// Selects the notifications about one tenant's channels that contain the right secrets.
    async fn notified_in(&self, tenant: Id<ids::Tenant>, notices: &ByChannel<'_>) -> Result<usize> {
        let txn = self.services.read(tenant).await?;
        let named = entity::channel::of(tenant).filter(Column::ExternalId.is_in(notices.keys()));
        let channels = named.all(&txn).await?;
        drop(txn);
        let mut known = Vec::new();
        for channel in channels {
            let secret = self.secret_of(&channel).await?;
            let about = notices.get(&channel.external_id).into_iter().flatten();
            let believed: Vec<_> = about.filter(|notice| is_same(&secret, &notice.secret)).collect();
            if !believed.is_empty() {
                known.push((channel, believed.iter().any(|notice| notice.has_lapsed)));
            }
        }
        if !known.is_empty() {
            self.take(tenant, &known).await?;
        }
        Ok(known.len())
    }

    async fn secret_of(&self, channel: &Model) -> Result<Vec<u8>> {
        let place = seal_context(channel.tenant_id, channel.connection_id);
        self.services.secrets().open(place, &channel.secret).await
    }

    /// Enqueues reading the channels' mailboxes, and removes expired channels: notifications may have been lost when
    /// they expired.
    async fn take(&self, tenant: Id<ids::Tenant>, channels: &[(Model, bool)]) -> Result<()> {
        let mut tx = self.services.begin(tenant).await?;
        let lapsed: Vec<Id<ids::Row>> =
            channels.iter().filter(|(_, has_lapsed)| *has_lapsed).map(|(channel, _)| channel.id).collect();
        if !lapsed.is_empty() {
            let ended = entity::channel::update(tenant)
                .col_expr(Column::ExpiresAt, Expr::value(tx.now()))
                .filter(Column::Id.is_in(lapsed));
            ended.exec(tx.conn()).await?;
        }
        let watched = channels.iter().map(|(channel, _)| channel.connection_id);
        let connections = entity::connection::of(tenant)
            .filter(entity::connection::Column::Id.is_in(watched))
            .all(tx.conn())
            .await?;
        // A channel outlives the connection of somebody who left: a push must not bring that mailbox back, nor one of an
        // integration that is being disconnected.
        let retiring = departure::retiring(tx.conn(), tenant).await?;
        let readable = connections
            .iter()
            .filter(|row| connections::is_readable(row) && !retiring.contains(&row.integration_id));
        let orders = readable.map(|row| RunInput::Activate(Activate { connection: row.id, campaign: None }));
        // A reading that is under way may have passed the change already; the periodic one will not.
        tx.enqueue_runs(orders, "push", Lane::Background).await?;
        tx.commit().await
    }
}

/// The notifications of one push request, by the channel that they name.
type ByChannel<'a> = BTreeMap<String, Vec<&'a ChannelNotification>>;

/// The part of a channel's id by which its tenant is found: the part before the vertical bar, which notifications
/// contain.
fn key_of(name: &str) -> &[u8] {
    name.split('|').next().unwrap_or_default().as_bytes()
}

/// Compares secrets in constant time.
fn is_same(known: &[u8], given: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(known, given.as_bytes()).is_ok()
}

/// The seal context of a channel's secret. Secrets are bound to the connection, because channels are replaced.
fn seal_context(tenant: Id<ids::Tenant>, connection: Id<ids::Connection>) -> SealContext {
    Sealed::ChannelSecret.at(tenant, connection)
}

/// The condition that selects the channel with this name. Google's ids continue after a vertical bar with data that
/// notifications lack; the part before the bar is Muster's own id, so the prefix match finds nothing else.
fn named(external_id: &str) -> Condition {
    let whole = Condition::any().add(Column::ExternalId.eq(external_id));
    match Uuid::try_parse(external_id) {
        Ok(id) => whole.add(Column::ExternalId.starts_with(format!("{}|", id.hyphenated()))),
        Err(_) => whole,
    }
}
