//! One mailbox's part in a campaign.

crate::table::tenant_junction! {
    /// One mailbox's part in a campaign.
    "campaign_item" {
        /// The campaign.
        campaign_id: Uuid,
        /// The connection.
        connection_id: Uuid;
        /// The result.
        result: Option<String>,
        /// Why: a `domain::Reason`.
        reason: Option<Json>,
        /// The finished at.
        finished_at: Option<DateTimeUtc>,
    }
}
