//! Changes in a mailbox, by `calendarView/delta`.
//!
//! The cursor is the link that Graph returned, unchanged. Graph abbreviates the occurrences of a series and may
//! return the series itself: all its occurrences in the window are then read again, so that callers need not
//! assemble it.

use std::collections::BTreeSet;

use chrono::SecondsFormat;
use domain::TimeRange;
use url::Url;

use super::{
    Microsoft,
    events::not_understood,
    request::{Call, endless, with_query},
    wire,
};
use crate::{
    Changes, ErrorKind, EventPage, Result, Session,
    json::Members,
    rest::{MAX_PAGES, RestApi},
};

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
        let (mut gone, mut series, mut events) = (Vec::new(), BTreeSet::new(), Members::default());
        for item in page.value.0 {
            match item.map(sort) {
                Some(Sorted::Gone(id)) => gone.push(id),
                Some(Sorted::Series(id)) => drop(series.insert(id)),
                Some(Sorted::Changed(raw)) => events.0.push(Some(*raw)),
                None => events.0.push(None),
            }
        }
        let told = |of: &Option<String>| of.as_ref().is_some_and(|of| series.contains(of));
        events.0.retain(|raw| !raw.as_ref().is_some_and(|raw| told(&raw.series_master_id)));
        let EventPage { items: mut changed, mut unreadable, .. } =
            self.read_all(session, mailbox, events, window).await?;
        for master in series {
            let page = self.occurrences(session, mailbox, &master, window).await?;
            changed.extend(page.items);
            unreadable.extend(page.unreadable);
            gone.push(master);
        }
        Ok(Changes { gone, changed, unreadable, cursor, more })
    }

    /// The occurrences of a series in the window; empty if it has been deleted.
    async fn occurrences(
        &self,
        session: &Session,
        mailbox: &str,
        master: &str,
        window: TimeRange,
    ) -> Result<EventPage> {
        let url = self.mailbox_url(mailbox, &["events", master, "instances"])?;
        let mut next = Some(with_query(url, &between(window).as_pairs()));
        let mut all = EventPage::default();
        for _ in 0..MAX_PAGES {
            let Some(url) = next else { return Ok(all) };
            let call = Call::get(url).of(mailbox).item();
            let list: wire::List<wire::Event> = match self.call_json(session, &call).await {
                Err(error) if error.kind == ErrorKind::Gone => return Ok(EventPage::default()),
                answer => answer?,
            };
            let page = self.read_all(session, mailbox, list.value, window).await?;
            all.items.extend(page.items);
            all.unreadable.extend(page.unreadable);
            next = list.next.map(|link| self.follow(&link)).transpose()?;
        }
        Err(endless())
    }
}

/// The URL of the first round.
pub(super) fn begin(microsoft: &Microsoft, mailbox: &str, window: TimeRange) -> Result<Url> {
    let url = microsoft.mailbox_url(mailbox, &["calendarView", "delta"])?;
    Ok(with_query(url, &between(window).as_pairs()))
}

/// A window in the format of Graph's query parameters.
struct DeltaWindow(String, String);

impl DeltaWindow {
    fn as_pairs(&self) -> [(&'static str, &str); 2] {
        [("startDateTime", &self.0), ("endDateTime", &self.1)]
    }
}

fn between(window: TimeRange) -> DeltaWindow {
    let text = |at: domain::Timestamp| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    DeltaWindow(text(window.start), text(window.end))
}

/// The meaning of one entry.
pub(super) enum Sorted {
    Gone(String),
    Changed(Box<wire::Event>),
    /// A series whose occurrences must be read.
    Series(String),
}

pub(super) fn sort(item: wire::Event) -> Sorted {
    match (&item.id, &item.series_master_id) {
        (Some(id), _) if item.removed => Sorted::Gone(id.clone()),
        (Some(id), _) if item.recurrence || item.kind.as_deref() == Some("seriesMaster") => {
            Sorted::Series(id.clone())
        }
        // Shortened: what it has in common with its series is missing.
        (_, Some(master)) if item.show_as.is_none() => Sorted::Series(master.clone()),
        _ => Sorted::Changed(Box::new(item)),
    }
}
