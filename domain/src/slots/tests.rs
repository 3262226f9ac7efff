//! Compares the slot search with a minute-by-minute merge of exact times.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveTime, Weekday};
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> Zone {
    Zone::from_name(name).unwrap()
}

fn berlin() -> Zone {
    zone("Europe/Berlin")
}

fn at(hour: i64, minute: i64) -> Timestamp {
    day("2026-06-01") + Duration::minutes(hour * 60 + minute)
}

fn day(date: &str) -> Timestamp {
    date.parse::<chrono::NaiveDate>().unwrap().and_time(NaiveTime::MIN).and_utc()
}

fn range(from: Timestamp, to: Timestamp) -> TimeRange {
    TimeRange::new(from, to).unwrap()
}

fn some(minutes: u32) -> NonZeroU32 {
    NonZeroU32::new(minutes).unwrap()
}

fn query(from: Timestamp, to: Timestamp) -> Query {
    Query {
        window: range(from, to),
        duration_minutes: some(30),
        step_minutes: some(30),
        before_minutes: 0,
        after_minutes: 0,
        hours: Vec::new(),
        tentative_is_taken: true,
        limit: usize::MAX,
    }
}

fn participant<K>(key: K, busy: Vec<BusyTime>, query: &Query) -> Participant<K> {
    let counted = busy.iter().filter(|busy| query.counts(busy)).map(|busy| busy.range);
    let taken = Bitmap::from_busy(query.required_range(), GRID_MINUTES, counted);
    Participant { key, busy, taken }
}

fn busy(from: Timestamp, to: Timestamp) -> BusyTime {
    BusyTime { range: range(from, to), kind: BusyKind::Busy }
}

fn starts<K>(slots: &[Slot<K>]) -> Vec<String> {
    slots.iter().map(|slot| slot.range.start.format("%H:%M").to_string()).collect()
}

#[test]
fn a_slot_is_offered_when_everybody_and_one_room_is_free() {
    let query = query(at(9, 0), at(11, 0));
    let who = Participants {
        required: vec![
            participant("ada", vec![busy(at(9, 0), at(9, 30))], &query),
            participant("bob", vec![busy(at(10, 32), at(10, 40))], &query),
        ],
        any_of: vec![vec![
            participant("one", vec![busy(at(9, 30), at(10, 0))], &query),
            participant("two", vec![busy(at(9, 0), at(9, 30))], &query),
        ]],
    };
    let slots = find(&query, &who);
    assert_eq!(starts(&slots), ["09:30", "10:00"]);
    assert_eq!(slots[0].free, [[&"two"]]);
    assert_eq!(slots[1].free, [[&"one", &"two"]]);
    let refused = explain_refusals(&query, &who, 10);
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0].why[0].key, Some(&"ada"), "nine o'clock");
    assert_eq!(
        refused[1].why,
        [Obstacle {
            key: Some(&"bob"),
            group: None,
            refusal: Refusal::Taken(BusyKind::Busy, Some(range(at(10, 32), at(10, 40))))
        }]
    );
}

#[test]
fn times_off_the_grid_are_decided_by_the_exact_times() {
    let mut query = query(at(9, 2), at(10, 32));
    query.duration_minutes = some(10);
    query.step_minutes = some(10);
    let who = Participants {
        required: vec![participant("ada", vec![busy(at(9, 12), at(9, 22))], &query)],
        any_of: Vec::new(),
    };
    assert!(query.needs_exact_times());
    assert_eq!(starts(&find(&query, &who))[..2], ["09:02", "09:22"]);
    let forgotten = Participants {
        required: vec![Participant { busy: Vec::new(), ..who.required[0].clone() }],
        any_of: Vec::new(),
    };
    assert_eq!(starts(&find(&query, &forgotten))[0], "09:32", "marks that nothing explains are believed");
}

#[test]
fn what_is_not_known_is_not_offered() {
    let query = query(at(9, 0), at(11, 0));
    let mut ada = participant("ada", Vec::new(), &query);
    ada.taken = Bitmap::all_free(range(at(9, 30), at(10, 30)), GRID_MINUTES);
    let who = Participants { required: vec![ada], any_of: Vec::new() };
    assert_eq!(starts(&find(&query, &who)), ["09:30", "10:00"]);
    assert_eq!(explain_refusal(&query, &who, at(9, 0))[0].refusal.code(), "CALENDAR_UNKNOWN");
    let unknown = Participant { key: "eve", busy: Vec::new(), taken: Bitmap::unknown() };
    let who = Participants { required: vec![unknown], any_of: Vec::new() };
    assert_eq!(find(&query, &who), []);
}

#[test]
fn tentative_times_count_when_the_caller_says_so() {
    let tentative = BusyTime { range: range(at(9, 0), at(9, 30)), kind: BusyKind::Tentative };
    for (tentative_is_taken, first) in [(true, "09:30"), (false, "09:00")] {
        let query = Query { tentative_is_taken, ..query(at(9, 0), at(11, 0)) };
        let who =
            Participants { required: vec![participant("ada", vec![tentative], &query)], any_of: Vec::new() };
        assert_eq!(starts(&find(&query, &who))[0], first);
        assert_eq!(explain_refusal(&query, &who, at(9, 0)).is_empty(), !tentative_is_taken);
    }
}

#[test]
fn a_group_without_anybody_and_a_time_outside_are_explained() {
    let mut query = query(at(9, 0), at(11, 0));
    let nine = NaiveTime::from_hms_opt(9, 0, 0).unwrap();
    query.hours = vec![WorkingHours::weekdays(berlin(), nine, NaiveTime::from_hms_opt(12, 0, 0).unwrap())];
    let who: Participants<&str> = Participants { required: Vec::new(), any_of: vec![Vec::new()] };
    let codes: Vec<_> =
        explain_refusal(&query, &who, at(11, 0)).iter().map(|why| why.refusal.code()).collect();
    assert_eq!(codes, ["OUTSIDE_WINDOW", "OUTSIDE_WORKING_HOURS", "NOBODY_TO_CHOOSE"]);
}

#[test]
fn working_hours_follow_the_clock_on_the_wall() {
    let nine = NaiveTime::from_hms_opt(9, 0, 0).unwrap();
    let ten = NaiveTime::from_hms_opt(10, 0, 0).unwrap();
    let spans = vec![WeeklySpan { weekday: Weekday::Sun, from: nine, to: ten }];
    let hours = WorkingHours { zone: berlin(), spans };
    let window = range(day("2026-03-21"), day("2026-04-01"));
    let opened: Vec<_> =
        hours.open_ranges(window).iter().map(|open| open.start.format("%d %H").to_string()).collect();
    assert_eq!(opened, ["22 08", "29 07"]);
}

/// The minutes around `window` that lie in working hours, found by checking the local time of every minute.
fn open_minutes(hours: &WorkingHours, window: TimeRange) -> BTreeSet<Timestamp> {
    let first = window.start - Duration::days(3);
    let length = window.duration().num_minutes() + 6 * 24 * 60;
    let all: Vec<Timestamp> = (0..length).map(|minute| first + Duration::minutes(minute)).collect();
    let wall = |at: &Timestamp| hours.zone.local(*at);
    let walls: Vec<_> = all.iter().map(wall).collect();
    let mut open = BTreeSet::new();
    for date in walls[0].date().iter_days().take(12) {
        for span in hours.spans.iter().filter(|span| span.weekday == date.weekday()) {
            let end = if span.to <= span.from { date + Duration::days(1) } else { date };
            let from = walls.iter().position(|wall| *wall >= date.and_time(span.from)).unwrap_or(all.len());
            let to = walls.iter().rposition(|wall| *wall < end.and_time(span.to)).map_or(0, |last| last + 1);
            open.extend(all.get(from..to).unwrap_or_default());
        }
    }
    open
}

/// The offered slots, found by checking every minute of every candidate.
fn slowly(query: &Query, who: &Participants<usize>) -> Vec<(Timestamp, Vec<Vec<usize>>)> {
    let is_free = |one: &Participant<usize>, needed: TimeRange| {
        one.taken.window().is_some_and(|window| window.contains(&needed))
            && !one.busy.iter().any(|busy| query.counts(busy) && busy.range.overlaps(&needed))
    };
    let minutes = |range: TimeRange| {
        (0..range.duration().num_minutes()).map(move |minute| range.start + Duration::minutes(minute))
    };
    let open: Vec<_> = query.hours.iter().map(|hours| open_minutes(hours, query.window)).collect();
    let mut offered = Vec::new();
    let mut start = query.window.start;
    while query.window.contains(&query.slot(start)) {
        let (slot, needed) = (query.slot(start), query.widened(query.slot(start)));
        let open = open.iter().all(|open| minutes(slot).all(|minute| open.contains(&minute)));
        let free: Vec<Vec<usize>> = who
            .any_of
            .iter()
            .map(|group| group.iter().filter(|one| is_free(one, needed)).map(|one| one.key).collect())
            .collect();
        if open
            && who.required.iter().all(|one| is_free(one, needed))
            && free.iter().all(|free| !free.is_empty())
        {
            offered.push((start, free));
        }
        start += Duration::minutes(i64::from(query.step_minutes.get()));
    }
    offered
}

prop_compose! {
    fn hours()(
        zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        spans in prop::collection::vec((0u8..7, 0u32..1_440, 0u32..1_440), 4..16),
    ) -> WorkingHours {
        let time = |minute: u32| NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0).unwrap();
        let span = |(weekday, from, to): (u8, u32, u32)| {
            WeeklySpan { weekday: Weekday::try_from(weekday).unwrap(), from: time(from), to: time(to) }
        };
        WorkingHours { zone: super::tests::zone(zone), spans: spans.into_iter().map(span).collect() }
    }
}

prop_compose! {
    /// Search windows around the daylight-saving changes of Berlin, New York and Lord Howe.
    fn queries()(
        date in prop::sample::select(vec!["2026-03-28", "2026-10-24", "2026-03-07", "2026-10-31", "2026-04-04", "2026-10-03", "2026-06-01"]),
        offset in 0i64..60, length in 60i64..2_400, duration in 1u32..120, step in 1u32..60,
        before in 0u32..40, after in 0u32..40, tentative_is_taken: bool, on_grid: bool,
        hours in prop::collection::vec(hours(), 0..3),
    ) -> Query {
        let round = |minutes: u32| if on_grid { minutes.next_multiple_of(5) } else { minutes };
        let start = day(date) + Duration::minutes(if on_grid { offset / 5 * 5 } else { offset });
        Query {
            window: range(start, start + Duration::minutes(length)),
            duration_minutes: some(round(duration)), step_minutes: some(round(step)),
            before_minutes: round(before), after_minutes: round(after),
            hours, tentative_is_taken, limit: usize::MAX,
        }
    }
}

fn calendars() -> impl Strategy<Value = Vec<(i64, i64, bool)>> {
    prop::collection::vec((-120i64..2_400, 1i64..240, any::<bool>()), 0..7)
}

fn calendar(key: usize, events: &[(i64, i64, bool)], cut: Option<i64>, query: &Query) -> Participant<usize> {
    let event = |(from, length, firm): &(i64, i64, bool)| {
        let start = query.window.start + Duration::minutes(*from);
        let kind = if *firm { BusyKind::Busy } else { BusyKind::Tentative };
        BusyTime { range: range(start, start + Duration::minutes(*length)), kind }
    };
    let mut one = participant(key, events.iter().map(event).collect(), query);
    if let Some(cut) = cut {
        let known =
            range(query.required_range().start, query.required_range().start + Duration::minutes(cut));
        let counted = one.busy.iter().filter(|busy| query.counts(busy)).map(|busy| busy.range);
        one.taken = Bitmap::from_busy(known, GRID_MINUTES, counted);
    }
    one
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_search_answers_what_the_exact_times_answer(
        query in queries(),
        people in prop::collection::vec(calendars(), 0..4),
        rooms in prop::collection::vec(prop::collection::vec(calendars(), 1..4), 0..3),
        cut in prop::option::weighted(0.2, 1i64..2_400),
    ) {
        let all = |calendars: &[Vec<(i64, i64, bool)>]| -> Vec<Participant<usize>> {
            calendars.iter().enumerate().map(|(key, events)| calendar(key, events, cut.filter(|_| key == 0), &query)).collect()
        };
        let who = Participants { required: all(&people), any_of: rooms.iter().map(|group| all(group)).collect() };
        let found = find(&query, &who);
        let free = |slot: &Slot<usize>| slot.free.iter().map(|free| free.iter().map(|key| **key).collect()).collect();
        let fast: Vec<(Timestamp, Vec<Vec<usize>>)> = found.iter().map(|slot| (slot.range.start, free(slot))).collect();
        prop_assert_eq!(&fast, &slowly(&query, &who));
        let refused = explain_refusals(&query, &who, usize::MAX);
        prop_assert!(refused.iter().all(|refused| fast.iter().all(|(start, _)| *start != refused.range.start)));
        let candidates = (query.window.duration() - minutes(query.duration_minutes.get())).num_minutes().div_euclid(i64::from(query.step_minutes.get())) + 1;
        prop_assert_eq!((refused.len() + fast.len()) as i64, candidates.max(0));
        if !query.needs_exact_times() {
            let blind = |one: &Participant<usize>| Participant { busy: Vec::new(), ..one.clone() };
            let blind = Participants {
                required: who.required.iter().map(blind).collect(),
                any_of: who.any_of.iter().map(|group| group.iter().map(blind).collect()).collect(),
            };
            prop_assert_eq!(find(&query, &blind), found, "on the grid the bitmaps decide alone");
        }
    }
}
