//! Detects whether a calendar has changed, by Google's sync tokens.
//!
//! A sync token comes at the end of a complete list, so for the first one the time range is listed with only the ids
//! and the largest pages. Later lists have the same parameters and end at once if nothing has changed.
//!
//! Source: "Synchronize resources efficiently", guides of the Google Calendar API.

use domain::TimeRange;

use super::{
    Google,
    calendars::format_instant,
    classify::RequestSubject,
    request::{Call, unreadable_response, with_query},
    scopes::Scope,
    wire,
};
use crate::{
    ChangeCheck, Result, Session,
    rest::{RestApi, watermark},
};

/// Maximum page size.
const PAGE: &str = "2500";
/// Maximum number of pages of a list; a longer list is treated as an endless loop.
const MOST_PAGES: usize = 200;
/// The requested fields of a list of events.
const FIELDS: &str = "items(id),nextPageToken,nextSyncToken";

impl Google {
    pub(super) async fn check_for_changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        known: Option<&str>,
    ) -> Result<ChangeCheck> {
        watermark::poll_watermark("token", (mailbox, window), known, |token| {
            Box::pin(async move {
                let (from, until) = (format_instant(window.start), format_instant(window.end));
                let bounds = match &token {
                    Some(token) => vec![("syncToken", token.as_str())],
                    None => vec![("timeMin", from.as_str()), ("timeMax", until.as_str())],
                };
                self.walk_changes(session, mailbox, &bounds).await
            })
        })
        .await
    }

    /// Reads a list to its end. Returns the sync token for the next list, and whether this list contained any event.
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
            let call =
                Call::get(url, Scope::Events).for_mailbox(mailbox).with_subject(RequestSubject::Changes);
            let list: wire::EventsWithoutDetails = self.call_json(session, &call).await?;
            told |= !list.items.is_empty();
            match (list.next_page_token, list.next_sync_token) {
                (Some(next), _) => page = Some(next),
                (None, Some(token)) => return Ok((token, told)),
                (None, None) => return Err(unreadable_response()),
            }
        }
        Err(unreadable_response())
    }
}
