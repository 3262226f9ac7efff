//! The calendar of a mailbox, and busy times of many mailboxes.

use std::collections::HashMap;

use chrono::{Duration, SecondsFormat};
use domain::{Busy, BusyKind, TimeRange, Timestamp, provider::Capabilities};
use serde_json::json;

use super::{
    Google, classify,
    request::{Call, below, with_query},
    scopes::Scope,
    wire,
};
use crate::{CalendarInfo, Error, ErrorKind, FreeBusy, Remedy, Result, Session};

/// Google refuses more calendars in one request.
const BATCH: usize = 50;
/// Google refuses windows of about three months.
const LONGEST_WINDOW: Duration = Duration::days(60);
/// How many mailboxes are tried as the one that asks.
const ASKERS: usize = 4;

type Verdicts = Vec<Result<Vec<Busy>>>;

impl Google {
    /// The head of a list of events says what the calendar is and what may be done in it, to whoever may see it.
    pub(super) async fn glance(&self, session: &Session, mailbox: &str) -> Result<wire::Events> {
        let url = self.calendar_url(mailbox, &["events"])?;
        let url = with_query(url, &[("maxResults", "1"), ("fields", "accessRole,summary,timeZone")]);
        self.call_json(session, &Call::get(url, Scope::Events).of(mailbox)).await
    }

    pub(super) async fn read_calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo> {
        let role = self.glance(session, mailbox).await?.access_role.unwrap_or_default();
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
            let mut verdicts: Verdicts = batch.iter().map(|_| Ok(Vec::new())).collect();
            for part in parts(window) {
                let read = self.busy_of_batch(session, batch, part).await?;
                for (verdict, part) in verdicts.iter_mut().zip(read) {
                    match (verdict.as_mut(), part) {
                        (Ok(all), Ok(part)) => all.extend(part),
                        (Ok(_), Err(error)) => *verdict = Err(error),
                        (Err(_), _) => {}
                    }
                }
            }
            let merged = verdicts.into_iter().map(|verdict| verdict.map(|busy| merge(busy).into()));
            answers.extend(batch.iter().cloned().zip(merged));
        }
        Ok(answers)
    }

    /// At most 50 calendars in at most 60 days, one verdict each.
    async fn busy_of_batch(
        &self,
        session: &Session,
        batch: &[String],
        window: TimeRange,
    ) -> Result<Verdicts> {
        let calendars = match self.free_busy(session, batch, window).await {
            Err(error) if error.remedy == Remedy::SkipMailbox => {
                return Ok(batch.iter().map(|_| Err(error.clone())).collect());
            }
            answer => answer?.calendars,
        };
        let found: HashMap<String, wire::BusyCalendar> =
            calendars.into_iter().map(|(id, calendar)| (id.to_lowercase(), calendar)).collect();
        Ok(batch.iter().map(|mailbox| verdict(found.get(&mailbox.to_lowercase()), window)).collect())
    }

    /// Somebody of the organisation has to ask. The administrator does; where that account has no calendar, a member
    /// of the batch does, so that one closed account does not hide all others.
    async fn free_busy(
        &self,
        session: &Session,
        batch: &[String],
        window: TimeRange,
    ) -> Result<wire::FreeBusy> {
        let items: Vec<_> = batch.iter().map(|mailbox| json!({ "id": mailbox })).collect();
        let body = json!({
            "timeMin": instant(window.start),
            "timeMax": instant(window.end),
            "timeZone": "UTC",
            "calendarExpansionMax": BATCH,
            "items": items,
        });
        let url = below(&self.config.calendar, &["freeBusy"])?;
        let members = batch.iter().map(String::as_str).filter(|member| *member != session.account);
        let people = members.filter(|member| !super::request::is_resource(member));
        let mut last = missing();
        for asker in std::iter::once(session.account.as_str()).chain(people).take(ASKERS) {
            let call = Call::post(url.clone(), Scope::Busy, body.clone()).asks().of(asker);
            match self.call_json(session, &call).await {
                Err(error) if error.remedy == Remedy::SkipMailbox => last = error,
                answer => return answer,
            }
        }
        Err(last)
    }
}

/// A time as queries and bodies carry it.
pub(super) fn instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A calendar that was asked about and is not in the answer is unknown, never free.
fn missing() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_mins(1)),
        "BUSY_MISSING",
        "Google did not say when this calendar is busy.",
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

/// A calendar with an error is unknown, whatever else stands beside it.
fn verdict(calendar: Option<&wire::BusyCalendar>, window: TimeRange) -> Result<Vec<Busy>> {
    let calendar = calendar.ok_or_else(missing)?;
    if let Some(error) = calendar.errors.first() {
        return Err(classify::busy(error.reason.as_deref().unwrap_or_default()));
    }
    let times = calendar.busy.as_ref().ok_or_else(missing)?;
    let range = |time: &wire::BusyTime| TimeRange::new(time.start, time.end)?.intersect(&window);
    Ok(times.iter().filter_map(range).map(|range| Busy { range, kind: BusyKind::Busy }).collect())
}

/// Sorted, with overlapping and touching pieces joined. Google tells of one kind of busy only.
fn merge(mut all: Vec<Busy>) -> Vec<Busy> {
    all.sort_by_key(|busy| busy.range);
    let mut merged: Vec<Busy> = Vec::with_capacity(all.len());
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

    #[test]
    fn a_calendar_with_an_error_or_without_times_is_unknown_and_never_free() {
        let window = hours(0, 24);
        let read = |json| verdict(Some(&serde_json::from_value(json).unwrap()), window);
        assert_eq!(verdict(None, window).unwrap_err().code, "BUSY_MISSING");
        assert_eq!(read(json!({})).unwrap_err().code, "BUSY_MISSING");
        let both = json!({ "errors": [{ "domain": "global", "reason": "notFound" }], "busy": [] });
        assert_eq!(read(both).unwrap_err().remedy, Remedy::SkipMailbox);
        let later = json!({ "errors": [{ "reason": "internalError" }], "busy": [] });
        assert_eq!(read(later).unwrap_err().kind, ErrorKind::Unavailable);
        let over = json!({ "busy": [{ "start": "2026-11-30T10:00:00Z", "end": "2026-12-01T10:00:00Z" }] });
        assert_eq!(read(over).unwrap(), [Busy { range: hours(0, 10), kind: BusyKind::Busy }]);
    }

    #[test]
    fn touching_pieces_are_joined() {
        let busy = |range| Busy { range, kind: BusyKind::Busy };
        let merged = merge(vec![busy(hours(4, 5)), busy(hours(1, 3)), busy(hours(3, 4)), busy(hours(8, 9))]);
        assert_eq!(merged, [busy(hours(1, 5)), busy(hours(8, 9))]);
    }
}
