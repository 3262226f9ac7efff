//! Who accepted which document, and when.

crate::table::tenant_table! {
    /// Who accepted which document, and when.
    "terms_acceptance" {
        /// The integration.
        integration_id: Uuid,
        /// The document.
        document: String,
        /// The document version.
        document_version: String,
        /// The accepted by.
        accepted_by: String,
        /// The accepted at.
        accepted_at: DateTimeUtc,
    }
}
