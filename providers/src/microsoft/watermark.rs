//! Whether anything has changed in a mailbox, by `calendarView/delta`.
//!
//! The watermark is a delta link, and the mailbox and window that Graph keeps inside it. To get the first one the whole window has to
//! be walked, because `$deltatoken=latest` is not for events; nothing of what is told on the way is looked at. Later
//! one request says whether there is anything to tell.
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

/// Where a round of changes ended.
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

    /// Walks to the end of a round. Returns where the next one begins, and whether anything was told in this one.
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
