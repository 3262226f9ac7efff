//! Detects whether a calendar has changed, by Google's sync tokens.
//!
//! A sync token comes at the end of a complete list, so for the first one the window is listed with only the ids
//! and the largest pages. Later lists have the same parameters and end at once if nothing has changed.
//!
//! Source: "Synchronize resources efficiently", guides of the Google Calendar API.

use domain::TimeRange;
use serde::{Deserialize, Serialize};

use super::{
    Google,
    calendars::instant,
    classify::Subject,
    request::{Call, unreadable, with_query},
    scopes::Scope,
    wire,
};
use crate::{ChangeCheck, Remedy, Result, Session};

/// Maximum page size.
const PAGE: &str = "2500";
/// Maximum number of pages of a list; a longer list is treated as an endless loop.
const MOST_PAGES: usize = 200;
/// The requested members of a list.
const FIELDS: &str = "items(id),nextPageToken,nextSyncToken";

/// The position at the end of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Watermark {
    mailbox: String,
    /// The window of the first list.
    window: TimeRange,
    token: String,
}

impl Google {
    pub(super) async fn ask_for_changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        // Times and texts are always JSON.
        let write = |token| {
            let watermark = Watermark { mailbox: mailbox.to_owned(), window, token };
            serde_json::to_string(&watermark).unwrap_or_default()
        };
        let known = watermark.and_then(|text| serde_json::from_str::<Watermark>(text).ok());
        let known = known.filter(|known| known.mailbox == mailbox && known.window == window);
        if let Some(known) = known {
            match self.walk_changes(session, mailbox, &[("syncToken", &known.token)]).await {
                Ok((token, false)) => return Ok(ChangeCheck::Same(write(token))),
                Ok((token, true)) => return Ok(ChangeCheck::Changed(Some(write(token)))),
                Err(error) if error.remedy == Remedy::Resync => {}
                Err(error) => return Err(error),
            }
        }
        let (from, until) = (instant(window.start), instant(window.end));
        let bounds = [("timeMin", from.as_str()), ("timeMax", until.as_str())];
        let (token, _) = self.walk_changes(session, mailbox, &bounds).await?;
        Ok(ChangeCheck::Changed(Some(write(token))))
    }

    /// Reads a list to its end. Returns the token of the next list, and whether this one contained anything.
    async fn walk_changes(
        &self,
        session: &Session,
        mailbox: &str,
        bounds: &[(&str, &str)],
    ) -> Result<(String, bool)> {
        let (mut told, mut page) = (false, None);
        for _ in 0..MOST_PAGES {
            let mut query = vec![("singleEvents", "true"), ("maxResults", PAGE), ("fields", FIELDS)];
            query.extend_from_slice(bounds);
            query.extend(page.as_deref().map(|token| ("pageToken", token)));
            let url = with_query(self.calendar_url(mailbox, &["events"])?, &query);
            let call = Call::get(url, Scope::Events).of(mailbox).on(Subject::Changes);
            let list: wire::Touched = self.call_json(session, &call).await?;
            told |= !list.items.is_empty();
            match (list.next_page_token, list.next_sync_token) {
                (Some(next), _) => page = Some(next),
                (None, Some(token)) => return Ok((token, told)),
                (None, None) => return Err(unreadable()),
            }
        }
        Err(unreadable())
    }
}
