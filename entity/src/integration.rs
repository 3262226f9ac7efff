//! Links to the calendar systems of tenants.

use domain::{AccessLevel, IntegrationKind, ProviderKind, state::IntegrationState};

use crate::Stored;

crate::table::tenant_table! {
    /// A link to one calendar system of a tenant.
    "integration": ids::Integration {
        /// The calendar system.
        provider: Stored<ProviderKind>,
        /// Whether it gives access to the organisation's calendars, or holds people's own consents only.
        kind: Stored<IntegrationKind>,
        /// A display name.
        name: String,
        /// Current state of the integration.
        state: Stored<IntegrationState>,
        /// Why the integration is in its state, as a `domain::Reason`; null when no explanation is needed.
        reason: Option<Json>,
        /// When the integration entered its state.
        since: DateTimeUtc,
        /// The state to which a suspended integration returns; null unless it is suspended.
        suspended_state: Option<Stored<IntegrationState>>,
        /// The reason of a suspended integration before its suspension, restored when it is resumed, as a
        /// `domain::Reason`; null unless it is suspended.
        suspended_reason: Option<Json>,
        /// How much of the calendar system the service account may access.
        access_level: Stored<AccessLevel>,
        /// The provider's group to which access is restricted, as the customer entered it; null when access is not
        /// restricted to a group.
        scope_group: Option<String>,
        /// The organisation's id at the provider; null before the consent.
        external_tenant: Option<String>,
        /// The organisation's display name at the provider; null before the consent.
        external_name: Option<String>,
        /// The URL of the customer's own server; null for cloud providers.
        server_url: Option<String>,
        /// The mailbox to which bookings are written when the organiser's calendar is not writable; null if none is
        /// set.
        service_mailbox: Option<String>,
        /// The email address of the first activated mailbox, which is tested to distinguish "this mailbox is out of
        /// scope" from "access is lost"; null before the first activation.
        known_good: Option<String>,
        /// The account that consented at the provider; null before the consent.
        consented_by: Option<String>,
        /// The connect session whose consent is in force; null before the consent. The session itself may have expired.
        consent_session: Option<Id<ids::ConnectSession>>,
        /// The URL to which the browser returns after the consent; null to stay on Muster's page.
        return_url: Option<String>,
        /// Rules that distinguish rooms from people, as `providers::caldav::RoomRule`; null if the installation's own
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
