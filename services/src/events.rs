//! Events for subscribers.
//!
//! An event says that something changed, not how: receivers read the current state with their own permissions. Events
//! are rows, written in the transaction of the change, and are then sent to all nodes.

use domain::{Allowed, Ids, Timestamp};
use entity::DatabaseError;
use entity::event_log::{Column, Model};
use futures::{Stream, StreamExt, stream};
use queue::Message;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseBackend, DatabaseTransaction, QueryFilter, QueryOrder, QuerySelect,
    Statement, TryGetable, Value, sea_query::Expr,
};
use uuid::Uuid;

use crate::Result;

crate::noun! {
    /// Events for subscribers.
    Events
}

/// Topics, one for each noun that has a subscription.
pub mod topic {
    /// An integration changed its state or reason.
    pub const INTEGRATION: &str = "integration";
    /// A connection changed its state, reason or route, or which of its items cannot be read.
    pub const CONNECTION: &str = "connection";
    /// A campaign made progress.
    pub const CAMPAIGN: &str = "campaign";
    /// A booking changed.
    pub const BOOKING: &str = "booking";
    /// A run made a step.
    pub const RUN: &str = "run";
    /// A run was quarantined and needs a person.
    pub const RUN_PARKED: &str = "run_parked";
}

/// What a watcher receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// A subject changed.
    Changed {
        /// Identifier of the changed subject.
        subject: Uuid,
        /// Identifier of the event.
        cursor: Uuid,
    },
    /// Events were lost: read everything again.
    Lagged,
}

/// An event that is not stored yet.
pub fn row(
    ids: &Ids,
    tenant: Uuid,
    topic: &'static str,
    subject: Uuid,
    at: Timestamp,
) -> entity::event_log::Model {
    let payload = serde_json::Value::Object(serde_json::Map::new());
    entity::event_log::Model {
        id: ids.uuid(),
        tenant_id: tenant,
        topic: topic.to_owned(),
        subject,
        payload,
        at,
    }
}

pub(crate) fn message(event: &entity::event_log::Model) -> Message {
    let payload = serde_json::json!({ "subject": event.subject });
    Message { tenant: event.tenant_id, topic: event.topic.clone(), id: event.id, payload }
}

impl Events {
    /// Stream of changes on one topic in the caller's tenant, from now on.
    pub fn watch(&self, by: &Allowed, topic: &'static str) -> impl Stream<Item = WatchEvent> + Send + use<> {
        let subscription = self.services.queue.fanout.subscribe(by.tenant().uuid(), topic);
        stream::unfold(subscription, |mut subscription| async move {
            let heard = match subscription.next().await? {
                queue::Delivery::Message(message) => {
                    let subject = message
                        .payload
                        .get("subject")
                        .and_then(|id| id.as_str())
                        .and_then(|id| id.parse().ok());
                    WatchEvent::Changed { subject: subject.unwrap_or_default(), cursor: message.id }
                }
                queue::Delivery::Lagged => WatchEvent::Lagged,
            };
            Some((heard, subscription))
        })
        .boxed()
    }

    /// Events of one topic after the event `after`, in commit order; nil stands for the beginning. A reader that
    /// continues from the last returned event misses none: events newer than a transaction that is still writing
    /// are held back until that transaction ends. A pruned event counts as nil. The cursors of [`Self::watch`] are
    /// not suitable here, because it delivers events at once and in any order.
    pub async fn since(&self, by: &Allowed, topic: &str, after: Uuid, max: u64) -> Result<Vec<Model>> {
        let tenant = by.tenant().uuid();
        let txn = self.services.store.read(tenant).await?;
        let events = entity::event_log::of(tenant).filter(Column::Topic.eq(topic)).limit(max);
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

/// Position of an event in the log.
async fn place<T: TryGetable>(
    txn: &DatabaseTransaction,
    column: &str,
    tenant: Uuid,
    event: Uuid,
) -> std::result::Result<Option<T>, DatabaseError> {
    let sql = format!("SELECT {column} AS place FROM event_log WHERE tenant_id = $1 AND id = $2");
    let values = [tenant.into(), event.into()];
    let row =
        txn.query_one_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values)).await?;
    Ok(row.map(|row| row.try_get("", "place")).transpose()?)
}
