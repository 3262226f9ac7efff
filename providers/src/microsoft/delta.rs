//! What has changed in a mailbox, by `calendarView/delta`.
//!
//! The cursor is the link that Graph gave, unchanged. Graph shortens the occurrences of a series and may send the
//! series itself: then all its occurrences in the window are read anew, so nobody has to put a series together.

use std::collections::BTreeSet;

use chrono::SecondsFormat;
use domain::TimeRange;
use serde_json::Value;
use url::Url;

use super::{
    Microsoft,
    directory::endless,
    events::{event, not_understood},
    request::{Call, MAX_PAGES, with_query},
    wire,
};
use crate::{Changes, ErrorKind, Event, Result, Session};

impl Microsoft {
    pub(super) async fn read_changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes> {
        let url = match cursor {
            Some(link) => self.follow(link)?,
            None => begin(self, mailbox, window)?,
        };
        let call = Call::get(url).of(mailbox).pages_of(200);
        let page: wire::Delta = self.call_json(session, &call).await?;
        let (cursor, more) = match (page.next, page.delta) {
            (Some(next), _) => (next, true),
            (None, Some(delta)) => (delta, false),
            (None, None) => return Err(not_understood()),
        };
        let (mut gone, mut changed, mut series) = (Vec::new(), Vec::new(), BTreeSet::new());
        for item in page.value {
            match sort(item)? {
                Sorted::Gone(id) => gone.push(id),
                Sorted::Changed(event) => changed.push(*event),
                Sorted::Series(id) => drop(series.insert(id)),
                Sorted::Nothing => {}
            }
        }
        changed.retain(|event| !event.series.as_ref().is_some_and(|of| series.contains(of)));
        for master in series {
            changed.extend(self.occurrences(session, mailbox, &master, window).await?);
            gone.push(master);
        }
        Ok(Changes { gone, changed, unreadable: Vec::new(), cursor, more })
    }

    /// The occurrences of a series in the window; none of one that is gone by now.
    async fn occurrences(
        &self,
        session: &Session,
        mailbox: &str,
        master: &str,
        window: TimeRange,
    ) -> Result<Vec<Event>> {
        let url = self.mailbox_url(mailbox, &["events", master, "instances"])?;
        let mut next = Some(with_query(url, &between(window).as_pairs()));
        let mut all = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(url) = next else { return Ok(all) };
            let call = Call::get(url).of(mailbox).item();
            let list: wire::List<wire::Event> = match self.call_list(session, &call).await {
                Err(error) if error.kind == ErrorKind::Gone => return Ok(Vec::new()),
                answer => answer?,
            };
            for raw in list.value {
                all.extend(event(raw)?);
            }
            next = list.next.map(|link| self.follow(&link)).transpose()?;
        }
        Err(endless())
    }
}

/// The address of a first round.
pub(super) fn begin(microsoft: &Microsoft, mailbox: &str, window: TimeRange) -> Result<Url> {
    let url = microsoft.mailbox_url(mailbox, &["calendarView", "delta"])?;
    Ok(with_query(url, &between(window).as_pairs()))
}

/// A window as Graph's query wants it.
struct Between(String, String);

impl Between {
    fn as_pairs(&self) -> [(&'static str, &str); 2] {
        [("startDateTime", &self.0), ("endDateTime", &self.1)]
    }
}

fn between(window: TimeRange) -> Between {
    let text = |at: domain::Timestamp| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    Between(text(window.start), text(window.end))
}

/// What one entry says.
enum Sorted {
    Gone(String),
    Changed(Box<Event>),
    /// A series whose occurrences have to be read.
    Series(String),
    /// An event without any length.
    Nothing,
}

fn sort(item: Value) -> Result<Sorted> {
    let text = |name: &str| item[name].as_str().map(str::to_owned);
    let id = text("id").ok_or_else(not_understood)?;
    if item.get("@removed").is_some() {
        return Ok(Sorted::Gone(id));
    }
    match (text("type").as_deref(), text("seriesMasterId")) {
        (Some("seriesMaster"), _) => return Ok(Sorted::Series(id)),
        // Shortened: what it has in common with its series is missing.
        (_, Some(master)) if item.get("showAs").is_none() => return Ok(Sorted::Series(master)),
        _ => {}
    }
    let raw: wire::Event = serde_json::from_value(item).map_err(|_| not_understood())?;
    Ok(event(raw)?.map_or(Sorted::Nothing, |event| Sorted::Changed(Box::new(event))))
}
