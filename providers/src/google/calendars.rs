//! A mailbox's calendar, and busy times of many mailboxes.

use std::collections::HashMap;

use chrono::{DateTime, Duration, SecondsFormat};
use domain::{BusyKind, BusyTime, TimeRange, Timestamp, UnreadableItem, provider::Capabilities};
use futures::future::BoxFuture;
use serde_json::{json, value::RawValue};

use super::{
    Google, classify,
    request::{Call, with_query},
    scopes::Scope,
    wire,
};
use crate::{
    CalendarInfo, Error, ErrorKind, FreeBusy, Remedy, Result, Session,
    json::LenientList,
    messages,
    moment::{ParsedTime, Span, span},
    parts,
    rest::{RestApi, url_below},
};

/// Maximum number of calendars that Google accepts per request.
const BATCH: usize = 50;
/// Longest time range requested at once; Google refuses about three months.
const LONGEST_WINDOW: Duration = Duration::days(60);
/// Maximum number of mailboxes on whose behalf a request for busy times is tried.
const ASKERS: usize = 4;

pub(super) type BusyResults = Vec<Result<FreeBusy>>;

impl Google {
    /// Reads the metadata that accompanies a list of events: the calendar's properties and the caller's access to
    /// it.
    pub(super) async fn read_calendar_metadata(
        &self,
        session: &Session,
        mailbox: &str,
    ) -> Result<wire::CalendarMetadata> {
        let url = self.calendar_url(mailbox, &["events"])?;
        let url = with_query(url, &[("maxResults", "1"), ("fields", "accessRole,summary,timeZone")]);
        self.call_json(session, &Call::get(url, Scope::Events).for_mailbox(mailbox)).await
    }

    pub(super) async fn read_calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo> {
        let role = self.read_calendar_metadata(session, mailbox).await?.access_role.unwrap_or_default();
        let writes = matches!(role.as_str(), "owner" | "writer");
        let reads = writes || matches!(role.as_str(), "reader" | "writerWithoutPrivateAccess");
        Ok(CalendarInfo {
            id: mailbox.to_owned(),
            capabilities: Capabilities {
                list: true,
                free_busy: true,
                read_details: reads,
                create: writes,
                update: writes,
                delete: writes,
                // Whether Meet is switched off is only said when a conference is asked for.
                online_meetings: writes,
            },
        })
    }

    pub(super) async fn read_busy(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>> {
        let mut answers = Vec::with_capacity(mailboxes.len());
        for batch in mailboxes.chunks(BATCH) {
            let mut verdicts: BusyResults = batch.iter().map(|_| Ok(FreeBusy::default())).collect();
            for part in parts(window) {
                let read = self.busy_of_batch(session, batch, part).await?;
                for (verdict, part) in verdicts.iter_mut().zip(read) {
                    match (verdict.as_mut(), part) {
                        (Ok(all), Ok(part)) => {
                            all.busy.extend(part.busy);
                            all.unreadable.extend(part.unreadable);
                        }
                        (Ok(_), Err(error)) => *verdict = Err(error),
                        (Err(_), _) => {}
                    }
                }
            }
            let merged = verdicts
                .into_iter()
                .map(|verdict| verdict.map(|all| FreeBusy { busy: merge(all.busy), ..all }));
            answers.extend(batch.iter().cloned().zip(merged));
        }
        Ok(answers)
    }

    /// Results for up to 50 calendars and 60 days. If the combined response cannot be read, each calendar is
    /// requested alone, and in parts.
    async fn busy_of_batch(
        &self,
        session: &Session,
        batch: &[String],
        window: TimeRange,
    ) -> Result<BusyResults> {
        match self.busy_at_once(session, batch, window).await {
            Err(error) if parts::can_be_split(&error) => {
                let mut all = Vec::with_capacity(batch.len());
                for mailbox in batch {
                    all.push(self.busy_of_one(session, mailbox, window, &error).await);
                }
                Ok(all)
            }
            verdicts => verdicts,
        }
    }

    /// The busy times of a calendar that could not be requested together with others.
    async fn busy_of_one(
        &self,
        session: &Session,
        mailbox: &String,
        window: TimeRange,
        refusal: &Error,
    ) -> Result<FreeBusy> {
        let alone = |part| -> BoxFuture<'_, Result<FreeBusy>> {
            Box::pin(async move {
                let one = std::slice::from_ref(mailbox);
                self.busy_at_once(session, one, part).await?.pop().unwrap_or_else(|| Err(missing()))
            })
        };
        match alone(window).await {
            Err(error) if parts::can_be_split(&error) => {
                Ok(parts::read_in_parts(window, refusal.clone(), alone).await?.into_free_busy())
            }
            told => told,
        }
    }

    /// Requests the busy times of all these calendars at once.
    async fn busy_at_once(
        &self,
        session: &Session,
        batch: &[String],
        window: TimeRange,
    ) -> Result<BusyResults> {
        let told = match self.free_busy(session, batch, window).await {
            Err(error) if error.remedy == Remedy::SkipMailbox => {
                return Ok(batch.iter().map(|_| Err(error.clone())).collect());
            }
            told => told?,
        };
        Ok(results_in_order(told, batch, window))
    }

    /// Requests busy times on behalf of a user of the organisation: the administrator or, if that account has no
    /// calendar, a mailbox of the batch, so that one closed account does not prevent reading all other calendars.
    async fn free_busy(
        &self,
        session: &Session,
        batch: &[String],
        window: TimeRange,
    ) -> Result<wire::FreeBusy> {
        let items: Vec<_> = batch.iter().map(|mailbox| json!({ "id": mailbox })).collect();
        let body = json!({
            "timeMin": format_instant(window.start),
            "timeMax": format_instant(window.end),
            "timeZone": "UTC",
            "calendarExpansionMax": BATCH,
            "items": items,
        });
        let url = url_below(&self.config.calendar, &["freeBusy"])?;
        let members = batch.iter().map(String::as_str).filter(|member| *member != session.account);
        let people = members.filter(|member| !super::request::is_resource_mailbox(member));
        let mut last = missing();
        for asker in std::iter::once(session.account.as_str()).chain(people).take(ASKERS) {
            let call =
                Call::post(url.clone(), Scope::Busy, body.clone()).without_effects().for_mailbox(asker);
            match self.call_json(session, &call).await {
                Err(error) if error.remedy == Remedy::SkipMailbox => last = error,
                answer => return answer,
            }
        }
        Err(last)
    }
}

/// Formats an instant for queries and bodies.
pub(super) fn format_instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The error for a requested calendar that is missing from the response; its busy times are unknown.
fn missing() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_mins(1)),
        "BUSY_MISSING",
        messages::google_busy_times_missing(),
    )
}

fn parts(window: TimeRange) -> Vec<TimeRange> {
    let mut parts = Vec::new();
    let mut start = window.start;
    while let Some(part) = TimeRange::new(start, window.end.min(start + LONGEST_WINDOW)) {
        parts.push(part);
        start = part.end;
    }
    parts
}

/// One result per mailbox, in the requested order.
pub(super) fn results_in_order(response: wire::FreeBusy, batch: &[String], window: TimeRange) -> BusyResults {
    let read = |raw: Box<RawValue>| serde_json::from_str(raw.get()).ok();
    let told = response.calendars.into_iter().filter_map(|(id, raw)| Some((id.to_lowercase(), read(raw)?)));
    let found: HashMap<String, wire::BusyCalendar> = told.collect();
    let of = |mailbox: &String| verdict(found.get(&mailbox.to_lowercase()), mailbox, window);
    batch.iter().map(of).collect()
}

/// The result for one calendar; a calendar with an error is unknown, whatever else the response contains.
fn verdict(calendar: Option<&wire::BusyCalendar>, mailbox: &str, window: TimeRange) -> Result<FreeBusy> {
    let calendar = calendar.ok_or_else(missing)?;
    if let Some(errors) = &calendar.errors {
        let errors: Option<LenientList<wire::BusyError>> = serde_json::from_str(errors.get()).ok();
        let first = errors.map(|errors| errors.0.into_iter().next().map(Option::unwrap_or_default));
        match first {
            Some(None) => {}
            Some(Some(error)) => {
                return Err(classify::free_busy_error(error.reason.as_deref().unwrap_or_default()));
            }
            None => return Err(classify::free_busy_error("")),
        }
    }
    let times = calendar.busy.as_ref().ok_or_else(missing)?;
    let mut all = FreeBusy::default();
    for time in &times.0 {
        let time = time.as_ref();
        let (start, end) =
            (time.and_then(|time| time.start.as_ref()), time.and_then(|time| time.end.as_ref()));
        let busy = |range| BusyTime { range, kind: BusyKind::Busy };
        let mark = |reason, blocks| UnreadableItem { uid: mailbox.to_owned(), reason, blocks };
        match span(moment(start), moment(end), Some(window)) {
            Span::Nothing => {}
            Span::Exact(range) => all.busy.extend(range.intersect(&window).map(busy)),
            Span::Widest(range, reason) => {
                all.busy.push(busy(range));
                all.unreadable.push(mark(reason, true));
            }
            Span::Unknown(reason) => all.unreadable.push(mark(reason, false)),
        }
    }
    Ok(all)
}

fn moment(text: Option<&String>) -> ParsedTime {
    let at = text.and_then(|text| DateTime::parse_from_rfc3339(text.trim()).ok());
    at.map_or(ParsedTime::Unknown, |at| ParsedTime::from_instant(at.with_timezone(&chrono::Utc)))
}

/// Sorts busy times and merges overlapping and adjacent ones; Google reports only one kind.
fn merge(mut all: Vec<BusyTime>) -> Vec<BusyTime> {
    all.sort_by_key(|busy| busy.range);
    let mut merged: Vec<BusyTime> = Vec::with_capacity(all.len());
    for busy in all {
        match merged.last_mut() {
            Some(last) if busy.range.start <= last.range.end => {
                last.range.end = last.range.end.max(busy.range.end);
            }
            _ => merged.push(busy),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(start: i64, end: i64) -> TimeRange {
        let day: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        TimeRange::new(day + Duration::hours(start), day + Duration::hours(end)).unwrap()
    }

    #[test]
    fn a_long_window_is_cut_into_parts_that_touch() {
        let parts = parts(hours(0, 24 * 130));
        assert_eq!(parts.len(), 3);
        assert!(parts.iter().all(|part| part.duration() <= LONGEST_WINDOW), "no part may be too long");
        assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start), "parts must touch");
        assert_eq!((parts[0].start, parts[2].end), (hours(0, 1).start, hours(0, 24 * 130).end));
    }

    fn read(json: serde_json::Value) -> Result<FreeBusy> {
        verdict(Some(&crate::json::parse(json.to_string().as_bytes()).unwrap()), "a", hours(0, 24))
    }

    #[test]
    fn a_calendar_with_an_error_or_without_times_is_unknown_and_never_free() {
        assert_eq!(verdict(None, "a", hours(0, 24)).unwrap_err().code, "BUSY_MISSING");
        for nothing in [json!({}), json!({ "busy": null }), json!({ "busy": {} })] {
            assert_eq!(read(nothing).unwrap_err().code, "BUSY_MISSING");
        }
        let both = json!({ "errors": [{ "domain": "global", "reason": "notFound" }], "busy": [] });
        assert_eq!(read(both).unwrap_err().remedy, Remedy::SkipMailbox);
        for odd in
            [json!([{ "reason": "internalError" }]), json!([null]), json!("notFound"), json!([7]), json!({})]
        {
            let later = json!({ "errors": odd, "busy": [] });
            assert_eq!(read(later).unwrap_err().kind, ErrorKind::Unavailable, "{odd}");
        }
        for none in [json!([]), json!(null)] {
            let over = json!({ "start": "2026-11-30T10:00:00Z", "end": "2026-12-01T10:00:00Z" });
            let found = read(json!({ "errors": none, "busy": [over] })).unwrap();
            assert_eq!(found.busy, [BusyTime { range: hours(0, 10), kind: BusyKind::Busy }]);
        }
    }

    #[test]
    fn a_time_that_cannot_be_read_takes_no_other_with_it() {
        let time = |start: &str, end: &str| json!({ "start": start, "end": end });
        let good = time("2026-12-01T09:00:00+01:00", "2026-12-01T10:00:00+01:00");
        let open = json!({ "start": "2026-12-01T20:00:00Z" });
        let found = read(json!({ "busy": [open, good, null, time("x", "y")] })).unwrap();
        let busy = |range| BusyTime { range, kind: BusyKind::Busy };
        assert_eq!(merge(found.busy), [busy(hours(8, 9)), busy(hours(20, 24))]);
        assert_eq!(found.unreadable.iter().map(|mark| mark.blocks).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn touching_pieces_are_joined() {
        let busy = |range| BusyTime { range, kind: BusyKind::Busy };
        let merged = merge(vec![busy(hours(4, 5)), busy(hours(1, 3)), busy(hours(3, 4)), busy(hours(8, 9))]);
        assert_eq!(merged, [busy(hours(1, 5)), busy(hours(8, 9))]);
    }
}
