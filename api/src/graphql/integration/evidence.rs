//! What is known about an integration: climbed ladders, accepted terms, service mailboxes.

use async_graphql::{Description, ID, Object, SimpleObject};
use domain::ids;
use services::{
    entity::{service_account, terms_acceptance, verification},
    ladder,
};

use super::stored;
use crate::graphql::{
    context::shown,
    scalar::{DateTime, EmailAddress},
    words::Verdict,
};

/// One climb of the ladder of checks.
#[derive(Description)]
pub struct Verification(verification::Model);

impl From<verification::Model> for Verification {
    fn from(model: verification::Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Verification {
    /// The id; it begins with `ver_`.
    async fn id(&self) -> ID {
        shown::<ids::Verification>(self.0.id)
    }

    /// The worst of its checks, where what was skipped does not count.
    async fn verdict(&self) -> Option<Verdict> {
        domain::state::Verdict::parse(&self.0.verdict).map(Verdict::from)
    }

    /// The checks, in the order in which they were climbed.
    async fn checks(&self) -> Vec<Check> {
        stored::<ladder::Check>(&self.0.checks, "checks").into_iter().map(Check::from).collect()
    }

    /// When.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }
}

/// One check of a verification.
#[derive(SimpleObject)]
pub struct Check {
    /// What was checked, such as `REACHABLE`, `SERVICE_MAILBOX`, `WRITE` or `ROOM`.
    name: String,
    /// The mailbox that was checked; null when it was the whole system.
    mailbox: Option<EmailAddress>,
    /// The verdict.
    verdict: Verdict,
    /// What was seen, in one sentence.
    evidence: String,
    /// What to do, as an imperative sentence; null when there is nothing to do.
    next_action: Option<String>,
}

impl From<ladder::Check> for Check {
    fn from(check: ladder::Check) -> Self {
        let ladder::Check { name, mailbox, verdict, evidence, next_action } = check;
        Self { name, mailbox: mailbox.map(EmailAddress), verdict: verdict.into(), evidence, next_action }
    }
}

/// Who accepted which document.
#[derive(SimpleObject)]
pub struct TermsAcceptance {
    /// The document: `TERMS_OF_SERVICE` or `PRIVACY_POLICY`.
    document: String,
    /// Its version.
    document_version: String,
    /// Who: an email address, or the id of a user, a key or a link.
    accepted_by: String,
    /// When.
    accepted_at: DateTime,
}

impl From<terms_acceptance::Model> for TermsAcceptance {
    fn from(row: terms_acceptance::Model) -> Self {
        Self {
            document: row.document,
            document_version: row.document_version,
            accepted_by: row.accepted_by,
            accepted_at: row.accepted_at.into(),
        }
    }
}

/// A technical mailbox that an integration acts with.
#[derive(Description, Debug, Clone)]
pub struct ServiceAccount(service_account::Model);

impl From<service_account::Model> for ServiceAccount {
    fn from(model: service_account::Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl ServiceAccount {
    /// The id; it begins with `svc_`.
    async fn id(&self) -> ID {
        shown::<ids::ServiceAccount>(self.0.id)
    }

    /// The mailbox address.
    async fn address(&self) -> EmailAddress {
        self.0.address.clone().into()
    }

    /// The name, for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether bookings are made with it now. A former one serves the bookings that were made with it.
    async fn is_current(&self) -> bool {
        self.0.status == "ACTIVE"
    }

    /// When its verification succeeded; null before it did.
    async fn verified_at(&self) -> Option<DateTime> {
        self.0.verified_at.map(DateTime)
    }
}
