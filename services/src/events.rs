//! Change events for subscribers.
//!
//! An event reports that an object changed, but not how: subscribers read the current state with their own permissions.
//! Events are rows, written in the transaction of the change, and are then sent to all nodes.

use domain::{AnyId, Id, Topic, ids, may};
use entity::DatabaseError;
use entity::event_log::{Column, Model};
use futures::{Stream, StreamExt, stream};
use lanes::Message;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseBackend, QueryFilter, QueryOrder, QuerySelect, Statement,
    TryGetable, Value, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    Result, System,
    proof::{Allowed, Member},
};

crate::noun! {
    /// Events for subscribers.
    Events
}

/// The topics of change events.
pub mod topic {
    use domain::Topic;

    /// An integration changed its state or reason.
    pub const INTEGRATION: Topic = Topic::Integration;
    /// A connection changed its state, reason or route, or which of its items cannot be read.
    pub const CONNECTION: Topic = Topic::Connection;
    /// A campaign made progress.
    pub const CAMPAIGN: Topic = Topic::Campaign;
    /// A booking changed.
    pub const BOOKING: Topic = Topic::Booking;
    /// A run made a step.
    pub const RUN: Topic = Topic::Run;
    /// A run was quarantined and needs a person.
    pub const RUN_PARKED: Topic = Topic::RunParked;
}

/// A notification for a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// A subject changed.
    Changed {
        /// Identifier of the changed subject.
        subject: AnyId,
        /// Identifier of the event.
        cursor: Id<ids::Event>,
    },
    /// Events were lost: read everything again.
    Lagged,
}

pub(crate) fn to_fanout_message(event: &entity::event_log::Model) -> Message {
    let payload = serde_json::json!({ "subject": event.subject });
    Message { tenant: event.tenant_id, topic: event.topic.to_string(), id: event.id, payload }
}

/// The subject of a change event as [`to_fanout_message`] wrote it; `None` if it has none.
pub(crate) fn subject(message: &Message) -> Option<Uuid> {
    Uuid::try_parse(message.payload.get("subject")?.as_str()?).ok()
}

impl Events {
    /// Changes to integrations in the caller's tenant, starting at the time of the call.
    pub fn watch_integrations(
        &self,
        by: &Allowed<may::SeeIntegrations>,
    ) -> impl Stream<Item = WatchEvent> + Send + use<> {
        self.watch(by, topic::INTEGRATION)
    }

    /// Changes to connections in the caller's tenant, starting at the time of the call.
    pub fn watch_connections(
        &self,
        by: &Allowed<may::ConnectionView>,
    ) -> impl Stream<Item = WatchEvent> + Send + use<> {
        self.watch(by, topic::CONNECTION)
    }

    /// Progress of campaigns in the caller's tenant, from the time of the call.
    pub fn watch_campaigns(
        &self,
        by: &Allowed<may::ConnectionView>,
    ) -> impl Stream<Item = WatchEvent> + Send + use<> {
        self.watch(by, topic::CAMPAIGN)
    }

    /// Changes to bookings in the caller's tenant, starting at the time of the call.
    pub fn watch_bookings(
        &self,
        by: &Allowed<may::BookingView>,
    ) -> impl Stream<Item = WatchEvent> + Send + use<> {
        self.watch(by, topic::BOOKING)
    }

    /// Steps of runs in the caller's tenant, from the time of the call. An event contains only the id of the run, so
    /// every member may subscribe to the runs that they started.
    pub fn watch_runs(&self, by: &Member) -> impl Stream<Item = WatchEvent> + Send + use<> {
        self.watch(by, topic::RUN)
    }

    /// Runs in the caller's tenant that are quarantined after the time of the call.
    pub fn watch_quarantined_runs(
        &self,
        by: &Allowed<may::RunView>,
    ) -> impl Stream<Item = WatchEvent> + Send + use<> {
        self.watch(by, topic::RUN_PARKED)
    }

    fn watch(&self, by: &Member, topic: Topic) -> impl Stream<Item = WatchEvent> + Send + use<> {
        let subscription = self.services.queue.fanout.subscribe(by.tenant(), topic.as_str());
        stream::unfold(subscription, |mut subscription| async move {
            let heard = match subscription.next().await? {
                lanes::Delivery::Message(message) => WatchEvent::Changed {
                    subject: AnyId::from_uuid(subject(&message).unwrap_or_default()),
                    cursor: message.id,
                },
                lanes::Delivery::Lagged => WatchEvent::Lagged,
            };
            Some((heard, subscription))
        })
        .boxed()
    }

    /// Events of one topic in commit order, starting after `after`, or at the beginning if `after` is nil or has been
    /// pruned. A reader that continues with the last returned event misses none, however late a transaction commits:
    /// events newer than a transaction in progress are held back until that transaction ends. The cursors of streams
    /// are not suitable for `after`, because streams deliver events immediately and in any order.
    pub async fn list_after(
        &self,
        _by: &System,
        tenant: Id<ids::Tenant>,
        topic: Topic,
        after: Id<ids::Event>,
        max: u64,
    ) -> Result<Vec<Model>> {
        let txn = self.services.read(tenant).await?;
        let events = entity::event_log::of(tenant).filter(Column::Topic.eq(topic.as_str())).limit(max);
        let events = match txn.get_database_backend() {
            DatabaseBackend::Postgres => {
                let settled = Expr::cust("event_log.xact < pg_snapshot_xmin(pg_current_snapshot())");
                let events = events.filter(settled).order_by_asc(Expr::cust("event_log.xact"));
                let events = events.order_by_asc(Column::Id);
                match place::<String>(&txn, "xact::text", tenant, after).await? {
                    None => events,
                    Some(xact) => {
                        let later = "(event_log.xact, event_log.id) > ($1::text::xid8, $2)";
                        events.filter(Expr::cust_with_values(later, [Value::from(xact), after.into()]))
                    }
                }
            }
            _ => {
                let events = events.order_by_asc(Expr::cust("event_log.rowid"));
                match place::<i64>(&txn, "rowid", tenant, after).await? {
                    None => events,
                    Some(row) => events.filter(Expr::cust_with_values("event_log.rowid > ?", [row])),
                }
            }
        };
        Ok(events.all(&txn).await?)
    }
}

/// The position of an event in the event log.
async fn place<T: TryGetable>(
    txn: &impl ConnectionTrait,
    column: &str,
    tenant: Id<ids::Tenant>,
    event: Id<ids::Event>,
) -> std::result::Result<Option<T>, DatabaseError> {
    let sql = format!("SELECT {column} AS place FROM event_log WHERE tenant_id = $1 AND id = $2");
    let values = [tenant.into(), event.into()];
    let row =
        txn.query_one_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values)).await?;
    Ok(row.map(|row| row.try_get("", "place")).transpose()?)
}
