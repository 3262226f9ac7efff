//! Change events for subscribers, written in the transaction of the change.

use domain::Topic;

use crate::Stored;

crate::table::tenant_table! {
    /// A change event for subscribers: it says that something changed, not how.
    "event_log": ids::Event {
        /// Which kind of thing changed.
        topic: Stored<Topic>,
        /// The id of what changed.
        subject: domain::AnyId,
        /// An empty object at present: subscribers read the new state themselves, with their own permissions.
        payload: Json,
        /// When the change was made, in UTC.
        at: DateTimeUtc,
    }
}
