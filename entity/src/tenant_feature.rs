//! Features that the vendor's staff enable for individual tenants.

use domain::state::Feature;

use crate::Stored;

crate::table::tenant_junction! {
    /// A feature that the vendor's staff enabled for a tenant.
    "tenant_feature" {
        /// The enabled feature.
        feature: Stored<Feature>;
        /// The id of the staff API key with which the feature was enabled.
        enabled_by: String,
        /// When a staff member enabled the feature.
        enabled_at: DateTimeUtc,
    }
}
