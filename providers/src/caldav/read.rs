//! Reading events: reports over a window, single resources, and what they mean for the owner's time.

use chrono::Duration;
use domain::{
    Budget, Busy, BusyKind, TimeRange, Zone,
    ical::{Calendar, Expansion, Status, basic_utc, busy_kind, expand},
};
use http::StatusCode;
use quick_xml::escape::escape;
use url::Url;

use super::{
    directory::{Collection, Located},
    event::{addresses, to_event},
    failure::{self, About},
    href, multistatus,
    transport::{Call, Dav},
    xml::{CALDAV, DAV},
};
use crate::{Event, Result};

/// An event resource that was read.
#[derive(Debug)]
pub(super) struct Stored {
    /// Where it is.
    pub url: Url,
    /// Which version.
    pub etag: String,
    /// What it says.
    pub calendar: Calendar,
}

/// The events that may overlap the window. A day more on both sides is asked for, because servers place times
/// without a zone and whole days in a zone of their own choice.
pub(super) async fn window(dav: &Dav<'_>, calendar: &Collection, window: TimeRange) -> Result<Vec<Stored>> {
    let mut parts = vec![window.widened(Duration::days(1), Duration::days(1))];
    let mut found: Vec<Stored> = Vec::new();
    while let Some(part) = parts.pop() {
        let range =
            format!(r#"<C:time-range start="{}" end="{}"/>"#, basic_utc(part.start), basic_utc(part.end));
        match query(dav, calendar, &range).await? {
            Some(stored) => found.extend(stored),
            None => {
                // Too many for one answer: halves are asked for, down to an hour.
                let middle = part.start + part.duration() / 2;
                let halves = [TimeRange::new(part.start, middle), TimeRange::new(middle, part.end)];
                if part.duration() < Duration::hours(1) {
                    return Err(failure::nonsense());
                }
                parts.extend(halves.into_iter().flatten());
            }
        }
    }
    found.sort_by(|one, other| one.url.cmp(&other.url));
    found.dedup_by(|one, other| one.url == other.url);
    Ok(found)
}

/// The resources of a calendar that hold an event with this UID.
pub(super) async fn by_uid(dav: &Dav<'_>, calendar: &Collection, uid: &str) -> Result<Vec<Stored>> {
    let filter = format!(
        r#"<C:prop-filter name="UID"><C:text-match collation="i;octet">{}</C:text-match></C:prop-filter>"#,
        escape(uid)
    );
    let found = query(dav, calendar, &filter).await?.unwrap_or_default();
    // A text-match finds parts of a UID too.
    let exact = |stored: &Stored| stored.calendar.main().is_some_and(|event| event.uid == uid);
    Ok(found.into_iter().filter(exact).collect())
}

/// `None` when the server has more than it gives at once.
async fn query(dav: &Dav<'_>, calendar: &Collection, filter: &str) -> Result<Option<Vec<Stored>>> {
    let body = format!(
        r#"<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{filter}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"#
    );
    let answer = dav.send(Call::xml(b"REPORT", &calendar.url, "1", body)).await?;
    if failure::is_too_many(&answer) {
        return Ok(None);
    }
    if answer.status != StatusCode::MULTI_STATUS {
        return Err(failure::error(&answer, About::Mailbox, false));
    }
    let resources = multistatus::read(&answer.url, &answer.body).ok_or_else(failure::nonsense)?;
    if resources.iter().any(|one| one.status == Some(507)) {
        return Ok(None);
    }
    let stored = resources.into_iter().filter_map(|one| {
        let etag = one.text(DAV, "getetag")?.to_owned();
        let text = &one.prop(CALDAV, "calendar-data")?.text;
        parsed(one.url.clone(), etag, text.as_bytes())
    });
    Ok(Some(stored.collect()))
}

/// One resource; `None` when it is gone.
pub(super) async fn object(dav: &Dav<'_>, url: &Url) -> Result<Option<Stored>> {
    let answer = dav.send(Call::get(url)).await?;
    match answer.status {
        StatusCode::OK => {
            let etag = answer.etag().ok_or_else(failure::nonsense)?;
            Ok(parsed(url.clone(), etag, &answer.body))
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
        _ => Err(failure::error(&answer, About::Object, false)),
    }
}

/// A resource that was sent along; `None` when it cannot be read.
pub(super) fn parsed(url: Url, etag: String, text: &[u8]) -> Option<Stored> {
    match Calendar::read(text) {
        Ok(calendar) => Some(Stored { url: href::normalise(url), etag, calendar }),
        Err(error) => {
            tracing::warn!(code = error.code(), "a calendar resource cannot be read and is left out");
            None
        }
    }
}

fn zone(place: &Located) -> Zone {
    place.calendar.zone.clone().unwrap_or(Zone::UTC)
}

fn expanded<'a>(stored: &'a Stored, place: &Located, window: TimeRange) -> Expansion<'a> {
    expand(&stored.calendar, window, &zone(place), &mut Budget::response())
}

/// The taken times, joined and cut to the window. Where a series had to be cut, the rest of the window is taken: what is not
/// known is not offered.
pub(super) fn busy(stored: &[Stored], place: &Located, mailbox: &str, window: TimeRange) -> Vec<Busy> {
    let addresses = addresses(place, mailbox);
    let mut busy = Vec::new();
    for one in stored {
        let found = expanded(one, place, window);
        for instance in &found.instances {
            let range = instance.range.intersect(&window);
            busy.extend(
                range.zip(busy_kind(instance.event, &addresses)).map(|(range, kind)| Busy { range, kind }),
            );
        }
        let blocked = found.blocked.iter().filter(|blocked| busy_kind(blocked.event, &addresses).is_some());
        busy.extend(blocked.map(|blocked| Busy { range: blocked.range, kind: BusyKind::Busy }));
    }
    joined(busy)
}

/// Pieces of one kind that touch are one piece.
pub(super) fn joined(mut busy: Vec<Busy>) -> Vec<Busy> {
    busy.sort_by_key(|busy| (busy.kind, busy.range));
    let mut joined: Vec<Busy> = Vec::with_capacity(busy.len());
    for piece in busy {
        match joined.last_mut() {
            Some(last) if last.kind == piece.kind && piece.range.start <= last.range.end => {
                last.range.end = last.range.end.max(piece.range.end);
            }
            _ => joined.push(piece),
        }
    }
    joined.sort_by_key(|busy| (busy.range, busy.kind));
    joined
}

/// The occurrences as events. The rest of a series that had to be cut is one long event.
pub(super) fn events(stored: &[Stored], place: &Located, mailbox: &str, window: TimeRange) -> Vec<Event> {
    let addresses = addresses(place, mailbox);
    let mut events = Vec::new();
    for one in stored {
        let found = expanded(one, place, window);
        for i in &found.instances {
            events.push(to_event(one, i.event, i.range, i.recurrence, &addresses));
        }
        for blocked in &found.blocked {
            let start = blocked.range.start;
            events.push(to_event(one, blocked.event, blocked.range, Some(start), &addresses));
        }
    }
    events.sort_by(|one, other| (one.range, &one.id).cmp(&(other.range, &other.id)));
    events
}

/// One resource as an event: itself, or the occurrence with this original start.
pub(super) fn one(
    stored: &Stored,
    place: &Located,
    mailbox: &str,
    occurrence: Option<&str>,
) -> Option<Event> {
    let addresses = addresses(place, mailbox);
    let Some(occurrence) = occurrence else {
        let event = stored.calendar.main()?;
        return Some(to_event(stored, event, event.range(&zone(place))?, None, &addresses));
    };
    let start = chrono::NaiveDateTime::parse_from_str(occurrence, "%Y%m%dT%H%M%SZ").ok()?.and_utc();
    // An override may have moved the occurrence by weeks; it is found by its original start.
    let window = TimeRange::new(start - Duration::days(60), start + Duration::days(60))?;
    let found = expanded(stored, place, window);
    let instance = found.instances.into_iter().find(|instance| instance.recurrence == Some(start))?;
    Some(to_event(stored, instance.event, instance.range, instance.recurrence, &addresses))
}

/// Whether the event was cancelled without being deleted.
pub(super) fn is_cancelled(stored: &Stored) -> bool {
    stored.calendar.main().is_none_or(|event| event.status == Status::Cancelled)
}
