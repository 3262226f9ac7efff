//! Rooms: resource mailboxes from an integration's directory.

crate::table::tenant_table! {
    /// A resource mailbox from an integration's directory.
    "room": ids::Room {
        /// The integration in whose directory the room is listed.
        integration_id: Id<ids::Integration>,
        /// The mailbox address, in lower case; unique within the integration.
        address: String,
        /// The display name from the directory.
        name: String,
        /// Number of people for whom the room has space; null when the directory does not specify it.
        capacity: Option<i32>,
        /// The building of the room, as the directory spells it; null when the directory does not specify it.
        building: Option<String>,
        /// The floor of the room, as the directory spells it; null when the directory does not specify it.
        floor: Option<String>,
        /// The equipment of the room according to the directory, as a list of strings.
        equipment: Json,
        /// When the room was first listed.
        created_at: DateTimeUtc,
    }
}
