//! Standing requests for a provider's pushes, and what a push does.
//!
//! A push is a hint: it says that a mailbox changed, and the mailbox is read again with our own consent. Nothing in
//! it is believed but the secret that only the provider was given.

use domain::{ProviderKind, ids, state::Lane, text};
use entity::{
    channel::{ActiveModel, Column, Entity, Model},
    tenant_lookup::{self, Kind},
};
use providers::{Channel, ErrorKind};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, Condition, EntityTrait, QueryFilter,
    sea_query::OnConflict,
};
use uuid::Uuid;

use crate::{
    Result, connections,
    orders::{Activate, Order},
    vault::Place,
};

/// Where Microsoft pushes to.
pub const MICROSOFT_HOOK: &str = "/hooks/microsoft";

/// Where Google pushes to.
pub const GOOGLE_HOOK: &str = "/hooks/google";

/// A channel is renewed this long before it ends.
const EARLY: chrono::Duration = chrono::Duration::hours(24);

crate::noun! {
    /// Standing requests for pushes.
    Channels
}

impl Channels {
    /// Active connections of providers that push, without a channel or with one that ends soon.
    pub async fn wanting(&self, tenant: Uuid, max: usize) -> Result<Vec<entity::connection::Model>> {
        use entity::{connection, integration};
        let txn = self.services.store.read(tenant).await?;
        let live = integration::of(tenant).filter(integration::Column::State.is_in(["ACTIVE", "DEGRADED"]));
        let pushing: Vec<Uuid> =
            live.all(&txn).await?.into_iter().filter(|row| self.pushes(row)).map(|row| row.id).collect();
        let channels = entity::channel::of(tenant).all(&txn).await?;
        let kept: Vec<Uuid> =
            channels.into_iter().filter(|row| !self.ends_soon(row)).map(|row| row.connection_id).collect();
        let rows = connection::of(tenant)
            .filter(connection::Column::IntegrationId.is_in(pushing))
            .filter(connection::Column::State.is_in(["ACTIVE", "FREE_BUSY_ONLY"]))
            .all(&txn)
            .await?;
        Ok(rows.into_iter().filter(|row| !kept.contains(&row.id)).take(max).collect())
    }

    fn pushes(&self, integration: &entity::integration::Model) -> bool {
        let kind = crate::integrations::provider(integration);
        let connector = kind.and_then(|kind| self.services.connectors.get(kind));
        connector.is_ok_and(|connector| connector.offers().push)
    }

    fn ends_soon(&self, channel: &Model) -> bool {
        channel.expires_at < self.services.now() + EARLY
    }

    async fn of(&self, connection: &entity::connection::Model) -> Result<Option<Model>> {
        let tenant = connection.tenant_id;
        let txn = self.services.store.read(tenant).await?;
        let row = entity::channel::of(tenant).filter(Column::ConnectionId.eq(connection.id));
        Ok(row.one(&txn).await?)
    }

    /// Makes the connection's channel, or renews the one it has.
    pub async fn keep(&self, connection: &entity::connection::Model) -> Result<()> {
        let tenant = connection.tenant_id;
        let rows = self.services.integrations().among(tenant, &[connection.integration_id]).await?;
        let Some(integration) = rows.into_iter().next() else { return Ok(()) };
        let (provider, session) = self.services.grants().session_of(&integration, connection).await?;
        if let Some(known) = self.of(connection).await? {
            match provider.renew(&session, &known.external_id).await {
                Ok(channel) => return self.store(connection, known.id, &channel, known.secret).await,
                Err(error) if error.kind == ErrorKind::Gone => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (id, secret) = (self.services.ids.make::<ids::Row>().uuid(), self.services.ids.secret());
        let hook = match provider.kind() {
            ProviderKind::GoogleWorkspace => GOOGLE_HOOK,
            _ => MICROSOFT_HOOK,
        };
        let url = self.services.settings.link(hook);
        let channel = provider.watch(&session, &connection.address, &url, &secret).await?;
        let sealed = self
            .services
            .tenants()
            .data_key(tenant)
            .await?
            .seal(place(tenant, connection.id), secret.as_bytes())?;
        self.store(connection, id, &channel, sealed).await
    }

    async fn store(
        &self,
        connection: &entity::connection::Model,
        id: Uuid,
        channel: &Channel,
        sealed: Vec<u8>,
    ) -> Result<()> {
        let tx = self.services.begin(connection.tenant_id).await?;
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

    /// The channel of this name, when whoever names it knows its secret.
    async fn known(&self, external_id: &str, secret: &str) -> Result<Option<Model>> {
        let (named_as, store) = (text::escape(external_id.to_owned()), &self.services.store);
        // What stands behind a bar is in the id and not in the notice.
        let key = named_as.split('|').next().unwrap_or_default().as_bytes();
        let Some(tenant) = tenant_lookup::tenant_of(store, Kind::Channel, key).await? else {
            return Ok(None);
        };
        let txn = store.read(tenant).await?;
        let found = entity::channel::of(tenant).filter(named(&named_as)).one(&txn).await?;
        // Whoever waits for a second connection while holding one can bring a full pool to a halt.
        drop(txn);
        let Some(channel) = found else { return Ok(None) };
        let key = self.services.tenants().data_key(channel.tenant_id).await?;
        let known = key.open(place(channel.tenant_id, channel.connection_id), &channel.secret)?;
        let is_same = aws_lc_rs::constant_time::verify_slices_are_equal(&known, secret.as_bytes()).is_ok();
        Ok(Some(channel).filter(|_| is_same))
    }

    /// Takes the word that a channel has ended, or ends soon: it is renewed or made anew in the next round. Pushes may
    /// have been lost, so the mailbox is read again as well. `false` as with [`Self::pushed`].
    pub async fn lapsed(&self, external_id: &str, secret: &str) -> Result<bool> {
        let Some(channel) = self.known(external_id, secret).await? else { return Ok(false) };
        let tx = self.services.begin(channel.tenant_id).await?;
        let ended =
            ActiveModel { id: Unchanged(channel.id), expires_at: Set(tx.now()), ..Default::default() };
        ended.update(tx.conn()).await?;
        tx.commit().await?;
        self.pushed(external_id, secret).await
    }

    /// Takes a push: the mailbox of the channel is read again soon. `false` when the channel is not known or the
    /// secret is another; then nothing happens.
    pub async fn pushed(&self, external_id: &str, secret: &str) -> Result<bool> {
        let Some(channel) = self.known(external_id, secret).await? else { return Ok(false) };
        let mut tx = self.services.begin(channel.tenant_id).await?;
        let connection =
            entity::connection::one(channel.tenant_id, channel.connection_id).one(tx.conn()).await?;
        // A channel outlives the connection of somebody who left: a push must not bring that mailbox back.
        if !connection.is_some_and(|row| connections::state(&row).is_readable()) {
            return Ok(true);
        }
        let order = Order::Activate(Activate { connection: channel.connection_id, campaign: None });
        // A reading that is under way may have passed the change already; the periodic one will not.
        tx.order(order, "push", Lane::Background).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Sealed under the connection, which stays while channels come and go.
fn place(tenant: Uuid, connection: Uuid) -> Place {
    Place { tenant, table: "channel", column: "secret", row: connection }
}

/// The channel of this name. Ids of Google's go on behind a bar with what notices do not carry; what comes before it is
/// an id of ours, so nothing else is looked for that way.
fn named(external_id: &str) -> Condition {
    let whole = Condition::any().add(Column::ExternalId.eq(external_id));
    match Uuid::try_parse(external_id) {
        Ok(id) => whole.add(Column::ExternalId.starts_with(format!("{}|", id.hyphenated()))),
        Err(_) => whole,
    }
}
