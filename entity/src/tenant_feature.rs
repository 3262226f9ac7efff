//! Features that the vendor's staff switch on for single tenants.

use domain::state::Feature;

use crate::Stored;

crate::table::tenant_junction! {
    /// A feature that the vendor's staff switched on for a tenant.
    "tenant_feature" {
        /// The feature that is switched on.
        feature: Stored<Feature>;
        /// The id of the staff API key with which it was switched on.
        enabled_by: String,
        /// When the feature was switched on.
        enabled_at: DateTimeUtc,
    }
}
