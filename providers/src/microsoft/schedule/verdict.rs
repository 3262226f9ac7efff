//! Busy times of one mailbox from its part of a `getSchedule` response.

use chrono::Duration;
use domain::{BusyKind, BusyTime, TimeRange, UnreadableItem};

use super::super::{classify, event::busy_kind, wire, zones};
use crate::{
    Error, ErrorKind, FreeBusy, Remedy, Result, messages,
    moment::{ParsedTime, Span, span},
};

/// Length of the slots of an availability view.
const SLOT: Duration = Duration::minutes(30);

/// The error for a requested mailbox that is missing from the response; its busy times are unknown.
pub(super) fn missing() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_mins(1)),
        "SCHEDULE_MISSING",
        messages::microsoft_busy_times_missing(),
    )
}

pub(super) fn verdict(
    schedule: Option<&wire::Schedule>,
    mailbox: &str,
    window: TimeRange,
) -> Result<FreeBusy> {
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

/// Whether an availability view covers every minute of the window.
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

#[cfg(test)]
mod tests {
    use domain::Timestamp;
    use serde_json::json;

    use super::{super::merge, *};

    fn hours(start: i64, end: i64) -> TimeRange {
        let day: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        TimeRange::new(day + Duration::hours(start), day + Duration::hours(end)).unwrap()
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
