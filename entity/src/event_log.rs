//! A message to subscribers.

crate::table::tenant_table! {
    /// A message to subscribers.
    "event_log" {
        /// The topic.
        topic: String,
        /// The subject.
        subject: Uuid,
        /// The payload.
        payload: Json,
        /// When.
        at: DateTimeUtc,
    }
}
