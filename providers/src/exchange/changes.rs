//! What has changed in a calendar: SyncFolderItems.
//!
//! The server tells the items of the whole folder, 512 at a time, and of a series only that it changed. So each page is
//! compared with the window: what lies in it is read, a series is told as its id in `gone` and expanded anew, and what
//! lies outside counts as gone, because it may have been in the window before. The cursor is the server's own state,
//! behind a letter that says whether the first reading of the folder is over; while it is not, nothing can be gone.

use std::collections::{HashMap, HashSet};

use domain::TimeRange;

use super::{
    Exchange, failure,
    item::{self, Place},
    read::{Listed, Read},
    soap::{self, CALENDAR, MESSAGES},
    transport::{Answer, Call},
};
use crate::{Changes, Error, ErrorKind, Event, Remedy, Result, Session};

/// The server tells no more at once.
const MOST: usize = 512;
/// Begins the cursor of a first reading that is not over.
const FIRST: &str = "f";
/// Begins every other cursor.
const NEXT: &str = "n";

/// One answer of the server.
#[derive(Debug, Default)]
struct Told {
    /// Ids of items that are new or different.
    there: Vec<String>,
    /// Ids of items that are gone.
    gone: Vec<String>,
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
        let read = self.read_items(session, mailbox, &told.there).await?;
        let mut page = Sorted { gone: told.gone, ..Sorted::default() };
        for (id, read) in told.there.into_iter().zip(read) {
            page.sort(id, read, window)?;
        }
        let mut changed = page.changed;
        if !page.series.is_empty() {
            let all = self.view(session, mailbox, window).await?;
            let those: Vec<Listed> = all.into_iter().filter(|one| is_of(one, &page.series)).collect();
            changed.extend(self.events_of(session, mailbox, those, &page.series).await?);
        }
        let gone = if first { Vec::new() } else { page.gone };
        let kind = if first && told.more { FIRST } else { NEXT };
        Ok(Changes {
            gone,
            changed,
            unreadable: Vec::new(),
            cursor: format!("{kind}:{}", told.state),
            more: told.more,
        })
    }

    async fn sync(&self, session: &Session, mailbox: &str, state: Option<&str>) -> Result<Told> {
        let state = state.map(|state| soap::element("m:SyncState", state)).unwrap_or_default();
        let body = format!(
            "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>{CALENDAR}</m:SyncFolderId>{state}<m:MaxChangesReturned>{MOST}</m:MaxChangesReturned></m:SyncFolderItems>"
        );
        let answer = self.call(session, Call::new("SyncFolderItems", body).of(mailbox)).await?;
        told(&answer)
    }
}

fn told(answer: &Answer) -> Result<Told> {
    let message = answer.message()?;
    let text = |name: &str| message.text_of(MESSAGES, name);
    let mut told = Told {
        state: text("SyncState").ok_or_else(failure::not_understood)?.to_owned(),
        more: text("IncludesLastItemInRange") == Some("false"),
        ..Told::default()
    };
    let changes = message.child(MESSAGES, "Changes").map(|all| all.children.as_slice()).unwrap_or_default();
    let mut seen = HashSet::new();
    for change in changes {
        let handle = match change.name.as_str() {
            // An item may be told twice on one page; it is read once.
            "Create" | "Update" => change.children.first().and_then(item::handle),
            "Delete" => item::handle(change).inspect(|handle| told.gone.push(handle.id.clone())),
            _ => None,
        };
        if let Some(handle) =
            handle.filter(|handle| change.name != "Delete" && seen.insert(handle.id.clone()))
        {
            told.there.push(handle.id);
        }
    }
    Ok(told)
}

/// The items of one page, by what is to be done with them.
#[derive(Debug, Default)]
struct Sorted {
    gone: Vec<String>,
    changed: Vec<Event>,
    /// Ids of series by UID.
    series: HashMap<String, String>,
}

impl Sorted {
    fn sort(&mut self, id: String, read: Result<Option<Read>>, window: TimeRange) -> Result<()> {
        let read = match read {
            Ok(read) => read,
            Err(error) if matches!(error.remedy, Remedy::RetryAfter(_) | Remedy::Reconnect) => {
                return Err(error);
            }
            // An item that can never be read must not hold up the calendar for ever.
            Err(error) => {
                tracing::warn!(code = error.code, "an appointment cannot be read and is left out");
                None
            }
        };
        match read {
            Some(read) if read.place == Place::Series => {
                self.series.insert(read.uid, id.clone());
                self.gone.push(id);
            }
            Some(Read { event: Some(event), .. }) if event.range.overlaps(&window) => {
                self.changed.push(event);
            }
            _ => self.gone.push(id),
        }
        Ok(())
    }
}

fn is_of(listed: &Listed, series: &HashMap<String, String>) -> bool {
    listed.place == Place::Occurrence && series.contains_key(&listed.uid)
}

fn forgotten() -> Error {
    let message = "The place to read on from was not given by an Exchange server; everything is read again.";
    Error::new(ErrorKind::Gone, Remedy::Resync, "FOREIGN_CURSOR", message)
}
