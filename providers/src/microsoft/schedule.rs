//! Busy times of many mailboxes, by `getSchedule`.

mod verdict;

use std::collections::HashMap;

use chrono::Duration;
use domain::{BusyTime, TimeRange};
use futures::future::BoxFuture;
use serde_json::json;

use self::verdict::{missing, verdict};
use super::{Microsoft, batch, request::Call, wire, zones::DateTimeZone};
use crate::{Error, FreeBusy, Remedy, Result, Session, json::LenientList, parts, rest::RestApi};

/// Maximum number of mailboxes that Graph accepts per request.
const BATCH: usize = 20;
/// Longest time range requested at once; Graph refuses 62 days.
const LONGEST_WINDOW: Duration = Duration::days(61);
/// Maximum number of mailboxes on whose behalf a request for busy times is tried.
const ASKERS: usize = 4;

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
        for together in calls.chunks(batch::MAX_BATCH_REQUESTS) {
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

/// The same result with its busy times merged and in order.
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
    use domain::{BusyKind, Timestamp};

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
}
