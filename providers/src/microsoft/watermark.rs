//! Detects whether a mailbox has changed, by `calendarView/delta`.
//!
//! The watermark is a delta link together with the mailbox and window that Graph encodes in it. The first one
//! requires reading the whole window, because `$deltatoken=latest` does not exist for events; those events are
//! ignored. Afterwards one request shows whether anything has changed.
//!
//! Source: "Get incremental changes to events in a calendar view", delta query documentation of Microsoft Graph.

use domain::TimeRange;
use url::Url;

use super::{
    Microsoft,
    changes::begin,
    events::not_understood,
    request::{Call, endless},
    wire,
};
use crate::{
    ChangeCheck, Result, Session,
    rest::{MAX_PAGES, RestApi, watermark},
};

impl Microsoft {
    pub(super) async fn ask_for_changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        known: Option<&str>,
    ) -> Result<ChangeCheck> {
        watermark::poll("link", (mailbox, window), known, |link| {
            Box::pin(async move {
                let url = match link {
                    Some(link) => self.follow(&link)?,
                    None => begin(self, mailbox, window)?,
                };
                self.walk_changes(session, mailbox, url).await
            })
        })
        .await
    }

    /// Reads a round of changes to its end. Returns the link of the next round, and whether this one contained
    /// anything.
    async fn walk_changes(&self, session: &Session, mailbox: &str, mut url: Url) -> Result<(String, bool)> {
        let mut told = false;
        for _ in 0..MAX_PAGES {
            let call = Call::get(url).of(mailbox).pages_of(200);
            let page: wire::Delta = self.call_json(session, &call).await?;
            told |= !page.value.0.is_empty();
            match (page.next, page.delta) {
                (Some(next), _) => url = self.follow(&next)?,
                (None, Some(delta)) => return Ok((delta, told)),
                (None, None) => return Err(not_understood()),
            }
        }
        Err(endless())
    }
}
