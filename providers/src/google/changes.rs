//! Changes in a calendar since a cursor, by Google's sync tokens.
//!
//! The first list is limited to the time range; later lists are limited only by the sync token. Their events may be at
//! any time, so an event outside the time range is reported as deleted.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{TimeRange, Timestamp, UnreadableReason};
use serde::{Deserialize, Serialize};

use super::{
    Google,
    calendars::format_instant,
    classify::RequestSubject,
    event,
    events::PAGE_SIZE,
    request::{Call, unreadable_response, with_query},
    scopes::Scope,
    wire,
};
use crate::{
    Changes, Error, ErrorKind, EventPage, Remedy, Result, Session, messages, moment::ParsedItem,
    rest::RestApi,
};

/// The position in the list of changes at which reading stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// Start of the time range of the first list.
    from: Timestamp,
    until: Timestamp,
    /// The sync token of the last complete list.
    sync: Option<String>,
    /// The token of the next page of the current list.
    page: Option<String>,
}

impl Cursor {
    fn read(text: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
            Error::new(
                ErrorKind::Gone,
                Remedy::Resync,
                "CURSOR_UNREADABLE",
                messages::google_position_unreadable(),
            )
        })
    }

    fn write(&self) -> Result<String> {
        Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).map_err(|_| unreadable_response())?))
    }
}

impl Google {
    pub(super) async fn list_changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes> {
        let begun = Cursor { from: window.start, until: window.end, sync: None, page: None };
        let at = cursor.map_or(Ok(begun), Cursor::read)?;
        let (from, until) = (format_instant(at.from), format_instant(at.until));
        let mut query = vec![("singleEvents", "true"), ("maxResults", PAGE_SIZE)];
        match &at.sync {
            Some(token) => query.push(("syncToken", token)),
            None => query.extend([("timeMin", from.as_str()), ("timeMax", until.as_str())]),
        }
        query.extend(at.page.as_deref().map(|token| ("pageToken", token)));
        let url = with_query(self.calendar_url(mailbox, &["events"])?, &query);
        let call = Call::get(url, Scope::Events).for_mailbox(mailbox).with_subject(RequestSubject::Changes);
        let list: wire::Events = self.call_json(session, &call).await?;

        let (mut gone, mut page) = (Vec::new(), EventPage::default());
        let window = TimeRange::new(at.from, at.until);
        let zone = event::all_day_zone(list.time_zone.as_deref(), session);
        for raw in list.items.0 {
            let id = raw.as_ref().and_then(|raw| raw.id.clone());
            let reading = match raw {
                Some(raw) => event::parse_item(raw, zone.as_ref(), window),
                None => ParsedItem::unknown_times(None, None, UnreadableReason::Malformed),
            };
            match reading {
                ParsedItem::Event(event) if !window.is_some_and(|window| event.range.overlaps(&window)) => {
                    gone.extend(id);
                }
                ParsedItem::Nothing => gone.extend(id),
                reading => page.add_parsed_item(reading),
            }
        }
        let (next, more) = match (list.next_page_token, list.next_sync_token) {
            (Some(page), _) => (Cursor { page: Some(page), ..at }, true),
            (None, Some(sync)) => (Cursor { sync: Some(sync), page: None, ..at }, false),
            (None, None) => return Err(unreadable_response()),
        };
        let EventPage { items: changed, unreadable, .. } = page;
        Ok(Changes { gone, changed, unreadable, cursor: next.write()?, more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went_and_anything_else_is_begun_anew() {
        let at = |text: &str| text.parse().unwrap();
        let cursor = Cursor {
            from: at("2026-12-01T00:00:00Z"),
            until: at("2026-12-02T00:00:00Z"),
            sync: Some("CPDAlvWDx70CEPDAlvWDx70CGAU=".to_owned()),
            page: None,
        };
        assert_eq!(Cursor::read(&cursor.write().unwrap()).unwrap(), cursor);
        assert_eq!(Cursor::read("rubbish").unwrap_err().remedy, Remedy::Resync);
    }
}
