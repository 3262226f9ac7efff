//! The default calendar of a mailbox, and busy times of many mailboxes.

use std::collections::HashMap;

use chrono::Duration;
use domain::{Busy, BusyKind, TimeRange, provider::Capabilities};
use futures::future::BoxFuture;
use serde_json::json;

use super::{
    Microsoft, batch, classify, online,
    request::{self, Call},
    wire,
    zones::DateTimeZone,
};
use crate::{CalendarInfo, Error, ErrorKind, FreeBusy, Remedy, Result, Session};

/// Graph refuses more mailboxes in one request.
const BATCH: usize = 20;
/// Graph refuses windows of 62 days.
const LONGEST_WINDOW: Duration = Duration::days(61);
/// "Too many entries in one slot": a shorter window may pass.
const TOO_MANY_ENTRIES: &str = "5006";
/// No shorter window is tried.
const SHORTEST_WINDOW: Duration = Duration::hours(1);
/// How many mailboxes are tried as the one that asks.
const ASKERS: usize = 4;

type Verdicts = Vec<Result<Vec<Busy>>>;

impl Microsoft {
    pub(super) async fn read_calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo> {
        let call = Call::get(self.mailbox_url(mailbox, &["calendar"])?).of(mailbox);
        let calendar: wire::Calendar = self.call_json(session, &call).await?;
        let writes = calendar.can_edit;
        Ok(CalendarInfo {
            capabilities: Capabilities {
                list: true,
                free_busy: true,
                read_details: true,
                create: writes,
                update: writes,
                delete: writes,
                online_meetings: writes && online::permitted(&calendar),
            },
            id: calendar.id,
        })
    }

    pub(super) async fn read_busy(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>> {
        let mut answers = Vec::with_capacity(mailboxes.len());
        let mut told = self.told_together(session, mailboxes, window).await?.into_iter();
        for batch in mailboxes.chunks(BATCH) {
            let mut verdicts: Verdicts = batch.iter().map(|_| Ok(Vec::new())).collect();
            for part in parts(window) {
                let read = self.busy_of_batch(session, batch, part, told.next().flatten()).await?;
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

    /// What the service mailbox is told about every batch and part, where one request is not enough; `None` for what it
    /// may not ask, which is asked otherwise.
    async fn told_together(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<Option<Vec<wire::Schedule>>>> {
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
        for together in calls.chunks(batch::MOST) {
            for (call, answer) in together.iter().zip(self.ask_together(session, together).await?) {
                told.push(match answer {
                    Err(error) if error.remedy == Remedy::SkipMailbox => None,
                    answer => Some(read_list(call, &answer?)?),
                });
            }
        }
        Ok(told)
    }

    /// At most 20 mailboxes in at most 61 days, one verdict per mailbox. Boxed because it asks again for half of
    /// the window when a mailbox has too many entries in it.
    fn busy_of_batch<'a>(
        &'a self,
        session: &'a Session,
        batch: &'a [String],
        window: TimeRange,
        told: Option<Vec<wire::Schedule>>,
    ) -> BoxFuture<'a, Result<Verdicts>> {
        Box::pin(async move {
            let asked = match told {
                Some(told) => Ok(told),
                None => self.schedules(session, batch, window).await,
            };
            let schedules = match asked {
                Err(error) if error.remedy == Remedy::SkipMailbox => {
                    return Ok(batch.iter().map(|_| Err(error.clone())).collect());
                }
                schedules => schedules?,
            };
            let found: HashMap<String, wire::Schedule> = schedules
                .into_iter()
                .map(|schedule| (schedule.schedule_id.to_lowercase(), schedule))
                .collect();
            let mut verdicts = Vec::with_capacity(batch.len());
            for mailbox in batch {
                let verdict = verdict(found.get(&mailbox.to_lowercase()), window);
                verdicts.push(match verdict {
                    Err(error) if error.code == TOO_MANY_ENTRIES && window.duration() > SHORTEST_WINDOW => {
                        self.busy_in_halves(session, mailbox, window).await?
                    }
                    verdict => verdict,
                });
            }
            Ok(verdicts)
        })
    }

    async fn busy_in_halves(
        &self,
        session: &Session,
        mailbox: &String,
        window: TimeRange,
    ) -> Result<Result<Vec<Busy>>> {
        let middle = window.start + window.duration() / 2;
        let mut all = Vec::new();
        for half in
            [TimeRange::new(window.start, middle), TimeRange::new(middle, window.end)].into_iter().flatten()
        {
            let one = std::slice::from_ref(mailbox);
            match self.busy_of_batch(session, one, half, None).await?.pop() {
                Some(Ok(part)) => all.extend(part),
                Some(Err(error)) => return Ok(Err(error)),
                None => return Ok(Err(missing())),
            }
        }
        Ok(Ok(all))
    }

    /// The request needs a mailbox to ask from. The service mailbox asks; where it cannot, a member of the batch
    /// does, so that one closed mailbox does not hide all others.
    async fn schedules(
        &self,
        session: &Session,
        batch: &[String],
        window: TimeRange,
    ) -> Result<Vec<wire::Schedule>> {
        let account = Some(session.account.as_str()).filter(|account| account.contains('@'));
        let members = batch.iter().map(String::as_str).filter(|member| Some(*member) != account);
        let mut last = missing();
        for asker in account.into_iter().chain(members).take(ASKERS) {
            match self.call_list(session, &self.question(asker, batch, window)?).await {
                Err(error) if error.remedy == Remedy::SkipMailbox => last = error,
                answer => return answer.map(|list| list.value),
            }
        }
        Err(last)
    }

    /// `asker` wants to know when these mailboxes are busy.
    fn question<'a>(&self, asker: &'a str, batch: &[String], window: TimeRange) -> Result<Call<'a>> {
        let body = json!({
            "schedules": batch,
            "startTime": DateTimeZone::utc(window.start),
            "endTime": DateTimeZone::utc(window.end),
            "availabilityViewInterval": 30,
        });
        Ok(Call::post(self.mailbox_url(asker, &["calendar", "getSchedule"])?, body).asks().of(asker))
    }
}

fn read_list(call: &Call<'_>, answer: &http::Response) -> Result<Vec<wire::Schedule>> {
    let list: wire::List<wire::Schedule> =
        answer.json().map_err(|_| request::unreadable(call, Some(answer)))?;
    Ok(list.value)
}

/// A mailbox that was asked about and is not in the answer is unknown, never free.
fn missing() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_mins(1)),
        "SCHEDULE_MISSING",
        "Microsoft 365 did not say when this mailbox is busy.",
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

fn verdict(schedule: Option<&wire::Schedule>, window: TimeRange) -> Result<Vec<Busy>> {
    let schedule = schedule.ok_or_else(missing)?;
    if let Some(error) = &schedule.error {
        let code = match &error.response_code {
            Some(serde_json::Value::String(code)) => code.clone(),
            Some(code) => code.to_string(),
            None => String::new(),
        };
        return Err(classify::schedule(&code));
    }
    let items = schedule.schedule_items.as_ref().ok_or_else(missing)?;
    items.iter().filter_map(|item| busy(item, window).transpose()).collect()
}

fn busy(item: &wire::ScheduleItem, window: TimeRange) -> Result<Option<Busy>> {
    let Some(kind) = busy_kind(item.status.as_deref()) else {
        return Ok(None);
    };
    let (Some(start), Some(end)) = (item.start.instant(), item.end.instant()) else {
        return Err(missing());
    };
    let range = TimeRange::new(start, end).and_then(|range| range.intersect(&window));
    Ok(range.map(|range| Busy { range, kind }))
}

/// How a status of Graph's blocks the time; what is not known blocks.
pub(super) fn busy_kind(status: Option<&str>) -> Option<BusyKind> {
    match status.unwrap_or_default().to_ascii_lowercase().as_str() {
        "free" | "workingelsewhere" => None,
        "tentative" => Some(BusyKind::Tentative),
        _ => Some(BusyKind::Busy),
    }
}

/// Sorted, with overlapping and touching pieces of one kind joined.
fn merge(mut all: Vec<Busy>) -> Vec<Busy> {
    all.sort_by_key(|busy| (busy.kind, busy.range));
    let mut merged: Vec<Busy> = Vec::with_capacity(all.len());
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
        let busy = |range, kind| Busy { range, kind };
        let merged = merge(vec![
            busy(hours(4, 5), BusyKind::Busy),
            busy(hours(1, 3), BusyKind::Busy),
            busy(hours(3, 4), BusyKind::Busy),
            busy(hours(2, 6), BusyKind::Tentative),
        ]);
        assert_eq!(merged, [busy(hours(1, 5), BusyKind::Busy), busy(hours(2, 6), BusyKind::Tentative)]);
    }

    #[test]
    fn an_unknown_status_blocks_and_free_ones_do_not() {
        assert_eq!(busy_kind(Some("free")), None);
        assert_eq!(busy_kind(Some("workingElsewhere")), None);
        assert_eq!(busy_kind(Some("tentative")), Some(BusyKind::Tentative));
        for status in [Some("busy"), Some("oof"), Some("unknown"), Some("new"), None] {
            assert_eq!(busy_kind(status), Some(BusyKind::Busy));
        }
    }

    #[test]
    fn a_member_without_items_or_with_an_unreadable_time_is_an_error() {
        let window = hours(0, 24);
        assert_eq!(verdict(None, window).unwrap_err().code, "SCHEDULE_MISSING");
        let read = |json: serde_json::Value| verdict(Some(&serde_json::from_value(json).unwrap()), window);
        assert!(read(json!({"scheduleId": "a"})).is_err());
        let time = |text: &str| json!({"dateTime": text, "timeZone": "UTC"});
        let item = json!({"status": "busy", "start": time("later"), "end": time("2026-12-01T10:00:00")});
        assert!(read(json!({"scheduleId": "a", "scheduleItems": [item]})).is_err());
        let over = json!({"status": "busy", "start": time("2026-11-30T10:00:00"), "end": time("2026-12-01T10:00:00")});
        let cut = read(json!({"scheduleId": "a", "scheduleItems": [over]})).unwrap();
        assert_eq!(cut, [Busy { range: hours(0, 10), kind: BusyKind::Busy }]);
    }
}
