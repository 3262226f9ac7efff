//! Busy times where events cannot be read: `free-busy-query` (RFC 4791 section 7.10) on a calendar, and a request
//! through the account's own outbox (RFC 6638 section 5) for users whose calendars the account cannot read.
//!
//! Such times are returned as private events without a title; all events of one calendar form one series, so that
//! they are replaced as a whole.

use std::{fmt::Write, time::Duration};

use domain::{
    BusyKind, BusyTime, TimeRange,
    ical::{Component, Property, format_utc, parse_free_busy},
};
use http::StatusCode;
use url::Url;

use super::{
    CalDav, account,
    collection::Collection,
    cursor::short_digest,
    failure::{self, RequestSubject},
    href, interpret,
    transport::{DavClient, DavRequest},
    xml::{CALDAV, DAV, Element},
};
use crate::{Error, ErrorKind, Event, Remedy, Result, messages};

/// Prefix of the id of an event that represents a busy time without details.
const ID: &str = "busy-";
/// Wait after a temporary failure reported inside a response (request status 5.1).
const PAUSE: Duration = Duration::from_secs(5);

/// The busy times of a calendar, merged and clipped to the time range.
pub(super) async fn query_busy_times(
    dav: &DavClient<'_>,
    calendar: &Collection,
    window: TimeRange,
) -> Result<Vec<BusyTime>> {
    let body = format!(
        r#"<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="{}" end="{}"/></C:free-busy-query>"#,
        format_utc(window.start),
        format_utc(window.end)
    );
    // With the default depth of 0 only the collection itself would be examined.
    let answer = dav.send(DavRequest::xml(b"REPORT", &calendar.url, "1", body)).await?;
    match answer.status {
        StatusCode::OK => times(&answer.body, window).ok_or_else(failure::unreadable_response),
        // A caller without permission receives an empty result (RFC 4791 section 7.10).
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Err(failure::out_of_scope("NO_FREE_BUSY")),
        // Several servers do not support this report.
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            Err(failure::out_of_scope("NO_FREE_BUSY_QUERY"))
        }
        _ => Err(failure::error_from_response(&answer, RequestSubject::Mailbox, false)),
    }
}

/// Requests the busy times of an email address through the outbox; `None` if the server does not support this or
/// returns nothing.
pub(super) async fn request_from_outbox(
    caldav: &CalDav,
    dav: &DavClient<'_>,
    mailbox: &str,
    window: TimeRange,
) -> Result<Option<Vec<BusyTime>>> {
    let account = account::cached_account(dav).await?;
    let Some(outbox) = &account.outbox else { return Ok(None) };
    let text = request(&outbox.organiser, mailbox, window, caldav.clock.now());
    let answer = dav.send(DavRequest::post(&outbox.url, text)).await?;
    if answer.status == StatusCode::OK {
        return response(&answer.body, mailbox, window);
    }
    // A server that offers an outbox but accepts no requests must not cause a failure.
    match failure::error_from_response(&answer, RequestSubject::Object, false) {
        error if passes_or_concerns_all(&error) => Err(error),
        _ => Ok(None),
    }
}

/// Whether an error is temporary or concerns all requests. Other errors only mean that this kind of request fails.
const fn passes_or_concerns_all(error: &Error) -> bool {
    matches!(error.remedy, Remedy::RetryAfter(_) | Remedy::Reconnect)
}

/// The body of a free/busy request (RFC 6638 section 5).
fn request(organiser: &str, mailbox: &str, window: TimeRange, now: domain::Timestamp) -> String {
    let mut question = Component::new("VFREEBUSY");
    let (start, end) = (format_utc(window.start), format_utc(window.end));
    question.properties.extend([
        Property::text("UID", &format!("muster-{}", short_digest(&format!("{mailbox} {start} {end}")))),
        Property::new("DTSTAMP", format_utc(now)),
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

fn response(body: &[u8], mailbox: &str, window: TimeRange) -> Result<Option<Vec<BusyTime>>> {
    let document =
        Element::parse(body).ok().filter(|document| document.has_name(CALDAV, "schedule-response"));
    let document = document.ok_or_else(failure::unreadable_response)?;
    let is_about = |one: &&Element| {
        let to = one.child(CALDAV, "recipient").and_then(|to| to.child_text(DAV, "href")).unwrap_or_default();
        to.get(7..).is_some_and(|address| address.eq_ignore_ascii_case(mailbox))
    };
    let Some(one) = document.all(CALDAV, "response").find(is_about) else { return Ok(None) };
    match one.child_text(CALDAV, "request-status").unwrap_or_default() {
        status if status.starts_with("2.") => {
            let data = one.child(CALDAV, "calendar-data").map(|data| data.text.as_str());
            Ok(data.and_then(|data| times(data.as_bytes(), window)))
        }
        status if status.starts_with("5.1") => {
            let message = messages::caldav_busy_times_missing();
            Err(Error::new(ErrorKind::Unavailable, Remedy::RetryAfter(PAUSE), "5.1", message))
        }
        // 3.7: unknown, 3.8: no authority.
        _ => Ok(None),
    }
}

/// Parses the busy times in a response; `None` if any part of it cannot be parsed, because the result would be
/// incomplete.
fn times(text: &[u8], window: TimeRange) -> Option<Vec<BusyTime>> {
    let told = parse_free_busy(text).ok().filter(|told| told.unreadable == 0)?;
    let cut = |busy: BusyTime| Some(BusyTime { range: busy.range.intersect(&window)?, kind: busy.kind });
    Some(interpret::merge_adjacent(told.busy.into_iter().filter_map(cut).collect()))
}

/// A busy time as an event without details; `about` is the URL of its calendar or event resource.
pub(super) fn busy_event(about: &Url, busy: &BusyTime) -> Event {
    let about = href::resource_id(about);
    let kind = if busy.kind == BusyKind::Busy { "b" } else { "t" };
    let (start, end) = (format_utc(busy.range.start), format_utc(busy.range.end));
    let id = format!("{about}#{ID}{start}-{end}-{kind}");
    Event {
        uid: id.clone(),
        version: short_digest(&id),
        id,
        series: Some(about),
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

/// The busy time encoded in an event id; `None` for other ids.
pub(super) fn parse_busy_event_id(id: &str) -> Option<BusyTime> {
    let mut parts = id.strip_prefix(ID)?.split('-');
    let mut at = || {
        let text = parts.next()?;
        chrono::NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").ok().map(|at| at.and_utc())
    };
    let range = TimeRange::new(at()?, at()?)?;
    let kind = if parts.next()? == "b" { BusyKind::Busy } else { BusyKind::Tentative };
    Some(BusyTime { range, kind })
}

/// A short digest of a list of busy times.
pub(super) fn busy_digest(busy: &[BusyTime]) -> String {
    let mut text = String::new();
    for one in busy {
        // Writing to a String cannot fail.
        let _ = write!(text, "{} {} {:?};", one.range.start, one.range.end, one.kind);
    }
    short_digest(&text)
}
