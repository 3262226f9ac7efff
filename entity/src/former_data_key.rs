//! Replaced data keys of tenants, kept while anything is sealed with them.

crate::table::tenant_table! {
    /// A replaced data key, kept until shortly after the last value sealed with it was sealed again.
    "former_data_key" {
        /// The key, sealed under a master key.
        sealed: Vec<u8>,
        /// When another key replaced it.
        replaced_at: DateTimeUtc,
        /// Since when nothing is sealed with the key; null while something is.
        unused_since: Option<DateTimeUtc>,
    }
}
