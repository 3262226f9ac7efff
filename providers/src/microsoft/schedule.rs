//! Busy times of many mailboxes, by `getSchedule`.

use std::collections::HashMap;

use chrono::Duration;
use domain::{BusyKind, BusyTime, TimeRange, UnreadableItem};
use futures::future::BoxFuture;
use serde_json::json;

use super::{
    Microsoft, batch, classify,
    event::busy_kind,
    request::Call,
    wire,
    zones::{self, DateTimeZone},
};
use crate::{
    Error, ErrorKind, FreeBusy, Remedy, Result, Session,
    json::LenientList,
    messages,
    moment::{ParsedTime, Span, span},
    parts,
    rest::RestApi,
};

/// Maximum number of mailboxes that Graph accepts per request.
const BATCH: usize = 20;
/// Longest time range requested at once; Graph refuses 62 days.
const LONGEST_WINDOW: Duration = Duration::days(61);
/// Maximum number of mailboxes on whose behalf a request for busy times is tried.
const ASKERS: usize = 4;

/// Length of the slots of an availability view.
const SLOT: Duration = Duration::minutes(30);

pub(super) type BusyResults = Vec<Result<FreeBusy>>;

impl Microsoft {
    pub(super) async fn read_busy(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>> {
        let mut answers = Vec::with_capacity(mailboxes.len());
        let mut told = self.told_together(session, mailboxes, window).await?.into_iter();
        for batch in mailboxes.chunks(BATCH) {
            let mut verdicts: BusyResults = batch.iter().map(|_| Ok(FreeBusy::default())).collect();
            for part in parts(window) {
                let read = self.busy_of_batch(session, batch, part, told.next().flatten()).await?;
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
            let merged = verdicts.into_iter().map(|verdict| verdict.map(merged));
            answers.extend(batch.iter().cloned().zip(merged));
        }
        Ok(answers)
    }

    /// If more than one request is needed, sends all of them on behalf of the service mailbox; `None` for batches that
    /// it may not read, which the caller must request on behalf of another mailbox.
    async fn told_together(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<Option<LenientList<wire::Schedule>>>> {
        let Some(account) = Some(session.account.as_str()).filter(|account| account.contains('@')) else {
            return Ok(Vec::new());
        };
        let asks = mailboxes
            .chunks(BATCH)
            .flat_map(|batch| parts(window).into_iter().map(move |part| (batch, part)));
        let calls = asks.map(|(batch, part)| self.question(account, batch, part));
        let calls: Vec<Call<'_>> = calls.collect::<Result<_>>()?;
        if calls.len() < 2 {
            return Ok(Vec::new());
        }
        let mut told = Vec::with_capacity(calls.len());
        for together in calls.chunks(batch::MAX_REQUESTS) {
            for (call, answer) in together.iter().zip(self.send_batch(session, together).await?) {
                told.push(match answer {
                    Err(error) if error.remedy == Remedy::SkipMailbox => None,
                    // Batches that cannot be read together are requested again individually.
                    answer => self.parse::<wire::List<_>>(call, &answer?).await.ok().map(|list| list.value),
                });
            }
        }
        Ok(told)
    }

    /// Results for at most 20 mailboxes and 61 days.
    async fn busy_of_batch(
        &self,
        session: &Session,
        batch: &[String],
        window: TimeRange,
        told: Option<LenientList<wire::Schedule>>,
    ) -> Result<BusyResults> {
        let verdicts = match told {
            Some(told) => Ok(results_in_order(told, batch, window)),
            None => self.busy_at_once(session, batch, window).await,
        };
        let verdicts = match verdicts {
            Err(error) if parts::can_be_split(&error) => batch.iter().map(|_| Err(error.clone())).collect(),
            verdicts => verdicts?,
        };
        let mut all = Vec::with_capacity(batch.len());
        for (mailbox, verdict) in batch.iter().zip(verdicts) {
            all.push(match verdict {
                // The combined response may have failed because of one of the others.
                Err(error) if parts::can_be_split(&error) && batch.len() > 1 => {
                    let alone = self.busy_of_one(session, mailbox, window).await;
                    match alone {
                        Err(error) if parts::can_be_split(&error) => {
                            self.busy_in_parts(session, mailbox, window, error).await
                        }
                        alone => alone,
                    }
                }
                Err(error) if parts::can_be_split(&error) => {
                    self.busy_in_parts(session, mailbox, window, error).await
                }
                verdict => verdict,
            });
        }
        Ok(all)
    }

    /// Requests the busy times of all these mailboxes at once.
    async fn busy_at_once(
        &self,
        session: &Session,
        batch: &[String],
        window: TimeRange,
    ) -> Result<BusyResults> {
        match self.schedules(session, batch, window).await {
            Err(error) if error.remedy == Remedy::SkipMailbox => {
                Ok(batch.iter().map(|_| Err(error.clone())).collect())
            }
            told => Ok(results_in_order(told?, batch, window)),
        }
    }

    async fn busy_of_one(&self, session: &Session, mailbox: &String, window: TimeRange) -> Result<FreeBusy> {
        let one = std::slice::from_ref(mailbox);
        self.busy_at_once(session, one, window).await?.pop().unwrap_or_else(|| Err(missing()))
    }

    async fn busy_in_parts(
        &self,
        session: &Session,
        mailbox: &String,
        window: TimeRange,
        refusal: Error,
    ) -> Result<FreeBusy> {
        let ask = |part| -> BoxFuture<'_, _> { Box::pin(self.busy_of_one(session, mailbox, part)) };
        Ok(parts::read_in_parts(window, refusal, ask).await?.into_free_busy())
    }

    /// Requests schedules on behalf of a mailbox: the service mailbox or, if that fails, a mailbox of the batch, so
    /// that one closed mailbox does not prevent reading all others.
    async fn schedules(
        &self,
        session: &Session,
        batch: &[String],
        window: TimeRange,
    ) -> Result<LenientList<wire::Schedule>> {
        let account = Some(session.account.as_str()).filter(|account| account.contains('@'));
        let members = batch.iter().map(String::as_str).filter(|member| Some(*member) != account);
        let mut last = missing();
        for asker in account.into_iter().chain(members).take(ASKERS) {
            match self.call_json(session, &self.question(asker, batch, window)?).await {
                Err(error) if error.remedy == Remedy::SkipMailbox => last = error,
                answer => return answer.map(|list: wire::List<_>| list.value),
            }
        }
        Err(last)
    }

    /// The request for the busy times of these mailboxes on behalf of `asker`.
    fn question<'a>(&self, asker: &'a str, batch: &[String], window: TimeRange) -> Result<Call<'a>> {
        let body = json!({
            "schedules": batch,
            "startTime": DateTimeZone::from_instant(window.start),
            "endTime": DateTimeZone::from_instant(window.end),
            "availabilityViewInterval": 30,
        });
        Ok(Call::post(self.mailbox_url(asker, &["calendar", "getSchedule"])?, body)
            .without_effects()
            .for_mailbox(asker))
    }
}

/// The error for a requested mailbox that is missing from the response; its busy times are unknown.
fn missing() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_mins(1)),
        "SCHEDULE_MISSING",
        messages::microsoft_busy_times_missing(),
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
pub(super) fn results_in_order(
    schedules: LenientList<wire::Schedule>,
    batch: &[String],
    window: TimeRange,
) -> BusyResults {
    let told = schedules
        .into_readable("schedules")
        .filter_map(|one| Some((one.schedule_id.clone()?.to_lowercase(), one)));
    let found: HashMap<String, wire::Schedule> = told.collect();
    batch.iter().map(|mailbox| verdict(found.get(&mailbox.to_lowercase()), mailbox, window)).collect()
}

fn verdict(schedule: Option<&wire::Schedule>, mailbox: &str, window: TimeRange) -> Result<FreeBusy> {
    let schedule = schedule.ok_or_else(missing)?;
    let view = schedule.availability_view.as_deref();
    if let Some(error) = &schedule.error {
        let error: Option<wire::ScheduleError> = serde_json::from_str(error.get()).ok();
        return Err(classify::schedule_error(
            &error.and_then(|error| error.response_code).unwrap_or_default(),
        ));
    }
    // Graph returns an empty view for a mailbox that it cannot read.
    if view == Some("") {
        return Err(missing());
    }
    let items = match (&schedule.schedule_items, view) {
        // The view replaces missing items.
        (Some(items), Some(view)) if items.0.is_empty() => {
            return Ok(slots(view, window).collect::<Vec<_>>().into());
        }
        (Some(items), _) => items.0.as_slice(),
        (None, Some(_)) => &[None],
        (None, None) => return Err(missing()),
    };
    let mut all = FreeBusy::default();
    for item in items {
        let mark = |reason, blocks| UnreadableItem { uid: mailbox.to_owned(), reason, blocks };
        let (start, end) = item.as_ref().map_or((ParsedTime::Unknown, ParsedTime::Unknown), |item| {
            (zones::parse_time(item.start.as_ref()), zones::parse_time(item.end.as_ref()))
        });
        let Some(kind) = busy_kind(item.as_ref().and_then(|item| item.status.as_deref())) else { continue };
        match (span(start, end, Some(window)), view) {
            (Span::Nothing, _) => {}
            (Span::Exact(range), _) => {
                all.busy.extend(range.intersect(&window).map(|range| BusyTime { range, kind }));
            }
            // The view shows when the mailbox is busy, but not why.
            (Span::Widest(_, reason) | Span::Unknown(reason), Some(view)) if covers(view, window) => {
                all.busy.extend(slots(view, window));
                all.unreadable.push(mark(reason, true));
            }
            (Span::Widest(range, reason), _) => {
                all.busy.push(BusyTime { range, kind: BusyKind::Busy });
                all.unreadable.push(mark(reason, true));
            }
            (Span::Unknown(reason), _) => all.unreadable.push(mark(reason, false)),
        }
    }
    Ok(all)
}

/// Whether an availability view covers every minute of the time range.
fn covers(view: &str, window: TimeRange) -> bool {
    let slots = i32::try_from(view.len()).ok();
    slots.and_then(|slots| SLOT.checked_mul(slots)).is_some_and(|all| all >= window.duration())
}

/// The busy slots of an availability view: 0 is free, 1 tentative; all others, including unknown ones, count as
/// busy.
fn slots(view: &str, window: TimeRange) -> impl Iterator<Item = BusyTime> {
    let ends = (1..).map(move |n| window.start + SLOT * n);
    view.chars().zip(ends).filter_map(move |(digit, end)| {
        let kind = match digit {
            '0' => return None,
            '1' => BusyKind::Tentative,
            _ => BusyKind::Busy,
        };
        TimeRange::new(end - SLOT, end)?.intersect(&window).map(|range| BusyTime { range, kind })
    })
}

/// The result with its busy times sorted and merged.
fn merged(all: FreeBusy) -> FreeBusy {
    FreeBusy { busy: merge(all.busy), ..all }
}

/// Sorts busy times and merges overlapping and adjacent ones of the same kind.
fn merge(mut all: Vec<BusyTime>) -> Vec<BusyTime> {
    all.sort_by_key(|busy| (busy.kind, busy.range));
    let mut merged: Vec<BusyTime> = Vec::with_capacity(all.len());
    for busy in all {
        match merged.last_mut() {
            Some(last) if last.kind == busy.kind && busy.range.start <= last.range.end => {
                last.range.end = last.range.end.max(busy.range.end);
            }
            _ => merged.push(busy),
        }
    }
    merged.sort_by_key(|busy| (busy.range, busy.kind));
    merged
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

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
    fn pieces_of_one_kind_are_joined_and_kinds_kept_apart() {
        let busy = |range, kind| BusyTime { range, kind };
        let merged = merge(vec![
            busy(hours(4, 5), BusyKind::Busy),
            busy(hours(1, 3), BusyKind::Busy),
            busy(hours(3, 4), BusyKind::Busy),
            busy(hours(2, 6), BusyKind::Tentative),
        ]);
        assert_eq!(merged, [busy(hours(1, 5), BusyKind::Busy), busy(hours(2, 6), BusyKind::Tentative)]);
    }

    fn read(json: serde_json::Value) -> Result<FreeBusy> {
        verdict(Some(&crate::json::parse(json.to_string().as_bytes()).unwrap()), "a", hours(0, 24))
    }

    fn item(start: serde_json::Value, end: serde_json::Value) -> serde_json::Value {
        json!({ "status": "busy", "start": start, "end": end })
    }

    fn time(text: &str) -> serde_json::Value {
        json!({ "dateTime": text, "timeZone": "UTC" })
    }

    #[test]
    fn a_member_that_says_nothing_is_an_error_and_never_free() {
        assert_eq!(verdict(None, "a", hours(0, 24)).unwrap_err().code, "SCHEDULE_MISSING");
        for nothing in [
            json!({}),
            json!({ "scheduleItems": null }),
            json!({ "scheduleItems": 7 }),
            json!({ "scheduleItems": [], "availabilityView": "" }),
            json!({ "scheduleItems": [], "error": "odd" }),
            json!({ "scheduleItems": [], "error": { "responseCode": [] } }),
        ] {
            assert!(read(nothing.clone()).is_err(), "{nothing}");
        }
        let number = read(json!({ "scheduleItems": [], "error": { "responseCode": 5009 } }));
        assert_eq!(number.unwrap_err().kind, ErrorKind::NoMailbox);
    }

    #[test]
    fn an_item_that_cannot_be_read_takes_no_other_with_it() {
        let over = item(time("2026-11-30T10:00:00"), time("2026-12-01T10:00:00"));
        let whole = read(json!({ "scheduleItems": [over] })).unwrap();
        assert_eq!(whole.busy, [BusyTime { range: hours(0, 10), kind: BusyKind::Busy }]);
        let items = json!([over, item(time("later"), time("2026-12-01T20:00:00")), null, 7]);
        let found = read(json!({ "scheduleItems": items })).unwrap();
        assert_eq!(merge(found.busy), [BusyTime { range: hours(0, 20), kind: BusyKind::Busy }]);
        let blocks: Vec<_> = found.unreadable.iter().map(|mark| mark.blocks).collect();
        assert_eq!(blocks, [true, false, false]);
    }

    #[test]
    fn the_view_says_when_an_unreadable_item_may_be() {
        let view = format!("{}12{}", "0".repeat(18), "0".repeat(28));
        for items in [json!([item(time("later"), json!(null))]), json!([null]), json!(null)] {
            let found = read(json!({ "scheduleItems": items, "availabilityView": view })).unwrap();
            let half = hours(9, 10).start + SLOT;
            let perhaps = TimeRange::new(hours(9, 10).start, half).unwrap();
            let surely = TimeRange::new(half, hours(9, 10).end).unwrap();
            let busy = |range, kind| BusyTime { range, kind };
            assert_eq!(found.busy, [busy(perhaps, BusyKind::Tentative), busy(surely, BusyKind::Busy)]);
            assert!(found.unreadable[0].blocks, "{items}");
        }
        let short = json!({ "scheduleItems": [item(json!(null), json!(null))], "availabilityView": "00" });
        assert!(!read(short).unwrap().unreadable[0].blocks, "a view that ends early proves nothing");
    }
}
