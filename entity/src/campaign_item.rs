//! One mailbox within a campaign.

use domain::state::ConnectionState;

use crate::Stored;

crate::table::tenant_junction! {
    /// One mailbox within a campaign.
    "campaign_item" {
        /// The bulk activation to which this item belongs.
        campaign_id: Id<ids::Campaign>,
        /// The mailbox to activate.
        connection_id: Id<ids::Connection>;
        /// The mailbox's state after the activation; null until there is a result.
        result: Option<Stored<ConnectionState>>,
        /// Why the activation had this result, as a `domain::Reason`; null when no explanation is needed.
        reason: Option<Json>,
        /// When the mailbox received its result; null until then.
        finished_at: Option<DateTimeUtc>,
    }
}
