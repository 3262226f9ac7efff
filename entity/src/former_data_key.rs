//! A data key that was replaced and still seals something, or did so a moment ago.

crate::table::tenant_table! {
    /// A data key that was replaced and still seals something, or did so a moment ago.
    "former_data_key" {
        /// The key, sealed under a master key.
        sealed: Vec<u8>,
        /// When another key took its place.
        replaced_at: DateTimeUtc,
        /// Since when it seals nothing; null while it does.
        unused_since: Option<DateTimeUtc>,
    }
}
