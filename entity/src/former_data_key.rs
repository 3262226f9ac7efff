//! Replaced data keys of tenants, kept while anything is sealed with them.

crate::table::tenant_table! {
    /// A replaced data key, kept while anything is sealed with it and a short time afterwards.
    "former_data_key": ids::Row {
        /// The key, sealed under a master key.
        sealed: Vec<u8>,
        /// When another key replaced it.
        replaced_at: DateTimeUtc,
        /// When the key stopped being used; null while any value is sealed with it.
        unused_since: Option<DateTimeUtc>,
    }
}
