//! One mailbox within a campaign.

crate::table::tenant_junction! {
    /// One mailbox within a campaign.
    "campaign_item" {
        /// The bulk activation to which this item belongs.
        campaign_id: Id<ids::Campaign>,
        /// The mailbox to activate.
        connection_id: Id<ids::Connection>;
        /// The `domain::ConnectionState` after the activation; null until there is a result.
        result: Option<String>,
        /// Why the activation had this result, as a `domain::Reason`; null when there is nothing to explain.
        reason: Option<Json>,
        /// When the mailbox had its result; null while it is still to be activated.
        finished_at: Option<DateTimeUtc>,
    }
}
