//! When somebody is busy, where nothing more may be seen: `free-busy-query` (RFC 4791 section 7.10) on a calendar,
//! and a question through the account's own outbox (RFC 6638 section 5) about somebody whose calendars are closed.
//!
//! To the rest of Muster such times are private events without a title; all of one calendar are of one series, so
//! that they are told anew as a whole.

use std::{fmt::Write, sync::Arc, time::Duration};

use domain::{
    Busy, BusyKind, TimeRange,
    ical::{Component, Property, basic_utc, free_busy},
};
use http::StatusCode;
use url::Url;

use super::{
    CalDav,
    cursor::mark,
    directory::{self, Collection, Located},
    failure::{self, About},
    href, read,
    transport::{Call, Dav},
    xml::{CALDAV, DAV, Element},
};
use crate::{Error, ErrorKind, Event, Remedy, Result};

const OUTBOX: &str = r#"<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:schedule-outbox-URL/><C:calendar-user-address-set/></D:prop></D:propfind>"#;
/// Marks the id of a time that is all that may be seen.
const ID: &str = "busy-";
/// How long to wait after a temporary failure inside an answer (request status 5.1).
const PAUSE: Duration = Duration::from_secs(5);

/// Where an account may ask for others' free and busy times.
#[derive(Debug)]
pub(super) struct Outbox {
    url: Url,
    /// The account's own calendar address, as the server writes it.
    organiser: String,
}

/// The busy times of a calendar, joined and cut to the window.
pub(super) async fn query(dav: &Dav<'_>, calendar: &Collection, window: TimeRange) -> Result<Vec<Busy>> {
    let body = format!(
        r#"<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="{}" end="{}"/></C:free-busy-query>"#,
        basic_utc(window.start),
        basic_utc(window.end)
    );
    // With the default depth of zero only the collection itself would be looked at.
    let answer = dav.send(Call::xml(b"REPORT", &calendar.url, "1", body)).await?;
    match answer.status {
        StatusCode::OK => times(&answer.body, window).ok_or_else(failure::nonsense),
        // Whoever may not ask is told that there is nothing (RFC 4791 section 7.10).
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Err(failure::out_of_scope("NO_FREE_BUSY")),
        // Several servers do not have this report.
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            Err(failure::out_of_scope("NO_FREE_BUSY_QUERY"))
        }
        _ => Err(failure::error(&answer, About::Mailbox, false)),
    }
}

/// Asks for the busy times of an address; `None` where the server has no way to ask, or does not tell.
pub(super) async fn ask(
    caldav: &CalDav,
    dav: &Dav<'_>,
    mailbox: &str,
    window: TimeRange,
) -> Result<Option<Vec<Busy>>> {
    let outbox = match outbox(caldav, dav).await {
        Err(error) if passes_or_concerns_all(&error) => return Err(error),
        outbox => outbox.unwrap_or_default(),
    };
    let Some(outbox) = outbox else { return Ok(None) };
    let text = request(&outbox.organiser, mailbox, window, caldav.clock.now());
    let answer = dav.send(Call::post(&outbox.url, text)).await?;
    if answer.status == StatusCode::OK {
        return response(&answer.body, mailbox, window);
    }
    // A server that offers an outbox and does not take questions is no reason to fail.
    match failure::error(&answer, About::Object, false) {
        error if passes_or_concerns_all(&error) => Err(error),
        _ => Ok(None),
    }
}

/// Other errors say no more than that nobody can be asked this way.
const fn passes_or_concerns_all(error: &Error) -> bool {
    matches!(error.remedy, Remedy::RetryAfter(_) | Remedy::Reconnect)
}

async fn outbox(caldav: &CalDav, dav: &Dav<'_>) -> Result<Option<Arc<Outbox>>> {
    let key = format!("{}\n{}", dav.server, dav.session.account);
    if let Some(known) = caldav.outboxes.get(&key).await {
        return Ok(known);
    }
    let own = directory::own(dav).await?;
    let found = dav.propfind(&own.principal, "0", OUTBOX, About::Server).await?;
    let outbox = found.first().and_then(|own| {
        let url = href::resolve(dav.server, own.hrefs(CALDAV, "schedule-outbox-URL").first()?)?;
        let addresses = own.hrefs(CALDAV, "calendar-user-address-set");
        let mail = addresses
            .into_iter()
            .find(|at| at.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:")))?;
        Some(Arc::new(Outbox { url, organiser: mail.to_owned() }))
    });
    caldav.outboxes.insert(key, outbox.clone()).await;
    Ok(outbox)
}

/// The question, as the server wants it (RFC 6638 section 5).
fn request(organiser: &str, mailbox: &str, window: TimeRange, now: domain::Timestamp) -> String {
    let mut question = Component::new("VFREEBUSY");
    let (start, end) = (basic_utc(window.start), basic_utc(window.end));
    question.properties.extend([
        Property::text("UID", &format!("muster-{}", mark(&format!("{mailbox} {start} {end}")))),
        Property::new("DTSTAMP", basic_utc(now)),
        Property::new("DTSTART", start),
        Property::new("DTEND", end),
        Property::new("ORGANIZER", organiser),
        Property::new("ATTENDEE", format!("mailto:{mailbox}")),
    ]);
    let mut calendar = Component::new("VCALENDAR");
    calendar.properties.extend([
        Property::new("VERSION", "2.0"),
        Property::new("PRODID", "-//Muster//Calendar connection//EN"),
        Property::new("METHOD", "REQUEST"),
    ]);
    calendar.components.push(question);
    calendar.to_text()
}

fn response(body: &[u8], mailbox: &str, window: TimeRange) -> Result<Option<Vec<Busy>>> {
    let document = Element::read(body).ok().filter(|document| document.is(CALDAV, "schedule-response"));
    let document = document.ok_or_else(failure::nonsense)?;
    let is_about = |one: &&Element| {
        let to = one.child(CALDAV, "recipient").and_then(|to| to.text_of(DAV, "href")).unwrap_or_default();
        to.get(7..).is_some_and(|address| address.eq_ignore_ascii_case(mailbox))
    };
    let Some(one) = document.all(CALDAV, "response").find(is_about) else { return Ok(None) };
    match one.text_of(CALDAV, "request-status").unwrap_or_default() {
        status if status.starts_with("2.") => {
            let data = one.child(CALDAV, "calendar-data").map(|data| data.text.as_str());
            Ok(data.and_then(|data| times(data.as_bytes(), window)))
        }
        status if status.starts_with("5.1") => {
            let message = "The calendar server cannot ask for this mailbox's times at the moment.";
            Err(Error::new(ErrorKind::Unavailable, Remedy::RetryAfter(PAUSE), "5.1", message))
        }
        // 3.7: unknown, 3.8: no authority.
        _ => Ok(None),
    }
}

fn times(text: &[u8], window: TimeRange) -> Option<Vec<Busy>> {
    let told = free_busy(text).ok()?;
    let cut = |busy: Busy| Some(Busy { range: busy.range.intersect(&window)?, kind: busy.kind });
    Some(read::joined(told.busy.into_iter().filter_map(cut).collect()))
}

/// A time as an event that nothing more is known of.
pub(super) fn event(place: &Located, busy: &Busy) -> Event {
    let calendar = href::id(&place.calendar.url);
    let kind = if busy.kind == BusyKind::Busy { "b" } else { "t" };
    let (start, end) = (basic_utc(busy.range.start), basic_utc(busy.range.end));
    let id = format!("{calendar}#{ID}{start}-{end}-{kind}");
    Event {
        uid: id.clone(),
        version: mark(&id),
        id,
        series: Some(calendar),
        effect_key: None,
        title: None,
        range: busy.range,
        all_day: false,
        busy: Some(busy.kind),
        private: true,
        organiser: None,
        attendees: Vec::new(),
        online_meeting: None,
    }
}

/// The time that the end of an id stands for; `None` when it is no such id.
pub(super) fn read_id(id: &str) -> Option<Busy> {
    let mut parts = id.strip_prefix(ID)?.split('-');
    let mut at = || {
        let text = parts.next()?;
        chrono::NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").ok().map(|at| at.and_utc())
    };
    let range = TimeRange::new(at()?, at()?)?;
    let kind = if parts.next()? == "b" { BusyKind::Busy } else { BusyKind::Tentative };
    Some(Busy { range, kind })
}

/// A short stand-in for a list of times.
pub(super) fn digest(busy: &[Busy]) -> String {
    let mut text = String::new();
    for one in busy {
        // Writing to a String cannot fail.
        let _ = write!(text, "{} {} {:?};", one.range.start, one.range.end, one.kind);
    }
    mark(&text)
}
