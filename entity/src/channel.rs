//! Subscriptions to a provider's push notifications.

crate::table::tenant_table! {
    /// A subscription to a provider's push notifications about one mailbox.
    "channel": ids::Row {
        /// The mailbox whose changes the provider reports; it has at most one subscription.
        connection_id: Id<ids::Connection>,
        /// The provider's id of the subscription; notifications contain it.
        external_id: String,
        /// The shared secret that authenticates the provider's notifications, sealed with the tenant's data key.
        secret: Vec<u8>,
        /// When the subscription expires unless it is renewed.
        expires_at: DateTimeUtc,
    }
}
