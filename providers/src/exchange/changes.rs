//! What has changed in a calendar: SyncFolderItems.
//!
//! The server tells the items of the whole folder, 512 at a time, and of a series only that it changed. So each page is
//! compared with the window: what lies in it is read, a series is told as its id in `gone` and expanded anew, and what
//! lies outside counts as gone, because it may have been in the window before. The cursor is the server's own state,
//! behind a letter that says whether the first reading of the folder is over; while it is not, nothing can be gone.

use std::collections::{HashMap, HashSet};

use domain::{TimeRange, Unreadable, UnreadableReason, Zone};

use super::{
    Exchange, failure,
    item::{self, SeriesRole},
    read::ReadItem,
    soap::{self, CALENDAR, MESSAGES},
    transport::{Answer, Call},
    view::{self, Listed, View},
};
use crate::{Changes, Error, ErrorKind, EventPage, Remedy, Result, Session, moment::ItemReading, parts};

/// The server tells no more at once.
const MAX: usize = 512;
/// Begins the cursor of a first reading that is not over.
const FIRST: &str = "f";
/// Begins every other cursor.
const NEXT: &str = "n";

/// One answer of the server.
#[derive(Debug, Default)]
struct SyncResponse {
    /// Ids of items that are new or different.
    there: Vec<String>,
    /// Ids of items that are gone.
    gone: Vec<String>,
    /// Items that are told without their ids.
    nameless: Vec<Unreadable>,
    state: String,
    more: bool,
}

impl Exchange {
    pub(super) async fn follow_changes(
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
            let View { listed, lost, .. } = self.view(session, mailbox, CALENDAR, window).await?;
            let (known, rest): (Vec<_>, Vec<_>) =
                listed.into_iter().partition(|one| refused.remove(&one.handle.id));
            for one in known {
                page.take(view::busy_from_outline(one));
            }
            let those = rest.into_iter().filter(|one| is_of(one, &series)).collect();
            let occurrences = self.read_listed(session, mailbox, those, &series, window).await?;
            page.items.extend(occurrences.items);
            page.unreadable.extend(occurrences.unreadable);
            for piece in lost {
                page.take(ItemReading::lost(piece));
            }
        }
        // It may be a series of which no occurrence can be told from others.
        for id in refused {
            page.take(ItemReading::unknown(Some(id), None, UnreadableReason::NotDelivered));
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
        // A page that cannot be read is asked for again, shorter, until what cannot be read stands alone.
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
            "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>{CALENDAR}</m:SyncFolderId>{state}<m:MaxChangesReturned>{most}</m:MaxChangesReturned></m:SyncFolderItems>"
        );
        let answer = self.call(session, Call::new("SyncFolderItems", body).of(mailbox)).await?;
        told(&answer)
    }
}

fn told(answer: &Answer) -> Result<SyncResponse> {
    let message = answer.message()?;
    let text = |name: &str| message.text_of(MESSAGES, name);
    let mut told = SyncResponse {
        state: text("SyncState").ok_or_else(failure::not_understood)?.to_owned(),
        more: text("IncludesLastItemInRange") == Some("false"),
        ..SyncResponse::default()
    };
    // A page without changes has an empty list of them.
    let changes = message.child(MESSAGES, "Changes").ok_or_else(failure::not_understood)?;
    let mut seen = HashSet::new();
    for change in &changes.children {
        let handle = match change.name() {
            "Create" | "Update" => change.children.first().and_then(item::handle),
            "Delete" | "ReadFlagChange" => item::handle(change),
            _ => None,
        };
        match (change.name(), handle) {
            ("ReadFlagChange", _) => {}
            ("Delete", Some(handle)) => told.gone.push(handle.id),
            // An item may be told twice on one page; it is read once.
            (_, Some(handle)) if seen.insert(handle.id.clone()) => told.there.push(handle.id),
            (_, Some(_)) => {}
            (_, None) => told.nameless.push(Unreadable {
                uid: String::new(),
                reason: UnreadableReason::Malformed,
                blocks: false,
            }),
        }
    }
    Ok(told)
}

/// The items of one page, by what is to be done with them.
#[derive(Debug, Default)]
struct ItemsByChange {
    gone: Vec<String>,
    page: EventPage,
    /// Ids of series by UID.
    series: HashMap<String, String>,
    /// Ids of items that the server does not hand out.
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
            // An item that can never be read must not hold up the calendar for ever.
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
        match item::read(&read.item, days, Some(window)) {
            ItemReading::Event(event) if !event.range.overlaps(&window) => self.gone.push(id),
            ItemReading::Nothing => self.gone.push(id),
            reading => self.page.take(reading),
        }
        Ok(())
    }
}

fn is_of(listed: &Listed, series: &HashMap<String, String>) -> bool {
    listed.place == SeriesRole::Occurrence && series.contains_key(&listed.uid)
}

fn forgotten() -> Error {
    let message =
        "The stored sync position did not come from an Exchange server; Muster reads everything again.";
    Error::new(ErrorKind::Gone, Remedy::Resync, "FOREIGN_CURSOR", message)
}
