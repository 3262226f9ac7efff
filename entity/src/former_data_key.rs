//! Replaced data keys of tenants, kept as long as a stored value is sealed with them.

crate::table::tenant_table! {
    /// A replaced data key, kept until shortly after the last value sealed with it is gone.
    "former_data_key": ids::Row {
        /// The key, sealed under a master key.
        sealed: Vec<u8>,
        /// When another key replaced it.
        replaced_at: DateTimeUtc,
        /// When the key stopped being used; null while a stored value is sealed with it.
        unused_since: Option<DateTimeUtc>,
    }
}
