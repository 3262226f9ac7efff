//! The subscriptions: what each watches, and who may.

use async_graphql::{Context, Description, ID, Subscription as Fields};
use async_trait::async_trait;
use domain::{Id, Permission, ids, state::RunStatus};
use services::{PageArgs, bookings, connections::Wanted, events::topic, runs::RunFilter};
use uuid::Uuid;

use super::{
    booking::{self, Booking},
    campaign::{self, Campaign},
    connection::Connection,
    context::{Ask, member, named, sees_integrations},
    failure::Result,
    integration::{self, Integration},
    run::{self, Run},
    watch::{self, Listener, Sent, Watched},
};

/// The whole page of a list that is sent page by page.
fn next(after: Option<Uuid>) -> PageArgs {
    PageArgs { first: Some(100), after, ..PageArgs::default() }
}

/// The tenant's connections, or those of one integration.
#[derive(Clone)]
struct Connections(Option<Uuid>);

#[async_trait]
impl Watched for Connections {
    type Item = Connection;

    async fn one(&self, listener: Listener, id: Uuid) -> Result<Option<Connection>> {
        let by = listener.caller.allow(Permission::ConnectionView)?;
        let row = listener.services.connections().get(&by, Id::from_uuid(id)).await?;
        Ok(self.0.is_none_or(|only| row.integration_id == only).then(|| row.into()))
    }

    async fn page(&self, listener: Listener, after: Option<Uuid>) -> Result<(Vec<Connection>, Option<Uuid>)> {
        let by = listener.caller.allow(Permission::ConnectionView)?;
        let wanted = Wanted { integration: self.0, ..Wanted::default() };
        let page = listener.services.connections().list(&by, &wanted, next(after)).await?;
        let last = page.items.last().filter(|_| page.has_next).map(|row| row.id);
        Ok((page.items.into_iter().map(Connection::from).collect(), last))
    }
}

/// The tenant's bookings; those that are not over are sent at the beginning.
#[derive(Clone)]
struct Bookings;

#[async_trait]
impl Watched for Bookings {
    type Item = Booking;

    async fn one(&self, listener: Listener, id: Uuid) -> Result<Option<Booking>> {
        booking::visible(&listener.services, &listener.caller, Id::from_uuid(id)).await.map(Some)
    }

    async fn page(&self, listener: Listener, after: Option<Uuid>) -> Result<(Vec<Booking>, Option<Uuid>)> {
        let by = listener.caller.allow(Permission::BookingView)?;
        let filter = bookings::Filter { from: Some(listener.services.now()), ..bookings::Filter::default() };
        let page = listener.services.bookings().list(&by, filter, next(after)).await?;
        let last = page.items.last().filter(|_| page.has_next).map(|row| row.id);
        Ok((page.items.into_iter().map(Booking::from).collect(), last))
    }
}

/// The parked runs of the tenant.
#[derive(Clone)]
struct ParkedRuns;

#[async_trait]
impl Watched for ParkedRuns {
    type Item = Run;

    async fn one(&self, listener: Listener, id: Uuid) -> Result<Option<Run>> {
        let by = listener.caller.allow(Permission::RunView)?;
        let run = listener.services.runs().get(&by, Id::from_uuid(id)).await?;
        Ok((run.status == RunStatus::Quarantined.as_str()).then(|| run.into()))
    }

    async fn page(&self, listener: Listener, after: Option<Uuid>) -> Result<(Vec<Run>, Option<Uuid>)> {
        let by = listener.caller.allow(Permission::RunView)?;
        let filter = RunFilter { status: Some(RunStatus::Quarantined), ..RunFilter::default() };
        let page = listener.services.runs().list(&by, filter, next(after)).await?;
        let last = page.items.last().filter(|_| page.has_next).map(|row| row.id);
        Ok((page.items.into_iter().map(Run::from).collect(), last))
    }
}

/// What happens, told when it happens. Each subscription first sends the present state. One that misses events
/// because its client reads too slowly sends the present state again. Permissions are checked at every event: when
/// they are gone the subscription ends with an error.
#[derive(Description, Default)]
pub struct Subscription;

#[Fields(use_type_description)]
impl Subscription {
    /// An integration: as it stands, then whenever its state or reason changed. Needs `CONNECTION_VIEW`, or the right
    /// to connect.
    async fn integration_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] id: ID,
    ) -> Result<Sent<Integration>> {
        let by = sees_integrations(ctx.caller())?;
        let id = named(&id, "integration", "id")?;
        let read =
            move |at: Listener| async move { integration::visible(&at.services, &at.caller, id).await };
        watch::one(Listener::of(ctx), &by, topic::INTEGRATION, id.uuid(), read).await
    }

    /// The tenant's connections, or those of one integration: each as it stands, then each that changed. Needs
    /// `CONNECTION_VIEW`.
    async fn connection_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of this integration; all when absent.")] integration_id: Option<ID>,
    ) -> Result<Sent<Connection>> {
        let by = ctx.caller().allow(Permission::ConnectionView)?;
        let of = |id| named::<ids::Integration>(&id, "integration", "integrationId");
        let only = integration_id.map(of).transpose()?.map(Id::uuid);
        Ok(watch::many(Listener::of(ctx), &by, topic::CONNECTION, Connections(only)))
    }

    /// A campaign: as it stands, then whenever it made progress. Needs `CONNECTION_VIEW`.
    async fn campaign_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The campaign.")] id: ID,
    ) -> Result<Sent<Campaign>> {
        let by = ctx.caller().allow(Permission::ConnectionView)?;
        let id = named(&id, "campaign", "id")?;
        let read = move |at: Listener| async move { campaign::visible(&at.services, &at.caller, id).await };
        watch::one(Listener::of(ctx), &by, topic::CAMPAIGN, id.uuid(), read).await
    }

    /// A booking: as it stands, then whenever it changed. Without an id all bookings of the tenant: those that are not
    /// over as they stand, then each that changed. Needs `BOOKING_VIEW`.
    async fn booking_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The booking; all when absent.")] id: Option<ID>,
    ) -> Result<Sent<Booking>> {
        let by = ctx.caller().allow(Permission::BookingView)?;
        let Some(id) = id else {
            return Ok(watch::many(Listener::of(ctx), &by, topic::BOOKING, Bookings));
        };
        let id = named(&id, "booking", "id")?;
        let read = move |at: Listener| async move { booking::visible(&at.services, &at.caller, id).await };
        watch::one(Listener::of(ctx), &by, topic::BOOKING, id.uuid(), read).await
    }

    /// A run: as it stands, then after every step. Needs `RUN_VIEW`, or to have asked for it.
    async fn run_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run.")] id: ID,
    ) -> Result<Sent<Run>> {
        let by = member(ctx.caller())?;
        let id = named(&id, "run", "id")?;
        let read = move |at: Listener| async move { run::visible(&at.services, &at.caller, id).await };
        watch::one(Listener::of(ctx), &by, topic::RUN, id.uuid(), read).await
    }

    /// The tenant's parked runs: each that is `QUARANTINED` now, then each that comes to be. They need somebody: look
    /// at the reason and the history, then `retryRun`. Needs `RUN_VIEW`.
    async fn run_parked(&self, ctx: &Context<'_>) -> Result<Sent<Run>> {
        let by = ctx.caller().allow(Permission::RunView)?;
        Ok(watch::many(Listener::of(ctx), &by, topic::RUN_PARKED, ParkedRuns))
    }
}
