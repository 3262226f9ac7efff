//! Changes in a calendar, by SyncFolderItems.
//!
//! The server reports the items of the whole folder, up to 512 at a time, and reports a series only as a whole. Each
//! page is therefore compared with the time range: items inside it are read, a series is returned as an id in `gone`
//! and expanded again, and items outside count as deleted, because they may have been inside before. The cursor is the
//! server's sync state, prefixed with a letter that indicates whether the initial sync is complete; until then,
//! nothing can have been deleted.

use std::collections::{HashMap, HashSet};

use domain::{TimeRange, UnreadableItem, UnreadableReason, Zone};

use super::{
    Exchange, failure,
    item::{self, SeriesRole},
    read::ReadItem,
    soap::{self, DEFAULT_CALENDAR, MESSAGES},
    transport::{SoapRequest, SoapResponse},
    view::{self, CalendarView, ListedItem},
};
use crate::{
    Changes, Error, ErrorKind, EventPage, Remedy, Result, Session, messages, moment::ParsedItem, parts,
};

/// Maximum number of changes that the server returns at once.
const MAX: usize = 512;
/// Prefix of a cursor within the initial sync.
const FIRST: &str = "f";
/// Prefix of a cursor after the initial sync.
const NEXT: &str = "n";

/// A response to SyncFolderItems.
#[derive(Debug, Default)]
struct SyncResponse {
    /// Ids of new and changed items.
    there: Vec<String>,
    /// Ids of deleted items.
    gone: Vec<String>,
    /// Unreadable items that were returned without an id.
    nameless: Vec<UnreadableItem>,
    state: String,
    more: bool,
}

impl Exchange {
    pub(super) async fn read_changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes> {
        let (first, state) = match cursor {
            None => (true, None),
            Some(cursor) => {
                let (kind, state) = cursor.split_once(':').ok_or_else(forgotten)?;
                (kind == FIRST, Some(state))
            }
        };
        let told = self.sync(session, mailbox, state).await?;
        let days = session.zone.clone().unwrap_or(Zone::UTC);
        let read = self.read_items(session, mailbox, &told.there).await?;
        let mut page = ItemsByChange { gone: told.gone, ..ItemsByChange::default() };
        for (id, read) in told.there.into_iter().zip(read) {
            page.sort(id, read, &days, window)?;
        }
        let ItemsByChange { gone, mut page, series, mut refused } = page;
        page.unreadable.extend(told.nameless);
        if !series.is_empty() || !refused.is_empty() {
            let CalendarView { listed, lost, .. } =
                self.read_view(session, mailbox, DEFAULT_CALENDAR, window).await?;
            let (known, rest): (Vec<_>, Vec<_>) =
                listed.into_iter().partition(|one| refused.remove(&one.handle.id));
            for one in known {
                page.add_parsed_item(view::busy_from_listed_item(one));
            }
            let those = rest.into_iter().filter(|one| is_of(one, &series)).collect();
            let occurrences = self.read_listed_events(session, mailbox, those, &series, window).await?;
            page.items.extend(occurrences.items);
            page.unreadable.extend(occurrences.unreadable);
            for piece in lost {
                page.add_parsed_item(ParsedItem::unreadable_range(piece));
            }
        }
        // It may be a series whose occurrences cannot be identified.
        for id in refused {
            page.add_parsed_item(ParsedItem::unknown_times(Some(id), None, UnreadableReason::NotDelivered));
        }
        let gone = if first { Vec::new() } else { gone };
        let kind = if first && told.more { FIRST } else { NEXT };
        Ok(Changes {
            gone,
            changed: page.items,
            unreadable: page.unreadable,
            cursor: format!("{kind}:{}", told.state),
            more: told.more,
        })
    }

    async fn sync(&self, session: &Session, mailbox: &str, state: Option<&str>) -> Result<SyncResponse> {
        let state = state.map(|state| soap::element("m:SyncState", state)).unwrap_or_default();
        // An unreadable page is requested again with fewer items, until the unreadable item is alone.
        let mut most = MAX;
        loop {
            match self.sync_page(session, mailbox, &state, most).await {
                Err(error) if parts::can_be_split(&error) && most > 1 => most /= 8,
                told => return told,
            }
        }
    }

    async fn sync_page(
        &self,
        session: &Session,
        mailbox: &str,
        state: &str,
        most: usize,
    ) -> Result<SyncResponse> {
        let body = format!(
            "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>{DEFAULT_CALENDAR}</m:SyncFolderId>{state}<m:MaxChangesReturned>{most}</m:MaxChangesReturned></m:SyncFolderItems>"
        );
        let answer =
            self.call(session, SoapRequest::new("SyncFolderItems", body).in_mailbox(mailbox)).await?;
        told(&answer)
    }
}

fn told(answer: &SoapResponse) -> Result<SyncResponse> {
    let message = answer.single_message()?;
    let text = |name: &str| message.child_text(MESSAGES, name);
    let mut told = SyncResponse {
        state: text("SyncState").ok_or_else(failure::unexpected_response)?.to_owned(),
        more: text("IncludesLastItemInRange") == Some("false"),
        ..SyncResponse::default()
    };
    // A page without changes has an empty list of them.
    let changes = message.child(MESSAGES, "Changes").ok_or_else(failure::unexpected_response)?;
    let mut seen = HashSet::new();
    for change in &changes.children {
        let handle = match change.name() {
            "Create" | "Update" => change.children.first().and_then(item::item_id),
            "Delete" | "ReadFlagChange" => item::item_id(change),
            _ => None,
        };
        match (change.name(), handle) {
            ("ReadFlagChange", _) => {}
            ("Delete", Some(handle)) => told.gone.push(handle.id),
            // An item may occur twice on one page; it is read once.
            (_, Some(handle)) if seen.insert(handle.id.clone()) => told.there.push(handle.id),
            (_, Some(_)) => {}
            (_, None) => told.nameless.push(UnreadableItem {
                uid: String::new(),
                reason: UnreadableReason::Malformed,
                blocks: false,
            }),
        }
    }
    Ok(told)
}

/// The items of one page, grouped by how they must be processed.
#[derive(Debug, Default)]
struct ItemsByChange {
    gone: Vec<String>,
    page: EventPage,
    /// Ids of the series, by UID.
    series: HashMap<String, String>,
    /// Ids of items whose content the server does not return.
    refused: HashSet<String>,
}

impl ItemsByChange {
    fn sort(
        &mut self,
        id: String,
        read: Result<Option<ReadItem>>,
        days: &Zone,
        window: TimeRange,
    ) -> Result<()> {
        let read = match read {
            Ok(read) => read,
            Err(error) if view::concerns_whole_mailbox(&error) => return Err(error),
            // A permanently unreadable item must not block the calendar for ever.
            Err(_) => {
                self.refused.insert(id);
                return Ok(());
            }
        };
        let Some(read) = read else {
            self.gone.push(id);
            return Ok(());
        };
        if read.place == SeriesRole::Series {
            self.series.insert(read.uid, id.clone());
            self.gone.push(id);
            return Ok(());
        }
        match item::parse_item(&read.item, days, Some(window)) {
            ParsedItem::Event(event) if !event.range.overlaps(&window) => self.gone.push(id),
            ParsedItem::Nothing => self.gone.push(id),
            reading => self.page.add_parsed_item(reading),
        }
        Ok(())
    }
}

fn is_of(listed: &ListedItem, series: &HashMap<String, String>) -> bool {
    listed.place == SeriesRole::Occurrence && series.contains_key(&listed.uid)
}

fn forgotten() -> Error {
    let message = messages::exchange_position_foreign();
    Error::new(ErrorKind::Gone, Remedy::Resync, "FOREIGN_CURSOR", message)
}
