//! Detects whether a calendar has changed, by a pull subscription.
//!
//! An on-premises server cannot connect to Muster, but it can record change events: Subscribe starts the recording,
//! and GetEvents returns the events. Our watermark consists of the subscription and the server's own watermark.
//! SyncFolderItems would return the same information only after returning the whole folder once, including all past
//! events.
//!
//! A server drops a subscription if it is not polled for [`TIMEOUT_MINUTES`], if it restarts, and if the mailbox
//! moves. Changes since then are unknown, so the calendar counts as changed and a new subscription is created.
//!
//! Source: "Subscribe operation" and "GetEvents operation" of the EWS reference.

use serde::{Deserialize, Serialize};

use super::{
    Exchange, failure,
    soap::{self, DEFAULT_CALENDAR, MESSAGES, TYPES},
    transport::{SoapRequest, SoapResponse},
};
use crate::{ChangeCheck, Remedy, Result, Session};

/// Lifetime of a subscription after the last poll, in minutes.
const TIMEOUT_MINUTES: u32 = 360;
/// The kinds of events to report for appointments.
const KINDS: [&str; 5] = ["CopiedEvent", "CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent"];
/// The event with which the server reports that nothing changed.
const NOTHING: &str = "StatusEvent";

/// The position up to which the events of a subscription have been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Watermark {
    subscription: String,
    mark: String,
}

impl Watermark {
    fn write(&self) -> String {
        // Two texts are always JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The result of GetEvents.
#[derive(Debug, PartialEq, Eq)]
struct PullResponse {
    mark: String,
    anything: bool,
    more: bool,
}

impl Exchange {
    pub(super) async fn check_for_changes(
        &self,
        session: &Session,
        mailbox: &str,
        watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        if let Some(known) = watermark.and_then(|text| serde_json::from_str::<Watermark>(text).ok()) {
            match self.listen(session, mailbox, &known).await {
                Ok(PullResponse { more: true, .. }) => self.unsubscribe(session, mailbox, &known).await,
                Ok(PullResponse { mark, anything, .. }) => {
                    let next = Watermark { mark, ..known }.write();
                    return Ok(if anything {
                        ChangeCheck::Changed(Some(next))
                    } else {
                        ChangeCheck::Same(next)
                    });
                }
                Err(error) if error.remedy == Remedy::Resync => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ChangeCheck::Changed(Some(self.subscribe(session, mailbox).await?.write())))
    }

    async fn subscribe(&self, session: &Session, mailbox: &str) -> Result<Watermark> {
        let kinds = KINDS.map(|kind| soap::element("t:EventType", kind)).concat();
        let body = format!(
            "<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>{DEFAULT_CALENDAR}</t:FolderIds><t:EventTypes>{kinds}</t:EventTypes><t:Timeout>{TIMEOUT_MINUTES}</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>"
        );
        let answer = self.call(session, SoapRequest::new("Subscribe", body).in_mailbox(mailbox)).await?;
        let message = answer.single_message()?;
        let text = |name: &str| {
            message.child_text(MESSAGES, name).map(str::to_owned).ok_or_else(failure::unexpected_response)
        };
        Ok(Watermark { subscription: text("SubscriptionId")?, mark: text("Watermark")? })
    }

    async fn listen(&self, session: &Session, mailbox: &str, known: &Watermark) -> Result<PullResponse> {
        let subscription = soap::element("m:SubscriptionId", &known.subscription);
        let body =
            format!("<m:GetEvents>{subscription}{}</m:GetEvents>", soap::element("m:Watermark", &known.mark));
        told(&self.call(session, SoapRequest::new("GetEvents", body).in_mailbox(mailbox)).await?)
    }

    /// Ends a subscription that has too many pending events; it would otherwise expire.
    async fn unsubscribe(&self, session: &Session, mailbox: &str, known: &Watermark) {
        let subscription = soap::element("m:SubscriptionId", &known.subscription);
        let body = format!("<m:Unsubscribe>{subscription}</m:Unsubscribe>");
        let answer = self.call(session, SoapRequest::new("Unsubscribe", body).in_mailbox(mailbox)).await;
        if let Err(error) = answer.as_ref().map_err(Clone::clone).and_then(SoapResponse::single_message) {
            tracing::debug!(code = error.code, "a subscription was not ended; it will end by itself");
        }
    }
}

fn told(answer: &SoapResponse) -> Result<PullResponse> {
    let said =
        answer.single_message()?.child(MESSAGES, "Notification").ok_or_else(failure::unexpected_response)?;
    let more = said.child_text(TYPES, "MoreEvents") == Some("true");
    let events: Vec<_> = said.children.iter().filter(|one| one.name().ends_with("Event")).collect();
    // Each event contains the watermark that follows it.
    let mark = events.last().and_then(|last| last.child_text(TYPES, "Watermark"));
    let mark = mark.ok_or_else(failure::unexpected_response)?.to_owned();
    Ok(PullResponse { mark, anything: events.iter().any(|one| one.name() != NOTHING), more })
}
