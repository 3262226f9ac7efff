//! Campaigns: bulk activations of the mailboxes of an integration.

crate::table::tenant_table! {
    /// One bulk activation of the mailboxes of an integration.
    "campaign" {
        /// The integration whose mailboxes the campaign activates.
        integration_id: Uuid,
        /// A `domain::CampaignState` as text.
        state: String,
        /// Number of mailboxes in the campaign.
        total: i32,
        /// The actor who started the campaign: the id of a user, key or link.
        asked_by: String,
        /// When the campaign was created, before its first activation.
        started_at: DateTimeUtc,
        /// When every mailbox had a result; null while the campaign runs.
        finished_at: Option<DateTimeUtc>,
    }
}
