//! A link to one calendar system.

crate::table::tenant_table! {
    /// A link to one calendar system.
    "integration" {
        /// The provider.
        provider: String,
        /// The name, for people.
        name: String,
        /// The state, as one of the words of `domain::state`.
        state: String,
        /// Why: a `domain::Reason`.
        reason: Option<Json>,
        /// Since when it is in this state.
        since: DateTimeUtc,
        /// The access level.
        access_level: String,
        /// The scope group.
        scope_group: Option<String>,
        /// The external tenant.
        external_tenant: Option<String>,
        /// The external name.
        external_name: Option<String>,
        /// The server url.
        server_url: Option<String>,
        /// The service mailbox.
        service_mailbox: Option<String>,
        /// The known good.
        known_good: Option<String>,
        /// The consented by.
        consented_by: Option<String>,
        /// The return url.
        return_url: Option<String>,
        /// How rooms are told from people, a `providers::caldav::RoomRule`; null where the installation's own rule serves.
        room_rules: Option<Json>,
        /// The created by.
        created_by: String,
        /// When it was made.
        created_at: DateTimeUtc,
        /// Grows with every change.
        version: i64,
    }
}
