//! Reads time ranges in parts if they cannot be read as a whole.
//!
//! One item can make a response about many unreadable: the server refuses to list it, or its data is broken or too
//! large. The time range is then halved, and its halves again, until the unreadable item is alone in a short range.
//! Everything else is read, and that range counts as busy.

use std::collections::{HashSet, VecDeque};

use chrono::Duration;
use domain::{BusyKind, BusyTime, TimeRange, UnreadableItem, UnreadableReason};
use futures::future::BoxFuture;

use crate::{
    Error, ErrorKind, EventPage, FreeBusy, Remedy, Result, body::BodyRejected, messages, moment::ParsedItem,
};

/// The shortest range that is requested.
const MIN_WINDOW: Duration = Duration::minutes(15);
/// Maximum number of ranges requested. One unreadable item in 60 days requires 26 requests; one that lasts a day
/// requires about 80.
const REQUESTS: usize = 96;
/// Maximum number of failed ranges before the first success. If all of them fail, the cause is not a single unreadable
/// item.
const HOPELESS: usize = 14;

/// The error code for a response that cannot be parsed.
pub(crate) const UNREADABLE_RESPONSE: &str = "ANSWER_UNREADABLE";
/// The error code for a response that exceeds the size limit.
pub(crate) const RESPONSE_TOO_LARGE: &str = "ANSWER_TOO_LARGE";
/// The error code for a response that does not come from the calendar system, such as a proxy's error page.
pub(crate) const FOREIGN_RESPONSE: &str = "ANSWER_FOREIGN";

/// Lower-case fragments of the error messages with which Microsoft reports a view that contains an unreadable item.
const CORRUPT: [&str; 8] = [
    "errorcorruptdata",
    "erroritemcorrupt",
    "errorrecurrencehasnooccurrence",
    "errorcalendaroutofrange",
    "errorcalendardurationistoolong",
    "errorinvalidtimezoneid",
    "errortimezone",
    "errorpropertyvalidationfailure",
];
/// Lower-case fragments of the error messages with which Microsoft reports a view that contains too many items.
const TOO_MUCH: [&str; 5] =
    ["answer_too_large", "provider_answer_too_large", "errorresultsettoobig", "too_many_events", "5006"];

/// Whether a part of the time range may be readable although the whole is not.
pub(crate) fn can_be_split(error: &Error) -> bool {
    let code = error.code.to_ascii_lowercase();
    error.code == UNREADABLE_RESPONSE
        || CORRUPT.contains(&code.as_str())
        || holds_too_much(error)
        || error.kind == ErrorKind::Invalid && error.remedy == Remedy::Never
}

/// Whether a smaller request would have succeeded.
fn holds_too_much(error: &Error) -> bool {
    TOO_MUCH.contains(&error.code.to_ascii_lowercase().as_str())
}

/// The error for a response whose body cannot be parsed. It concerns only this request, which is repeated later.
pub(crate) fn unreadable_body(refused: BodyRejected, body: &[u8], system: &str) -> Error {
    // A proxy or portal between us and the server responds with the same page to all parts of a time range.
    let is_page = body.trim_ascii_start().first() == Some(&b'<') && system != EXCHANGE_SERVER
        || body
            .trim_ascii_start()
            .get(..14)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"<!doctype html"))
        || body.trim_ascii_start().get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"<html"));
    let (code, wait, message) = match refused {
        _ if is_page || body.trim_ascii().is_empty() => {
            (FOREIGN_RESPONSE, 60, messages::something_else_responded(system))
        }
        BodyRejected::Malformed => (UNREADABLE_RESPONSE, 5, messages::response_not_understood(system)),
        BodyRejected::OverBudget => (RESPONSE_TOO_LARGE, 60, messages::response_too_large(system)),
    };
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_secs(wait)),
        code,
        message,
    )
}

/// Name of an Exchange server in error messages.
pub(crate) const EXCHANGE_SERVER: &str = "The Exchange server";

/// The result of reading a time range in parts.
#[derive(Debug)]
pub(crate) struct WindowParts<T> {
    /// The results of the readable parts, in order.
    pub read: Vec<T>,
    /// The unreadable parts, in order; adjacent ones are merged.
    pub lost: Vec<TimeRange>,
}

impl WindowParts<EventPage> {
    /// All events without duplicates, with the unreadable parts as busy.
    pub(crate) fn into_page(self) -> EventPage {
        let mut whole = EventPage::default();
        let (mut seen, mut marked) = (HashSet::new(), HashSet::new());
        for part in self.read {
            whole.items.extend(part.items.into_iter().filter(|event| seen.insert(event.id.clone())));
            whole
                .unreadable
                .extend(part.unreadable.into_iter().filter(|mark| marked.insert(mark.uid.clone())));
        }
        for piece in self.lost {
            whole.add_parsed_item(ParsedItem::unreadable_range(piece));
        }
        whole
    }
}

impl WindowParts<FreeBusy> {
    /// All busy times, with the unreadable parts as busy.
    pub(crate) fn into_free_busy(self) -> FreeBusy {
        let mut whole = FreeBusy::default();
        for part in self.read {
            whole.busy.extend(part.busy);
            whole.unreadable.extend(part.unreadable);
        }
        for range in self.lost {
            whole.busy.push(BusyTime { range, kind: BusyKind::Busy });
            let uid = format!("{}/{}", range.start.timestamp(), range.end.timestamp());
            whole.unreadable.push(UnreadableItem {
                uid,
                reason: UnreadableReason::NotDelivered,
                blocks: true,
            });
        }
        whole
    }
}

/// Reads a time range in parts after reading it as a whole failed with `refusal`. Fails with `refusal` if no part can
/// be read either.
pub(crate) async fn read_in_parts<'a, T>(
    window: TimeRange,
    refusal: Error,
    ask: impl Fn(TimeRange) -> BoxFuture<'a, Result<T>> + Send,
) -> Result<WindowParts<T>> {
    // The longest part is next, so that all parts that remain unreadable have the same length.
    let mut waiting = VecDeque::from(split_in_half(window));
    let (mut read, mut lost, mut asked, mut failed) = (Vec::new(), Vec::new(), 0, 0);
    while let Some(part) = waiting.pop_front() {
        if asked == REQUESTS || failed == HOPELESS && read.is_empty() {
            lost.push(part);
            continue;
        }
        asked += 1;
        match ask(part).await {
            Ok(found) => read.push(found),
            Err(error) if !can_be_split(&error) => return Err(error),
            Err(error) => {
                failed += usize::from(!holds_too_much(&error));
                match part.duration() > MIN_WINDOW {
                    true => waiting.extend(split_in_half(part)),
                    false => lost.push(part),
                }
            }
        }
    }
    if read.is_empty() {
        return Err(refusal);
    }
    tracing::warn!(code = refusal.code, asked, lost = lost.len(), "a calendar was read in parts");
    Ok(WindowParts { read, lost: merge_adjacent(lost) })
}

fn split_in_half(window: TimeRange) -> Vec<TimeRange> {
    let middle = window.start + Duration::seconds(window.duration().num_seconds() / 2);
    let halves = [TimeRange::new(window.start, middle), TimeRange::new(middle, window.end)];
    halves.into_iter().flatten().collect()
}

fn merge_adjacent(mut all: Vec<TimeRange>) -> Vec<TimeRange> {
    all.sort();
    let mut joined: Vec<TimeRange> = Vec::with_capacity(all.len());
    for one in all {
        match joined.last_mut() {
            Some(last) if one.start <= last.end => last.end = last.end.max(one.end),
            _ => joined.push(one),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use domain::Timestamp;

    use super::*;

    fn window(hours: i64) -> TimeRange {
        let start: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        TimeRange::new(start, start + Duration::hours(hours)).unwrap()
    }

    fn corrupt() -> Error {
        Error::new(ErrorKind::Invalid, Remedy::Never, "ErrorCorruptData", domain::Message::verbatim("x"))
    }

    /// Reads a time range whose parts fail if they overlap `bad`; returns the result and the number of requests.
    async fn try_all(whole: TimeRange, bad: TimeRange) -> (Result<WindowParts<TimeRange>>, usize) {
        let asked = AtomicUsize::new(0);
        let parts = read_in_parts(whole, corrupt(), |part| {
            asked.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move { if part.overlaps(&bad) { Err(corrupt()) } else { Ok(part) } })
        });
        (parts.await, asked.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn one_bad_item_is_found_and_all_else_is_read() {
        let whole = window(60 * 24);
        let bad =
            TimeRange::new(whole.start + Duration::minutes(50_001), whole.start + Duration::minutes(50_002));
        let (parts, asked) = try_all(whole, bad.unwrap()).await;
        let WindowParts { read, lost } = parts.unwrap();
        let [lost] = lost.as_slice() else { panic!("{lost:?}") };
        assert!(lost.contains(&bad.unwrap()) && lost.duration() <= MIN_WINDOW, "{lost:?}");
        let found: i64 = read.iter().map(|part| part.duration().num_seconds()).sum();
        assert_eq!(found + lost.duration().num_seconds(), whole.duration().num_seconds());
        assert!(asked < 30, "{asked}");
    }

    #[tokio::test]
    async fn a_long_bad_item_costs_no_more_than_the_bound_and_its_own_days() {
        let whole = window(60 * 24);
        let bad = TimeRange::new(whole.start + Duration::days(20), whole.start + Duration::days(23)).unwrap();
        let (parts, asked) = try_all(whole, bad).await;
        let lost = parts.unwrap().lost;
        assert!(asked <= REQUESTS, "{asked}");
        assert!(
            lost.len() == 1 && lost[0].contains(&bad) && lost[0].duration() < Duration::days(4),
            "{lost:?}"
        );
    }

    #[tokio::test]
    async fn a_server_that_reads_nothing_is_left_alone_soon() {
        let (parts, asked) = try_all(window(60 * 24), window(60 * 24)).await;
        assert_eq!((parts.unwrap_err().code.as_str(), asked), ("ErrorCorruptData", HOPELESS));
    }

    #[tokio::test]
    async fn another_error_ends_it() {
        let wait = Remedy::RetryAfter(MIN_WINDOW.to_std().unwrap());
        let gone = || Error::new(ErrorKind::Throttled, wait, "429", domain::Message::verbatim("x"));
        let parts =
            read_in_parts(window(24), corrupt(), |_| Box::pin(async move { Err::<(), _>(gone()) })).await;
        assert_eq!(parts.unwrap_err().kind, ErrorKind::Throttled);
    }
}
