//! Change events for subscribers, written in the transaction that makes the change.

use domain::{AnyId, Ids, Topic};

use crate::Stored;

crate::table::tenant_table! {
    /// A change event for subscribers. It reports that an object changed, but not how.
    "event_log": ids::Event {
        /// The type of the object that changed.
        topic: Stored<Topic>,
        /// The id of the object that changed.
        subject: AnyId,
        /// Currently an empty object: subscribers read the new state themselves, with their own permissions.
        payload: Json,
        /// When the change was made, in UTC.
        at: DateTimeUtc,
    }
}

/// Creates a change event that is not stored yet.
pub fn new(ids: &Ids, tenant: Id<ids::Tenant>, topic: Topic, subject: AnyId, at: DateTimeUtc) -> Model {
    let payload = Json::Object(serde_json::Map::new());
    Model { id: ids.make(), tenant_id: tenant, topic: topic.into(), subject, payload, at }
}
