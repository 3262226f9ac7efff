//! Subscriptions: the events of each, and the permissions that it needs.

use async_graphql::{Context, Description, ID, Subscription as Fields};
use async_trait::async_trait;
use domain::{Id, IdKind, ids, may, state::RunStatus};
use services::{PageArgs, bookings, connections::ConnectionFilter, runs::RunFilter};

use super::{
    booking::{self, Booking},
    campaign::{self, Campaign},
    connection::ConnectedMailbox,
    context::{ContextExt, parse_id},
    failure::Result,
    integration::{self, Integration},
    run::{self, Run},
    watch::{self, EventStream, Subscriber, WatchedObjects, WatchedPage},
};

/// Arguments of the next full page of a list that is sent page by page.
fn next<K: IdKind>(after: Option<Id<K>>) -> PageArgs {
    PageArgs { first: Some(100), after: after.map(Id::uuid), ..PageArgs::default() }
}

/// Watches the tenant's connections, or those of one integration.
#[derive(Clone)]
struct Connections(Option<Id<ids::Integration>>);

#[async_trait]
impl WatchedObjects for Connections {
    type Item = ConnectedMailbox;
    type Kind = ids::Connection;

    async fn one(&self, listener: Subscriber, id: Id<ids::Connection>) -> Result<Option<ConnectedMailbox>> {
        let by = listener.caller.allow::<may::ConnectionView>()?;
        let row = listener.services.connections().get(&by, id).await?;
        Ok(self.0.is_none_or(|only| row.integration_id == only).then(|| row.into()))
    }

    async fn page(
        &self,
        listener: Subscriber,
        after: Option<Id<ids::Connection>>,
    ) -> Result<WatchedPage<Self>> {
        let by = listener.caller.allow::<may::ConnectionView>()?;
        let wanted = ConnectionFilter { integration: self.0, ..ConnectionFilter::default() };
        let page = listener.services.connections().list(&by, &wanted, next(after)).await?;
        let last = page.items.last().filter(|_| page.has_next).map(|row| row.id);
        Ok((page.items.into_iter().map(ConnectedMailbox::from).collect(), last))
    }
}

/// Watches the tenant's bookings; the initial events contain those that are not over.
#[derive(Clone)]
struct Bookings;

#[async_trait]
impl WatchedObjects for Bookings {
    type Item = Booking;
    type Kind = ids::Booking;

    async fn one(&self, listener: Subscriber, id: Id<ids::Booking>) -> Result<Option<Booking>> {
        booking::read_for_caller(&listener.services, &listener.caller, id).await.map(Some)
    }

    async fn page(&self, listener: Subscriber, after: Option<Id<ids::Booking>>) -> Result<WatchedPage<Self>> {
        let by = listener.caller.allow::<may::BookingView>()?;
        let filter = bookings::Filter { from: Some(listener.services.now()), ..bookings::Filter::default() };
        let page = listener.services.bookings().list(&by, filter, next(after)).await?;
        let last = page.items.last().filter(|_| page.has_next).map(|row| row.id);
        Ok((page.items.into_iter().map(Booking::from).collect(), last))
    }
}

/// Watches the tenant's quarantined runs.
#[derive(Clone)]
struct ParkedRuns;

#[async_trait]
impl WatchedObjects for ParkedRuns {
    type Item = Run;
    type Kind = ids::Run;

    async fn one(&self, listener: Subscriber, id: Id<ids::Run>) -> Result<Option<Run>> {
        let by = listener.caller.allow::<may::RunView>()?;
        let run = listener.services.runs().get(&by, id).await?;
        Ok((run.status == RunStatus::Quarantined).then(|| run.into()))
    }

    async fn page(&self, listener: Subscriber, after: Option<Id<ids::Run>>) -> Result<WatchedPage<Self>> {
        let by = listener.caller.allow::<may::RunView>()?;
        let filter = RunFilter { status: Some(Some(RunStatus::Quarantined)), ..RunFilter::default() };
        let page = listener.services.runs().list(&by, filter, next(after)).await?;
        let last = page.items.last().filter(|_| page.has_next).map(|row| row.id);
        Ok((page.items.into_iter().map(Run::from).collect(), last))
    }
}

/// Subscriptions. Each sends the current state first and then every change. A client that reads too slowly misses
/// events and receives the current state again. Permissions are checked before every event; a subscription ends with
/// an error when they are revoked.
#[derive(Description, Default)]
pub struct Subscription;

#[Fields(use_type_description)]
impl Subscription {
    /// Sends an integration at once and after every change of its state or reason. Needs `CONNECTION_VIEW` or permission
    /// to connect (see `createIntegration`).
    async fn integration_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the integration.")] id: ID,
    ) -> Result<EventStream<Integration>> {
        let by = ctx.caller().allow::<may::SeeIntegrations>()?;
        let id = parse_id(&id, "integration", "id")?;
        let read = move |at: Subscriber| async move {
            integration::read_for_caller(&at.services, &at.caller, id).await
        };
        watch::watch_one(
            Subscriber::from_context(ctx),
            ctx.services().events().watch_integrations(&by),
            id,
            read,
        )
        .await
    }

    /// Sends each connection of the tenant, or of one integration, at once and after every change. Needs
    /// `CONNECTION_VIEW`.
    async fn connection_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Send only connections of this integration; defaults to all.")]
        integration_id: Option<ID>,
    ) -> Result<EventStream<ConnectedMailbox>> {
        let by = ctx.caller().allow::<may::ConnectionView>()?;
        let of = |id| parse_id::<ids::Integration>(&id, "integration", "integrationId");
        let only = integration_id.map(of).transpose()?;
        Ok(watch::watch_many(
            Subscriber::from_context(ctx),
            ctx.services().events().watch_connections(&by),
            Connections(only),
        ))
    }

    /// Sends the progress of a campaign at once and after every change. Needs `CONNECTION_VIEW`.
    async fn campaign_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the campaign.")] id: ID,
    ) -> Result<EventStream<Campaign>> {
        let by = ctx.caller().allow::<may::ConnectionView>()?;
        let id = parse_id(&id, "campaign", "id")?;
        let read = move |at: Subscriber| async move {
            campaign::read_for_caller(&at.services, &at.caller, id).await
        };
        watch::watch_one(
            Subscriber::from_context(ctx),
            ctx.services().events().watch_campaigns(&by),
            id,
            read,
        )
        .await
    }

    /// Sends a booking at once and after every change. Without an id, sends every booking of the tenant that is
    /// not over, and then each booking that changes. Needs `BOOKING_VIEW`.
    async fn booking_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Send only this booking; defaults to all bookings of the tenant.")] id: Option<ID>,
    ) -> Result<EventStream<Booking>> {
        let by = ctx.caller().allow::<may::BookingView>()?;
        let Some(id) = id else {
            return Ok(watch::watch_many(
                Subscriber::from_context(ctx),
                ctx.services().events().watch_bookings(&by),
                Bookings,
            ));
        };
        let id = parse_id(&id, "booking", "id")?;
        let read =
            move |at: Subscriber| async move { booking::read_for_caller(&at.services, &at.caller, id).await };
        watch::watch_one(Subscriber::from_context(ctx), ctx.services().events().watch_bookings(&by), id, read)
            .await
    }

    /// Sends a run now, and again after every step. Needs `RUN_VIEW` unless the caller started the run.
    async fn run_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the run.")] id: ID,
    ) -> Result<EventStream<Run>> {
        let by = ctx.caller().allow_member()?;
        let id = parse_id(&id, "run", "id")?;
        let read =
            move |at: Subscriber| async move { run::read_for_caller(&at.services, &at.caller, id).await };
        watch::watch_one(Subscriber::from_context(ctx), ctx.services().events().watch_runs(&by), id, read)
            .await
    }

    /// Sends each run of the tenant that is `QUARANTINED`, and then each run that becomes `QUARANTINED`. Such a run
    /// needs manual action: read its reason and history, then call `retryRun`. Needs `RUN_VIEW`.
    async fn run_parked(&self, ctx: &Context<'_>) -> Result<EventStream<Run>> {
        let by = ctx.caller().allow::<may::RunView>()?;
        Ok(watch::watch_many(
            Subscriber::from_context(ctx),
            ctx.services().events().watch_quarantined_runs(&by),
            ParkedRuns,
        ))
    }
}
