//! Evidence about an integration: verifications, accepted terms and service accounts.

use async_graphql::{Description, ID, Object, SimpleObject};
use services::{
    rows::{service_account, terms_acceptance, verification as record},
    verification,
};

use super::stored;
use crate::{
    graphql::{
        context::format_id,
        enums::{TermsDocument, Verdict},
        scalar::{DateTime, EmailAddress},
    },
    wording,
};

/// One verification of an integration: a series of checks with their results.
#[derive(Description)]
pub struct Verification(record::Model);

impl From<record::Model> for Verification {
    fn from(model: record::Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Verification {
    /// Identifier; starts with `ver_`.
    async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Worst verdict among the checks, ignoring skipped ones.
    async fn verdict(&self) -> Verdict {
        (&self.0.verdict).into()
    }

    /// The checks, in the order in which they ran.
    async fn checks(&self) -> Vec<Check> {
        stored::<verification::Check>(&self.0.checks, "checks").into_iter().map(Check::from).collect()
    }

    /// Time of the verification.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }
}

/// One check of a verification.
#[derive(SimpleObject)]
pub struct Check {
    /// Name of the check, such as `REACHABLE`, `SERVICE_MAILBOX`, `WRITE` or `ROOM`.
    name: String,
    /// The mailbox that was checked; null if the check concerns the whole calendar system.
    mailbox: Option<EmailAddress>,
    /// Result of the check.
    verdict: Verdict,
    /// What the check observed, in one sentence.
    evidence: String,
    /// Recommended action, as an imperative sentence; null if there is nothing to do.
    next_action: Option<String>,
}

impl From<verification::Check> for Check {
    fn from(check: verification::Check) -> Self {
        let verification::Check { name, mailbox, verdict, evidence, next_action } = check;
        Self {
            name,
            mailbox: mailbox.map(EmailAddress),
            verdict: verdict.into(),
            evidence: wording::render_message(&evidence),
            next_action: next_action.as_ref().map(wording::render_message),
        }
    }
}

/// A person's acceptance of one version of a legal document.
#[derive(SimpleObject)]
pub struct TermsAcceptance {
    /// Accepted document.
    document: TermsDocument,
    /// Version of the accepted document.
    document_version: String,
    /// Who accepted the document: the id of a user, vendor key or invitation, or the email address of the invitation
    /// whose link was used.
    accepted_by: String,
    /// Time at which the document was accepted.
    accepted_at: DateTime,
}

impl From<terms_acceptance::Model> for TermsAcceptance {
    fn from(row: terms_acceptance::Model) -> Self {
        Self {
            document: (&row.document).into(),
            document_version: row.document_version,
            accepted_by: row.accepted_by,
            accepted_at: row.accepted_at.into(),
        }
    }
}

/// A service mailbox to which an integration writes bookings.
#[derive(Description, Debug, Clone)]
pub struct ServiceAccount(service_account::Model);

impl From<service_account::Model> for ServiceAccount {
    fn from(model: service_account::Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl ServiceAccount {
    /// Identifier; starts with `svc_`.
    async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Email address of the mailbox.
    async fn address(&self) -> EmailAddress {
        self.0.address.clone().into()
    }

    /// Display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether new bookings are written to this mailbox. Former service mailboxes remain in use for the bookings that
    /// were written to them.
    async fn is_current(&self) -> bool {
        self.0.status == domain::state::ServiceAccountStatus::Active
    }

    /// Time at which the mailbox passed its verification; null until then.
    async fn verified_at(&self) -> Option<DateTime> {
        self.0.verified_at.map(DateTime)
    }
}
