//! A feature that staff switched on.

crate::table::tenant_junction! {
    /// A feature that staff switched on.
    "tenant_feature" {
        /// The feature.
        feature: String;
        /// The enabled by.
        enabled_by: String,
        /// The enabled at.
        enabled_at: DateTimeUtc,
    }
}
