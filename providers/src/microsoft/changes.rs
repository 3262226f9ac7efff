//! Changes in a mailbox, by `calendarView/delta`.
//!
//! The cursor is the link that Graph returned, unchanged. Graph abbreviates the occurrences of a series and may return
//! the series itself: all its occurrences in the time range are then read again, so that callers need not compute
//! occurrences.

use std::collections::BTreeSet;

use chrono::SecondsFormat;
use domain::TimeRange;
use url::Url;

use super::{
    Microsoft,
    events::unexpected_response,
    request::{Call, too_many_pages, with_query},
    wire,
};
use crate::{
    Changes, ErrorKind, EventPage, Result, Session,
    json::LenientList,
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
            Some(link) => self.next_page_url(link)?,
            None => first_delta_url(self, mailbox, window)?,
        };
        let call = Call::get(url).for_mailbox(mailbox).with_page_size(200);
        let page: wire::Delta = self.call_json(session, &call).await?;
        let (cursor, more) = match (page.next, page.delta) {
            (Some(next), _) => (next, true),
            (None, Some(delta)) => (delta, false),
            (None, None) => return Err(unexpected_response()),
        };
        let (mut gone, mut series, mut events) = (Vec::new(), BTreeSet::new(), LenientList::default());
        for item in page.value.0 {
            match item.map(classify_entry) {
                Some(DeltaEntry::Gone(id)) => gone.push(id),
                Some(DeltaEntry::Series(id)) => drop(series.insert(id)),
                Some(DeltaEntry::Changed(raw)) => events.0.push(Some(*raw)),
                None => events.0.push(None),
            }
        }
        let told = |of: &Option<String>| of.as_ref().is_some_and(|of| series.contains(of));
        events.0.retain(|raw| !raw.as_ref().is_some_and(|raw| told(&raw.series_master_id)));
        let EventPage { items: mut changed, mut unreadable, .. } =
            self.read_items(session, mailbox, events, window).await?;
        for master in series {
            let page = self.occurrences(session, mailbox, &master, window).await?;
            changed.extend(page.items);
            unreadable.extend(page.unreadable);
            gone.push(master);
        }
        Ok(Changes { gone, changed, unreadable, cursor, more })
    }

    /// The occurrences of a series in the time range; empty if it has been deleted.
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
            let call = Call::get(url).for_mailbox(mailbox).about_object();
            let list: wire::List<wire::Event> = match self.call_json(session, &call).await {
                Err(error) if error.kind == ErrorKind::Gone => return Ok(EventPage::default()),
                answer => answer?,
            };
            let page = self.read_items(session, mailbox, list.value, window).await?;
            all.items.extend(page.items);
            all.unreadable.extend(page.unreadable);
            next = list.next.map(|link| self.next_page_url(&link)).transpose()?;
        }
        Err(too_many_pages())
    }
}

/// The URL of the first delta query, for a mailbox and time range.
pub(super) fn first_delta_url(microsoft: &Microsoft, mailbox: &str, window: TimeRange) -> Result<Url> {
    let url = microsoft.mailbox_url(mailbox, &["calendarView", "delta"])?;
    Ok(with_query(url, &between(window).as_pairs()))
}

/// A time range in the format of Graph's query parameters.
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

/// The classification of one entry of a delta response.
pub(super) enum DeltaEntry {
    Gone(String),
    Changed(Box<wire::Event>),
    /// A series whose occurrences must be read.
    Series(String),
}

pub(super) fn classify_entry(item: wire::Event) -> DeltaEntry {
    match (&item.id, &item.series_master_id) {
        (Some(id), _) if item.removed => DeltaEntry::Gone(id.clone()),
        (Some(id), _) if item.recurrence || item.kind.as_deref() == Some("seriesMaster") => {
            DeltaEntry::Series(id.clone())
        }
        // Shortened: what it has in common with its series is missing.
        (_, Some(master)) if item.show_as.is_none() => DeltaEntry::Series(master.clone()),
        _ => DeltaEntry::Changed(Box::new(item)),
    }
}
