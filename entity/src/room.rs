//! A resource mailbox.

crate::table::tenant_table! {
    /// A resource mailbox.
    "room" {
        /// The integration.
        integration_id: Uuid,
        /// The mailbox address.
        address: String,
        /// The name, for people.
        name: String,
        /// The capacity.
        capacity: Option<i32>,
        /// The building.
        building: Option<String>,
        /// The floor.
        floor: Option<String>,
        /// The equipment.
        equipment: Json,
        /// When it was made.
        created_at: DateTimeUtc,
    }
}
