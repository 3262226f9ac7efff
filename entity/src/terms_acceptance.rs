//! Acceptances of legal documents, such as terms of service.

use domain::state::TermsDocument;

use crate::Stored;

crate::table::tenant_table! {
    /// One acceptance of one legal document; the row is never changed afterwards.
    "terms_acceptance": ids::Row {
        /// The integration that was being connected.
        integration_id: Id<ids::Integration>,
        /// The accepted document.
        document: Stored<TermsDocument>,
        /// The version of the document according to the operator's configuration at the time of the acceptance.
        document_version: String,
        /// Who accepted the document: the id of a user, key or link, or the email address to which the link was sent.
        accepted_by: String,
        /// When the server received the acceptance.
        accepted_at: DateTimeUtc,
    }
}
