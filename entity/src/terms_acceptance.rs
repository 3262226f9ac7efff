//! Acceptances of legal documents.

use domain::state::TermsDocument;

use crate::Stored;

crate::table::tenant_table! {
    /// One acceptance of one legal document; never changed afterwards.
    "terms_acceptance": ids::Row {
        /// The integration that was being connected.
        integration_id: Id<ids::Integration>,
        /// The accepted document.
        document: Stored<TermsDocument>,
        /// The text's version from the operator's configuration at that time.
        document_version: String,
        /// Who accepted: the id of a user, key or link, or the address to which the link was sent.
        accepted_by: String,
        /// When the server received the acceptance.
        accepted_at: DateTimeUtc,
    }
}
