//! Determines which times unreadable resources occupy by querying the server, which may be able to parse them.
//!
//! First the server is requested to expand them (RFC 4791 section 9.6.5), which often yields readable data. Then
//! queries determine by bisection which of them overlap which part of the time range; a server that also returns them
//! for a time range that cannot contain any event ignores times and is not trusted. Finally, `free-busy-query` reveals
//! times that no readable event explains. The number of requests is limited; at the limit, the parts of the time range
//! that are still undecided count as busy.

use std::collections::VecDeque;

use chrono::{Duration, TimeZone, Utc};
use domain::TimeRange;
use url::Url;

use super::{
    collection::Collection,
    free_busy, interpret, multiget,
    read::{self, ReadResources, UnreadableResource},
    transport::DavClient,
};
use crate::{Error, Remedy, Result};

/// Maximum number of resources that the server is requested to expand.
const EXPANDED: usize = 20;
/// Maximum number of parts of the time range that are queried.
const PARTS: usize = 48;
/// Minimum length of a time range; bisection ends at this length.
const FINE: Duration = Duration::minutes(15);

/// Determines which times unreadable resources occupy, and reads those that the server can expand. Includes resources
/// that were read but whose times are unknown.
pub(super) async fn determine_times(
    dav: &DavClient<'_>,
    calendar: &Collection,
    window: TimeRange,
    found: ReadResources,
) -> Result<ReadResources> {
    let zone = super::locate::calendar_zone(dav, calendar);
    let (mut found, doubtful) = interpret::find_unknown_times(found, zone.clone(), window).await?;
    let mut lost = std::mem::take(&mut found.lost);
    lost.extend(doubtful.into_iter().map(|(url, reason)| UnreadableResource::new(url, reason)));
    if lost.is_empty() {
        return Ok(found);
    }
    let urls: Vec<Url> = lost.iter().take(EXPANDED).map(|lost| lost.url.clone()).collect();
    let wide = window.widened(Duration::days(1), Duration::days(1));
    let expanded = told(multiget::fetch_expanded(dav, calendar, &urls, wide).await)?;
    // An expansion without events says nothing: the server may have left out what it could not read either.
    let (expanded, still_doubtful) =
        interpret::find_unknown_times(expanded.unwrap_or_default(), zone.clone(), window).await?;
    for stored in expanded.stored {
        if !stored.calendar.events.is_empty() && !still_doubtful.iter().any(|(url, _)| *url == stored.url) {
            lost.retain(|lost| lost.url != stored.url);
            found.stored.retain(|known| known.url != stored.url);
            found.stored.push(stored);
        }
    }
    if !lost.is_empty() && !halve(dav, calendar, window, &mut lost).await? {
        let busy = told(free_busy::query_busy_times(dav, calendar, window).await)?.unwrap_or_default();
        let known = interpret::all_event_times(&found, &zone, window);
        let unexplained = subtract(busy.iter().map(|busy| busy.range).collect(), &known);
        if let Some(first) = lost.iter_mut().find(|lost| lost.spans.is_empty()) {
            first.spans = unexplained;
        }
    }
    found.lost = lost;
    Ok(found)
}

/// The result; `None` if the error only means that the server cannot process this request. Errors that concern more
/// than the requested resources are returned.
fn told<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(Error { remedy: Remedy::Reconnect, .. }) => answer.map(Some),
        Err(error) if error.kind == crate::ErrorKind::Throttled => Err(error),
        answer => Ok(answer.ok()),
    }
}

/// Bisects the time range to find out which unreadable resources overlap which part. Returns false if the server's
/// responses are not reliable.
async fn halve(
    dav: &DavClient<'_>,
    calendar: &Collection,
    window: TimeRange,
    lost: &mut [UnreadableResource],
) -> Result<bool> {
    // Nobody has an appointment in the small hours of 2 January 1970.
    let nothing = Utc.timestamp_opt(90_000, 0).single();
    let Some(nothing) = nothing.and_then(|start| TimeRange::new(start, start + Duration::hours(1))) else {
        return Ok(false);
    };
    let Some(always) = told(read::find_overlapping_urls(dav, calendar, nothing).await)?.flatten() else {
        return Ok(false);
    };
    let believed: Vec<usize> = (0..lost.len()).filter(|at| !always.contains(&lost[*at].url)).collect();
    let (mut parts, mut left) = (VecDeque::from([(window, believed.clone())]), PARTS);
    while let Some((part, among)) = parts.pop_front() {
        if among.is_empty() {
            continue;
        }
        let listed = if left == 0 {
            None
        } else {
            told(read::find_overlapping_urls(dav, calendar, part).await)?.flatten()
        };
        left = left.saturating_sub(1);
        // If no further request is possible, all resources that overlap the larger part may overlap this one.
        let within: Vec<usize> = match &listed {
            Some(listed) => among.into_iter().filter(|at| listed.contains(&lost[*at].url)).collect(),
            None => among,
        };
        match split_in_half(part).filter(|_| listed.is_some()) {
            Some(halves) => parts.extend(halves.map(|half| (half, within.clone()))),
            None => within.into_iter().for_each(|at| lost[at].spans.push(part)),
        }
    }
    for one in lost.iter_mut() {
        one.spans = merge_adjacent(std::mem::take(&mut one.spans));
    }
    Ok(believed.len() == lost.len())
}

/// The two halves of a time range, split at a quarter of an hour; `None` if it is too short.
fn split_in_half(part: TimeRange) -> Option<[TimeRange; 2]> {
    let quarters = part.duration().num_minutes() / 2 / FINE.num_minutes();
    let begun = part.start.timestamp().rem_euclid(FINE.num_seconds());
    let middle = part.start + FINE * i32::try_from(quarters.max(1)).ok()? - Duration::seconds(begun);
    Some([TimeRange::new(part.start, middle)?, TimeRange::new(middle, part.end)?])
}

/// The ranges in order, with adjacent ones merged.
fn merge_adjacent(mut spans: Vec<TimeRange>) -> Vec<TimeRange> {
    spans.sort_unstable();
    let mut joined: Vec<TimeRange> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => joined.push(span),
        }
    }
    joined
}

/// Subtracts the ranges in `known` from those in `times`; returns the remaining ranges.
fn subtract(times: Vec<TimeRange>, known: &[TimeRange]) -> Vec<TimeRange> {
    let known = merge_adjacent(known.to_vec());
    let mut left = Vec::new();
    for time in merge_adjacent(times) {
        let mut start = time.start;
        for taken in known.iter().filter(|taken| taken.overlaps(&time)) {
            left.extend(TimeRange::new(start, taken.start.min(time.end)).filter(|_| taken.start > start));
            start = start.max(taken.end);
        }
        left.extend(TimeRange::new(start, time.end).filter(|_| start < time.end));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u32, end: u32) -> TimeRange {
        let at = |hour| Utc.with_ymd_and_hms(2026, 12, 5, hour, 0, 0).unwrap();
        TimeRange::new(at(hour), at(end)).unwrap()
    }

    #[test]
    fn what_known_events_explain_is_taken_away() {
        let times = vec![at(8, 12), at(14, 15), at(16, 18)];
        let known = [at(9, 10), at(9, 11), at(14, 15), at(15, 17), at(20, 21)];
        assert_eq!(subtract(times.clone(), &known), [at(8, 9), at(11, 12), at(17, 18)]);
        assert_eq!(subtract(times.clone(), &[]), times);
        assert_eq!(subtract(times, &[at(0, 23)]), []);
        assert_eq!(merge_adjacent(vec![at(3, 4), at(1, 2), at(2, 3)]), [at(1, 4)]);
    }
}
