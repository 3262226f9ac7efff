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
        /// Number of people the room holds; null when the directory does not say.
        capacity: Option<i32>,
        /// Where the room is, as the directory spells it; null when the directory does not say.
        building: Option<String>,
        /// The storey, as people name it; null when the directory does not say.
        floor: Option<String>,
        /// What the directory lists as available in the room: a list of strings.
        equipment: Json,
        /// When the room was first listed.
        created_at: DateTimeUtc,
    }
}
