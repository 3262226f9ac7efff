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
    changes::first_delta_url,
    events::unexpected_response,
    request::{Call, too_many_pages},
    wire,
};
use crate::{
    ChangeCheck, Result, Session,
    rest::{MAX_PAGES, RestApi, watermark},
};

impl Microsoft {
    pub(super) async fn check_for_changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        known: Option<&str>,
    ) -> Result<ChangeCheck> {
        watermark::poll_watermark("link", (mailbox, window), known, |link| {
            Box::pin(async move {
                let url = match link {
                    Some(link) => self.next_page_url(&link)?,
                    None => first_delta_url(self, mailbox, window)?,
                };
                self.walk_changes(session, mailbox, url).await
            })
        })
        .await
    }

    /// Reads all pages of one round of delta queries. Returns the link of the next round, and whether this round
    /// contained any change.
    async fn walk_changes(&self, session: &Session, mailbox: &str, mut url: Url) -> Result<(String, bool)> {
        let mut told = false;
        for _ in 0..MAX_PAGES {
            let call = Call::get(url).for_mailbox(mailbox).with_page_size(200);
            let page: wire::Delta = self.call_json(session, &call).await?;
            told |= !page.value.0.is_empty();
            match (page.next, page.delta) {
                (Some(next), _) => url = self.next_page_url(&next)?,
                (None, Some(delta)) => return Ok((delta, told)),
                (None, None) => return Err(unexpected_response()),
            }
        }
        Err(too_many_pages())
    }
}
