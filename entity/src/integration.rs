//! Links to the calendar systems of tenants.

use domain::{AccessLevel, ProviderKind, state::IntegrationState};

use crate::Stored;

crate::table::tenant_table! {
    /// A link to one calendar system of a tenant.
    "integration": ids::Integration {
        /// The calendar system.
        provider: Stored<ProviderKind>,
        /// A display name.
        name: String,
        /// How far the integration is connected, and whether it works.
        state: Stored<IntegrationState>,
        /// Why the integration is in its state, as a `domain::Reason`; null when there is nothing to explain.
        reason: Option<Json>,
        /// When the integration entered its state.
        since: DateTimeUtc,
        /// How much the service account may reach.
        access_level: Stored<AccessLevel>,
        /// The group to which restricted access is limited, as the customer calls it; null when access is not limited
        /// to one.
        scope_group: Option<String>,
        /// The organisation's id at the provider; null before the consent.
        external_tenant: Option<String>,
        /// The organisation's display name at the provider; null before the consent.
        external_name: Option<String>,
        /// The address of the customer's own server; null for cloud providers.
        server_url: Option<String>,
        /// The mailbox through which bookings are written when the organiser's cannot be; null when none is chosen.
        service_mailbox: Option<String>,
        /// The address of the first activated mailbox, which is tested to distinguish "this mailbox is out of
        /// scope" from "access is lost"; null before.
        known_good: Option<String>,
        /// The account that consented at the provider; null before the consent.
        consented_by: Option<String>,
        /// Where the browser goes after the consent; null to stay on Muster's page.
        return_url: Option<String>,
        /// Rules that tell rooms from people, as `providers::caldav::RoomRule`; null if the installation's own
        /// rules apply.
        room_rules: Option<Json>,
        /// The actor who registered the integration: the id of a user, key or link.
        created_by: String,
        /// When the integration was registered.
        created_at: DateTimeUtc,
        /// Incremented on every change; updates compare it with `ifVersion`.
        version: i64,
    }
}
