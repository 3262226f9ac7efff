//! Campaigns: bulk activations of the mailboxes of an integration.

use domain::state::CampaignState;

use crate::Stored;

crate::table::tenant_table! {
    /// One bulk activation of the mailboxes of an integration.
    "campaign": ids::Campaign {
        /// The integration whose mailboxes the campaign activates.
        integration_id: Id<ids::Integration>,
        /// Whether the campaign is running or finished.
        state: Stored<CampaignState>,
        /// Number of mailboxes in the campaign.
        total: i32,
        /// The actor who started the campaign: the id of a user, key or link.
        asked_by: String,
        /// When the campaign was created, before its first activation.
        started_at: DateTimeUtc,
        /// When the last mailbox received its result; null while the campaign is running.
        finished_at: Option<DateTimeUtc>,
    }
}
