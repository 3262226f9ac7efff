//! Streams behind subscriptions: the current state, then every change.
//!
//! A stream subscribes to events before it reads the current state, so that no change is missed in between. An event
//! only reports that an object changed; the object is then read with the subscriber's current permissions. A
//! subscriber that was too slow and missed events receives the complete current state again. A stream ends with its
//! first failure.

use std::{future::Future, sync::Arc, time::Duration};

use async_graphql::Context;
use async_trait::async_trait;
use domain::{AnyId, Id, IdKind};
use futures::{
    Stream, StreamExt, future,
    stream::{self, BoxStream},
};
use services::{Caller, Services, events::WatchEvent};

use super::{
    context::ContextExt,
    failure::{Failure, Result},
};
use crate::{request::CurrentCaller, response_budget::ResponseBudget};

/// The stream of a subscription's events.
pub(super) type EventStream<T> = BoxStream<'static, Result<T>>;

/// The subscriber, with everything needed to read data on behalf of its caller.
#[derive(Clone)]
pub(super) struct Subscriber {
    pub(super) services: Services,
    pub(super) caller: Caller,
    /// The caller on whose behalf the fields of an event are read.
    current: Option<CurrentCaller>,
    /// Time limit for reading one event's data. Waiting for a change has no limit.
    time: Duration,
}

/// Value of [`Subscriber::time`] if the transport set no limit.
const PATIENCE: Duration = Duration::from_secs(30);

impl Subscriber {
    /// Creates the subscriber from a resolver's context.
    pub(super) fn from_context(ctx: &Context<'_>) -> Self {
        let time = ctx.data_opt::<Arc<ResponseBudget>>().and_then(|budget| budget.time).unwrap_or(PATIENCE);
        let (services, caller) = (ctx.services().without_request(), (*ctx.caller()).clone());
        Self { services, caller, current: ctx.data_opt().cloned(), time }
    }

    /// The result of `read`, or an error if it takes longer than [`Subscriber::time`].
    async fn in_time<T>(&self, read: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(self.time, read).await.unwrap_or_else(|_| {
            let message = "The response took too long. Subscribe again later.".to_owned();
            Err(Failure::Broken { code: "TIMEOUT", message, retryable: true })
        })
    }

    /// The subscriber with the caller's current permissions, which also apply to the fields of the event.
    async fn now(&self) -> Result<Self> {
        let caller = self.services.access().refresh_caller(&self.caller).await?;
        if let Some(current) = &self.current {
            current.replace_caller(caller.clone());
        }
        Ok(Self { caller, ..self.clone() })
    }
}

/// Streams one object: now, then whenever it changes. If the first read fails, the subscription itself fails.
pub(super) async fn watch_one<T, F, Fut>(
    listener: Subscriber,
    heard: impl Stream<Item = WatchEvent> + Send + 'static,
    id: impl Into<AnyId>,
    read: F,
) -> Result<EventStream<T>>
where
    T: Send + 'static,
    F: Fn(Subscriber) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<T>> + Send + 'static,
{
    let id = id.into();
    let present = listener.in_time(read(listener.clone())).await?;
    let concerns = move |heard: &WatchEvent| match heard {
        WatchEvent::Changed { subject, .. } => *subject == id,
        WatchEvent::Lagged => true,
    };
    let changes = heard.filter(move |heard| future::ready(concerns(heard))).then(move |_| {
        let (listener, read) = (listener.clone(), read.clone());
        async move { listener.in_time(async { read(listener.now().await?).await }).await }
    });
    Ok(until_failure(stream::once(future::ready(Ok(present))).chain(changes)).boxed())
}

/// A kind of object whose changes a subscription watches.
#[async_trait]
pub(super) trait WatchedObjects: Clone + Send + Sync + 'static {
    /// The type of the events.
    type Item: Send + 'static;
    /// The kind of the objects' ids.
    type Kind: IdKind;

    /// One object by id; `None` if the subscription does not include it.
    async fn one(&self, listener: Subscriber, id: Id<Self::Kind>) -> Result<Option<Self::Item>>;

    /// A page of the objects that are sent first, and the id after which the next page starts.
    async fn page(&self, listener: Subscriber, after: Option<Id<Self::Kind>>) -> Result<WatchedPage<Self>>;
}

/// A page of objects, and the id after which the next page starts; `None` after the last page.
pub(super) type WatchedPage<W> = (Vec<<W as WatchedObjects>::Item>, Option<Id<<W as WatchedObjects>::Kind>>);

/// Streams many objects: all of them now, then each that changes.
pub(super) fn watch_many<W: WatchedObjects>(
    listener: Subscriber,
    heard: impl Stream<Item = WatchEvent> + Send + 'static,
    watched: W,
) -> EventStream<W::Item> {
    // The beginning is like having missed everything.
    let heard = stream::once(future::ready(WatchEvent::Lagged)).chain(heard);
    let items = heard.flat_map(move |heard| match heard {
        WatchEvent::Lagged => all(listener.clone(), watched.clone()),
        WatchEvent::Changed { subject, .. } => {
            changed(listener.clone(), watched.clone(), subject.with_kind())
        }
    });
    until_failure(items).boxed()
}

fn changed<W: WatchedObjects>(listener: Subscriber, watched: W, id: Id<W::Kind>) -> EventStream<W::Item> {
    let read = async move {
        let read = listener.in_time(async { watched.one(listener.now().await?, id).await }).await;
        match read {
            // It is gone again; there is nothing to tell of it.
            Err(failure) if failure.is_not_found() => None,
            read => read.transpose(),
        }
    };
    stream::once(read).filter_map(future::ready).boxed()
}

/// All objects, page by page; each page is read after the previous one has been sent. The fields of each object are
/// read with the caller's current permissions.
fn all<W: WatchedObjects>(listener: Subscriber, watched: W) -> EventStream<W::Item> {
    let again = listener.clone();
    let pages = stream::unfold(Some(None), move |place: Option<Option<Id<W::Kind>>>| {
        let (listener, watched) = (listener.clone(), watched.clone());
        async move {
            let after = place?;
            let read = listener.in_time(async { watched.page(listener.now().await?, after).await }).await;
            Some(match read {
                Ok((items, next)) => (items.into_iter().map(Ok).collect::<Vec<_>>(), next.map(Some)),
                Err(failure) => (vec![Err(failure)], None),
            })
        }
    });
    let items = pages.flat_map(stream::iter);
    items
        .then(move |item| {
            let listener = again.clone();
            async move {
                let item = item?;
                listener.in_time(listener.now()).await?;
                Ok(item)
            }
        })
        .boxed()
}

/// Ends a stream with its first failure.
fn until_failure<T>(
    items: impl Stream<Item = Result<T>> + Send + 'static,
) -> impl Stream<Item = Result<T>> + Send {
    stream::unfold(Some(items.boxed()), |items| async move {
        let mut items = items?;
        let item = items.next().await?;
        let rest = item.is_ok().then_some(items);
        Some((item, rest))
    })
}
