//! Detects whether a mailbox has changed, by `calendarView/delta`.
//!
//! The watermark is a delta link together with the mailbox and window that Graph encodes in it. The first one
//! requires reading the whole window, because `$deltatoken=latest` does not exist for events; the events read on
//! the way are ignored. Afterwards one request tells whether anything has changed.
//!
//! Source: "Get incremental changes to events in a calendar view", delta query documentation of Microsoft Graph.

use domain::TimeRange;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Microsoft,
    delta::begin,
    directory::endless,
    events::not_understood,
    request::{Call, MAX_PAGES},
    wire,
};
use crate::{ChangeCheck, Remedy, Result, Session};

/// The position at the end of a round of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Watermark {
    mailbox: String,
    window: TimeRange,
    link: String,
}

impl Microsoft {
    pub(super) async fn ask_for_changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        // Times and texts are always JSON.
        let write = |link| {
            let watermark = Watermark { mailbox: mailbox.to_owned(), window, link };
            serde_json::to_string(&watermark).unwrap_or_default()
        };
        let known = watermark.and_then(|text| serde_json::from_str::<Watermark>(text).ok());
        let known = known.filter(|known| known.mailbox == mailbox && known.window == window);
        if let Some(link) = known.and_then(|known| self.follow(&known.link).ok()) {
            match self.walk_changes(session, mailbox, link).await {
                Ok((link, false)) => return Ok(ChangeCheck::Same(write(link))),
                Ok((link, true)) => return Ok(ChangeCheck::Changed(Some(write(link)))),
                Err(error) if error.remedy == Remedy::Resync => {}
                Err(error) => return Err(error),
            }
        }
        let (link, _) = self.walk_changes(session, mailbox, begin(self, mailbox, window)?).await?;
        Ok(ChangeCheck::Changed(Some(write(link))))
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
