//! Reads event resources: by queries over a time range, individually, and with fallbacks for incomplete responses.
//!
//! Responses are read resource by resource; an entity tag is not required. A resource without data is fetched by other
//! means ([`multiget`]); if a whole response cannot be read or is too large, its resources are listed without data and
//! fetched in ever smaller groups, until the unreadable one is isolated. The times of resources that still cannot be
//! read are requested from the server ([`repair`]).
//!
//! A server that has omitted the data of a resource is not trusted to list all resources either: its resources are
//! listed and the missing ones fetched. Otherwise the server decides what lies outside the time range, because
//! comparing each response with the list of all resources would cost more than the response; [`hidden`] compares them
//! occasionally.

use std::borrow::Cow;

use chrono::Duration;
use domain::{
    ParseBudget, TimeRange, UnreadableReason,
    ical::{self, Calendar, Status, format_utc},
};
use http::StatusCode;
use quick_xml::escape::escape;
use url::Url;

use super::{
    collection::Collection,
    failure::{self, RequestSubject},
    hidden, href, multiget, multistatus, repair, sync,
    transport::{DavClient, DavRequest, DavResponse},
    xml::{CALDAV, DAV},
};
use crate::Result;

/// Maximum number of resources that are fetched because a query omitted them.
const LEFT_OUT: usize = 500;
/// Minimum length of a time range that is split into halves.
const MIN_WINDOW: Duration = Duration::hours(1);

/// An event resource that was read.
#[derive(Debug)]
pub(super) struct EventResource {
    /// The absolute URL of the resource.
    pub url: Url,
    /// The entity tag; empty when the server sends none.
    pub etag: String,
    /// The parsed content.
    pub calendar: Calendar,
}

/// A resource that cannot be read.
#[derive(Debug)]
pub(super) struct UnreadableResource {
    /// The absolute URL of the resource.
    pub url: Url,
    /// Why the resource cannot be read.
    pub reason: UnreadableReason,
    /// The times that the resource may occupy, as far as the server can determine them.
    pub spans: Vec<TimeRange>,
}

impl UnreadableResource {
    pub(super) fn new(url: Url, reason: UnreadableReason) -> Self {
        Self { url: href::normalise(url), reason, spans: Vec::new() }
    }
}

/// The result of reading a time range or a set of resources.
#[derive(Debug)]
pub(super) struct ReadResources {
    /// The resources that could be read.
    pub stored: Vec<EventResource>,
    /// The resources that could not be read. A resource whose times only the server can determine is in both lists.
    pub lost: Vec<UnreadableResource>,
    /// Unparsed resources from responses: URL, entity tag and iCalendar text.
    texts: Vec<(Url, String, String)>,
    /// The remaining budget for parsing the whole result.
    pub budget: ParseBudget,
}

impl Default for ReadResources {
    fn default() -> Self {
        Self {
            stored: Vec::new(),
            lost: Vec::new(),
            texts: Vec::new(),
            budget: ParseBudget::for_provider_response(),
        }
    }
}

impl ReadResources {
    /// Adds a resource's iCalendar text from a response.
    pub(super) fn add_calendar_text(&mut self, url: Url, etag: Option<String>, text: String) {
        self.texts.push((href::normalise(url), etag.unwrap_or_default(), text));
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.stored.extend(other.stored);
        self.lost.extend(other.lost);
        self.texts.extend(other.texts);
    }

    /// Parses the added iCalendar texts on a blocking thread. The result lists each resource once, in order.
    pub(super) async fn parse_calendar_texts(self) -> Result<Self> {
        let mut found = run_blocking(move || self.read_here()).await?;
        found.stored.sort_by(|one, other| one.url.cmp(&other.url));
        found.stored.dedup_by(|one, other| one.url == other.url);
        found.lost.sort_by(|one, other| one.url.cmp(&other.url));
        found.lost.dedup_by(|one, other| one.url == other.url);
        found.lost.retain(|lost| !found.stored.iter().any(|stored| stored.url == lost.url));
        Ok(found)
    }

    fn read_here(mut self) -> Self {
        for (url, etag, text) in std::mem::take(&mut self.texts) {
            let text = without_attachments(&text);
            match Calendar::parse_within(text.as_bytes(), &mut self.budget) {
                Ok(calendar) => self.stored.push(EventResource { url, etag, calendar }),
                Err(error) => self.lost.push(UnreadableResource::new(url, reason(error))),
            }
        }
        self
    }
}

/// Removes inline attachments from a large iCalendar text, because they do not affect times and are the only reason
/// why events are large.
fn without_attachments(text: &str) -> Cow<'_, str> {
    const LARGE: usize = 256 * 1024;
    if text.len() < LARGE {
        return Cow::Borrowed(text);
    }
    let is_attachment = |line: &str| {
        let name = line.get(..6).is_some_and(|name| name.eq_ignore_ascii_case("ATTACH"));
        name && line[6..].starts_with([';', ':'])
    };
    let (mut kept, mut inside) = (String::new(), false);
    for line in text.split_inclusive('\n') {
        // A line that begins with white space continues the previous one (RFC 5545 section 3.1).
        inside = is_attachment(line) || (inside && line.starts_with([' ', '\t']));
        if !inside {
            kept.push_str(line);
        }
    }
    Cow::Owned(kept)
}

fn reason(error: ical::Error) -> UnreadableReason {
    tracing::warn!(code = error.code(), "a calendar resource cannot be read");
    error.reason()
}

/// Runs a computation on a blocking thread.
pub(super) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    // It ends early only when the process does.
    tokio::task::spawn_blocking(work).await.map_err(|_| failure::unreadable_response())
}

/// One event resource in a response to a report.
#[derive(Debug)]
pub(super) struct ReportedResource {
    pub url: Url,
    pub etag: Option<String>,
    /// The resource's own HTTP status, or the status with which the server denied access to it.
    pub refusal: Option<u16>,
    /// The resource's iCalendar text; absent or empty if the response did not include it.
    pub text: Option<String>,
}

/// A response to a report about many event resources.
#[derive(Debug)]
pub(super) enum ReportResponse {
    Members(Vec<ReportedResource>),
    /// The calendar contains more matching resources than the server returns at once.
    TooMany,
    /// The response cannot be read, or is larger than the limit.
    Unclear,
}

/// Reads the events that may overlap the time range. The request covers an additional day on both sides, because
/// servers choose the zone for whole days and times without a zone themselves.
pub(super) async fn read_window(
    dav: &DavClient<'_>,
    calendar: &Collection,
    window: TimeRange,
) -> Result<ReadResources> {
    let wide = window.widened(Duration::days(1), Duration::days(1));
    let (members, is_sparing) = listed(dav, calendar, wide).await?;
    if !members.is_empty() && members.iter().all(|one| matches!(one.refusal, Some(401 | 403))) {
        return Err(failure::out_of_scope("403"));
    }
    let (mut found, mut missing) = (ReadResources::default(), Vec::new());
    let known: Vec<String> = members.iter().map(|one| href::resource_id(&one.url)).collect();
    for member in members {
        match (member.text.filter(|text| !text.trim().is_empty()), member.refusal) {
            (Some(text), _) => found.add_calendar_text(member.url, member.etag, text),
            (None, Some(404 | 410)) => {}
            (None, _) => missing.push(member.url),
        }
    }
    if is_sparing {
        let all = sync::member_digests(dav, calendar).await?.into_keys();
        let left_out = all.filter(|path| !known.contains(path));
        missing.extend(left_out.take(LEFT_OUT).filter_map(|path| href::resolve(&calendar.url, &path)));
    }
    let hidden = hidden::find_hidden_members(dav, calendar).await?;
    missing.extend(hidden.iter().filter(|url| !known.contains(&href::resource_id(url))).cloned());
    missing.sort();
    missing.dedup();
    found.extend(multiget::fetch_resources(dav, calendar, &missing).await?);
    repair::determine_times(dav, calendar, window, found.parse_calendar_texts().await?).await
}

/// The event resources in a time range with their iCalendar text, and whether the server omitted data.
async fn listed(
    dav: &DavClient<'_>,
    calendar: &Collection,
    window: TimeRange,
) -> Result<(Vec<ReportedResource>, bool)> {
    let (mut parts, mut members, mut is_sparing) = (vec![window], Vec::<ReportedResource>::new(), false);
    while let Some(part) = parts.pop() {
        let mut report = query(dav, calendar, &time_range_xml(part), WITH_DATA).await?;
        if let ReportResponse::Members(all) = &report {
            let is_bare = |one: &ReportedResource| {
                one.refusal.is_none() && one.text.as_ref().is_none_or(|text| text.trim().is_empty())
            };
            is_sparing |= all.iter().any(is_bare);
        }
        if matches!(report, ReportResponse::Unclear) {
            report = query(dav, calendar, &time_range_xml(part), "").await?;
        }
        match report {
            ReportResponse::Members(all) => members.extend(all),
            _ => parts.extend(split_in_half(part).ok_or_else(failure::unreadable_response)?),
        }
    }
    members.sort_by(|one, other| (&one.url, one.text.is_none()).cmp(&(&other.url, other.text.is_none())));
    members.dedup_by(|one, other| one.url == other.url);
    Ok((members, is_sparing))
}

/// Splits a time range into two halves; `None` if it is too short.
pub(super) fn split_in_half(part: TimeRange) -> Option<[TimeRange; 2]> {
    let middle = part.start + part.duration() / 2;
    if part.duration() < MIN_WINDOW {
        return None;
    }
    Some([TimeRange::new(part.start, middle)?, TimeRange::new(middle, part.end)?])
}

pub(super) fn time_range_xml(part: TimeRange) -> String {
    format!(r#"<C:time-range start="{}" end="{}"/>"#, format_utc(part.start), format_utc(part.end))
}

const WITH_DATA: &str = "<C:calendar-data/>";

/// The URLs of the event resources that overlap a time range according to the server; `None` if the response is
/// ambiguous.
pub(super) async fn find_overlapping_urls(
    dav: &DavClient<'_>,
    calendar: &Collection,
    part: TimeRange,
) -> Result<Option<Vec<Url>>> {
    Ok(match query(dav, calendar, &time_range_xml(part), "").await? {
        ReportResponse::Members(all) => {
            Some(all.into_iter().filter(|one| one.refusal.is_none()).map(|one| one.url).collect())
        }
        ReportResponse::TooMany | ReportResponse::Unclear => None,
    })
}

/// The URLs of all resources of a calendar in which a query finds events; `None` if the response is ambiguous.
pub(super) async fn list_event_urls(dav: &DavClient<'_>, calendar: &Collection) -> Result<Option<Vec<Url>>> {
    Ok(match query(dav, calendar, "", "").await? {
        ReportResponse::Members(all) => Some(all.into_iter().map(|one| one.url).collect()),
        ReportResponse::TooMany | ReportResponse::Unclear => None,
    })
}

/// The resources of a calendar that contain an event with this UID.
pub(super) async fn find_by_uid(
    dav: &DavClient<'_>,
    calendar: &Collection,
    uid: &str,
) -> Result<Vec<EventResource>> {
    let filter = format!(
        r#"<C:prop-filter name="UID"><C:text-match collation="i;octet">{}</C:text-match></C:prop-filter>"#,
        escape(uid)
    );
    let ReportResponse::Members(members) = query(dav, calendar, &filter, WITH_DATA).await? else {
        return Err(failure::unreadable_response());
    };
    let (mut found, mut missing) = (ReadResources::default(), Vec::new());
    for member in members.into_iter().filter(|one| one.refusal.is_none()) {
        match member.text.filter(|text| !text.trim().is_empty()) {
            Some(text) => found.add_calendar_text(member.url, member.etag, text),
            None => missing.push(member.url),
        }
    }
    found.extend(multiget::fetch_resources(dav, calendar, &missing).await?);
    let found = found.parse_calendar_texts().await?;
    // A text-match finds parts of a UID too.
    let exact = |stored: &EventResource| stored.calendar.main_event().is_some_and(|event| event.uid == uid);
    Ok(found.stored.into_iter().filter(exact).collect())
}

async fn query(
    dav: &DavClient<'_>,
    calendar: &Collection,
    filter: &str,
    data: &str,
) -> Result<ReportResponse> {
    let body = format!(
        r#"<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/>{data}</D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{filter}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"#
    );
    let response = match dav.send(DavRequest::xml(b"REPORT", &calendar.url, "1", body)).await {
        Err(error) if failure::is_too_large(&error) => return Ok(ReportResponse::Unclear),
        response => response?,
    };
    if failure::is_truncated(&response) {
        return Ok(ReportResponse::TooMany);
    }
    match response.status {
        StatusCode::MULTI_STATUS => Ok(parse_report(calendar, &response)),
        // A member that the server itself stumbles over is found by listing without data; a server that cannot even
        // do that has a fault of its own.
        StatusCode::INTERNAL_SERVER_ERROR if !data.is_empty() => Ok(ReportResponse::Unclear),
        status if status.is_success() => Err(failure::unreadable_response()),
        _ => Err(failure::error_from_response(&response, RequestSubject::Mailbox, false)),
    }
}

/// Parses a `207` response to a report about event resources.
pub(super) fn parse_report(calendar: &Collection, response: &DavResponse) -> ReportResponse {
    let Some(resources) = multistatus::parse(&response.url, &response.body) else {
        return ReportResponse::Unclear;
    };
    if resources.iter().any(|one| one.status == Some(507)) {
        return ReportResponse::TooMany;
    }
    let members = resources.into_iter().filter(|one| !href::is_same_resource(&one.url, &calendar.url));
    let members = members.map(|one| ReportedResource {
        etag: one.text(DAV, "getetag").map(str::to_owned),
        refusal: one.refusal_status(),
        text: one.property(CALDAV, "calendar-data").map(|data| data.text.clone()),
        url: one.url,
    });
    ReportResponse::Members(members.collect())
}

/// One resource; `None` when it no longer exists.
pub(super) async fn read_resource(dav: &DavClient<'_>, url: &Url) -> Result<Option<EventResource>> {
    let response = dav.send(DavRequest::get(url)).await?;
    match response.status {
        StatusCode::OK => {
            let etag = response.etag().unwrap_or_default();
            match Calendar::parse(&response.body) {
                Ok(calendar) => Ok(Some(EventResource { url: href::normalise(url.clone()), etag, calendar })),
                // A resource that exists but cannot be read was not deleted.
                Err(_) => Err(failure::unreadable_response()),
            }
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
        _ => Err(failure::error_from_response(&response, RequestSubject::Object, false)),
    }
}

/// Whether the event was cancelled without being deleted.
pub(super) fn is_cancelled(stored: &EventResource) -> bool {
    stored.calendar.main_event().is_none_or(|event| event.status == Status::Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_are_left_out_of_large_texts_with_their_folds() {
        let fold = "A".repeat(300_000);
        let text = format!(
            "BEGIN:VEVENT\r\nattach;VALUE=BINARY:{fold}\r\n {fold}\r\n\t{fold}\r\nATTACHED:x\r\n y\r\nATTACH:{fold}\nEND:VEVENT\n"
        );
        assert_eq!(without_attachments(&text), "BEGIN:VEVENT\r\nATTACHED:x\r\n y\r\nEND:VEVENT\n");
        let small = "ATTACH:x\r\n";
        assert_eq!(without_attachments(small), small);
    }
}
