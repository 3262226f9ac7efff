//! Free time.

use chrono::{Duration, NaiveTime, Weekday};
use domain::{BusyKind, BusyTime, Id, TimeRange, ids};
use services::{
    Error, PageArgs,
    availability::{
        DayHours, Holder, Query, RoomChoice, SearchResult, UnknownCalendarPolicy, UnreadableItemPolicy,
    },
    bookings::NewBooking,
    rooms,
};

use crate::bookings::setup::{Setup, at, booking, of, range, unreadable};

async fn find(setup: &Setup, query: &Query) -> SearchResult {
    setup.services.availability().find(&setup.admin().allow().unwrap(), query).await.unwrap()
}

fn starts(answer: &SearchResult) -> Vec<String> {
    answer.slots.iter().map(|slot| slot.start.format("%H:%M").to_string()).collect()
}

fn hourly(users: Vec<Id<ids::User>>) -> Query {
    Query { users, step_minutes: 60, ..Query::new(at(9, 0), at(13, 0), 60) }
}

async fn events_occupancy_and_tentative_times_count(setup: &Setup) {
    let busy = setup.person(&[range(at(9, 0), at(9, 30))]).await;
    let maybe = setup.stranger(setup.tenant).await;
    let connection = setup.connection(Some(maybe), None, "FREE_BUSY_ONLY").await;
    setup
        .read_kinds(connection, &[BusyTime { range: range(at(10, 0), at(11, 0)), kind: BusyKind::Tentative }])
        .await;
    let new = NewBooking { buffer_after_minutes: 15, ..booking(busy, at(11, 0), at(11, 45)) };
    setup.services.bookings().create(&setup.admin().allow().unwrap(), new, "key").await.unwrap();
    let query = hourly(vec![busy, maybe]);
    assert_eq!(starts(&find(setup, &query).await), ["12:00"]);
    let generous = Query { tentative_is_busy: false, ..query };
    assert_eq!(starts(&find(setup, &generous).await), ["10:00", "12:00"]);
}

async fn any_of_several_rooms_will_do(setup: &Setup) {
    let person = setup.person(&[]).await;
    let small = setup.room(2, &[]).await;
    let large = setup.room(8, &[range(at(9, 0), at(11, 0))]).await;
    let larger = setup.room(12, &[range(at(10, 0), at(12, 0))]).await;
    let query = |rooms| Query { rooms, ..hourly(vec![person]) };
    let answer = find(setup, &query(RoomChoice::AnyHolding(5))).await;
    let free: Vec<_> = answer.slots.iter().map(|slot| slot.rooms.clone()).collect();
    assert_eq!(starts(&answer), ["09:00", "11:00", "12:00"]);
    assert_eq!(free, [vec![larger], vec![large], vec![large, larger]]);
    assert_eq!(starts(&find(setup, &query(RoomChoice::AnyOf(vec![small, large]))).await).len(), 4);
    assert_eq!(starts(&find(setup, &query(RoomChoice::All(vec![large, larger]))).await), ["12:00"]);
    assert!(find(setup, &query(RoomChoice::AnyHolding(99))).await.slots.is_empty());
}

async fn working_hours_are_local_to_their_zone(setup: &Setup) {
    let person = setup.person(&[]).await;
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let day = DayHours { weekday: Weekday::Mon, from: time(9), to: time(12) };
    let query = Query {
        users: vec![person],
        zone: "Europe/Berlin".to_owned(),
        hours: vec![day],
        step_minutes: 60,
        ..Query::new(at(6, 0), at(6, 0) + Duration::days(3), 60)
    };
    let answer = find(setup, &query).await;
    assert_eq!(starts(&answer), ["07:00", "08:00", "09:00"], "and Tuesday is not worked");
}

async fn b6_an_unknown_calendar_refuses_every_slot_and_says_why(setup: &Setup) {
    let (known, unknown) = (setup.person(&[]).await, setup.stranger(setup.tenant).await);
    let query = hourly(vec![known, unknown]);
    let answer = find(setup, &query).await;
    assert!(answer.slots.is_empty());
    let [one, other] = &answer.participants[..] else { panic!("two take part") };
    assert!(one.known && one.as_of == Some(setup.services.now()) && one.reason.is_none());
    assert!(!other.known && other.connection.is_none() && other.as_of.is_none());
    assert_eq!(other.reason.as_ref().unwrap().code, "CALENDAR_UNKNOWN");
    let whys = setup
        .services
        .availability()
        .explain(&setup.admin().allow().unwrap(), &query, at(9, 0))
        .await
        .unwrap();
    let whys: Vec<_> = whys.iter().map(|why| (why.participant, why.code)).collect();
    assert_eq!(whys, [(Some(Holder::User(unknown)), "CALENDAR_UNKNOWN")]);
    let careless = Query { on_unknown: UnknownCalendarPolicy::Ignore, ..query };
    assert_eq!(find(setup, &careless).await.slots.len(), 4);
    setup.clock.advance(Duration::hours(6) + Duration::seconds(1));
    let later = Query { from: at(13, 0), until: at(15, 0), ..hourly(vec![known]) };
    let answer = find(setup, &later).await;
    assert!(answer.slots.is_empty(), "a copy that is too old is no copy");
    assert_eq!(answer.participants[0].reason.as_ref().unwrap().code, "CALENDAR_UNKNOWN");
}

async fn what_was_read_in_part_is_offered_in_part(setup: &Setup) {
    let person = setup.person(&[]).await;
    let end = at(6, 0) + Duration::days(30);
    let query = Query {
        users: vec![person],
        step_minutes: 60,
        ..Query::new(end - Duration::hours(2), end + Duration::hours(2), 60)
    };
    let answer = find(setup, &query).await;
    assert_eq!(answer.slots.iter().map(|slot| slot.end).max(), Some(end));
    assert_eq!((answer.slots.len(), answer.participants[0].known), (2, false));
}

async fn b6_a_refused_slot_is_explained_per_participant(setup: &Setup) {
    let one = setup.person(&[range(at(9, 10), at(9, 20))]).await;
    let two = setup.person(&[]).await;
    setup
        .services
        .bookings()
        .create(&setup.admin().allow().unwrap(), booking(two, at(9, 30), at(10, 0)), "key")
        .await
        .unwrap();
    let query = hourly(vec![one, two]);
    let availability = setup.services.availability();
    let whys = availability.explain(&setup.admin().allow().unwrap(), &query, at(9, 0)).await.unwrap();
    let codes: Vec<_> = whys.iter().map(|why| (why.participant, why.code)).collect();
    assert_eq!(codes, [(Some(Holder::User(one)), "BUSY"), (Some(Holder::User(two)), "BUSY")]);
    assert!(whys.iter().all(|why| why.as_of == Some(setup.services.now())));
    let said = |message| messages::render_message(message, messages::Language::English, None);
    assert!(
        !whys.iter().any(|why| said(&why.message).contains("Meeting")),
        "nobody learns what the time is taken by"
    );
    assert!(
        availability.explain(&setup.admin().allow().unwrap(), &query, at(10, 0)).await.unwrap().is_empty()
    );
    let outside = availability.explain(&setup.admin().allow().unwrap(), &query, at(12, 30)).await.unwrap();
    assert_eq!(outside.iter().map(|why| why.code).collect::<Vec<_>>(), ["OUTSIDE_WINDOW"]);
}

async fn what_is_wrong_with_a_search_is_said(setup: &Setup) {
    let person = setup.person(&[]).await;
    let good = hourly(vec![person]);
    let other: Id<ids::Tenant> = setup.services.ids.make();
    setup.tenant(other).await;
    let foreign = setup.stranger(other).await;
    let many = (0..101).map(|_| setup.services.ids.make()).collect();
    let wrong = [
        (Query { until: at(9, 0), ..good.clone() }, "END_BEFORE_START"),
        (Query { until: at(9, 0) + Duration::days(63), ..good.clone() }, "WINDOW_TOO_LARGE"),
        (Query { zone: "CEST-ish".to_owned(), ..good.clone() }, "ZONE_UNKNOWN"),
        (Query { users: many, ..good.clone() }, "TOO_MANY_PARTICIPANTS"),
        (Query { users: vec![person, foreign], ..good.clone() }, "NOT_FOUND"),
        (Query { rooms: RoomChoice::All(vec![setup.services.ids.make()]), ..good.clone() }, "NOT_FOUND"),
        (Query { duration_minutes: 0, ..good.clone() }, "DURATION_OUT_OF_RANGE"),
        (Query { users: Vec::new(), ..good }, "PARTICIPANTS_MISSING"),
    ];
    for (query, expected) in wrong {
        match setup.services.availability().find(&setup.admin().allow().unwrap(), &query).await {
            Err(Error::Refused(refusal)) => assert_eq!(refusal.code, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

/// The same question answered by looking at every minute's events.
fn merged(query: &Query, busy: &[Vec<TimeRange>], now: chrono::DateTime<chrono::Utc>) -> Vec<TimeRange> {
    let minutes = |minutes: u32| Duration::minutes(i64::from(minutes));
    let candidates =
        std::iter::successors(Some(query.from), |start| Some(*start + minutes(query.step_minutes)));
    candidates
        .map(|start| range(start, start + minutes(query.duration_minutes)))
        .take_while(|slot| slot.end <= query.until)
        .filter(|slot| {
            let needed =
                slot.widened(minutes(query.buffer_before_minutes), minutes(query.buffer_after_minutes));
            slot.start >= now && !busy.iter().flatten().any(|busy| busy.overlaps(&needed))
        })
        .take(query.max_slots)
        .collect()
}

async fn the_answer_is_that_of_a_merge_of_exact_times(setup: &Setup) {
    let ids = &setup.services.ids;
    let mut odd = 0;
    for round in 0..12_u32 {
        let (mut users, mut busy) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let mut ranges = Vec::new();
            for _ in 0..ids.random_below(12) {
                let from = at(6, 0) + Duration::minutes(ids.random_below(2_880).cast_signed());
                ranges.push(range(from, from + Duration::minutes(1 + ids.random_below(120).cast_signed())));
            }
            users.push(setup.person(&ranges).await);
            busy.push(ranges);
        }
        let below = |most: u64| u32::try_from(ids.random_below(most)).unwrap();
        let on_grid = round % 2 == 0;
        let scale = if on_grid { 5 } else { 1 };
        let query = Query {
            users,
            step_minutes: scale * (1 + below(6)),
            buffer_before_minutes: scale * below(4),
            buffer_after_minutes: scale * below(4),
            max_slots: 1_000,
            ..Query::new(at(5, 0), at(54, 0), scale * (1 + below(12)))
        };
        let slots: Vec<_> =
            find(setup, &query).await.slots.iter().map(|slot| range(slot.start, slot.end)).collect();
        assert_eq!(slots, merged(&query, &busy, setup.services.now()), "{query:?}");
        odd += usize::from(!on_grid && !slots.is_empty());
    }
    assert!(odd > 0, "candidates off the grid were offered too");
}

async fn rooms_are_listed_by_what_they_are(setup: &Setup) {
    let (small, large) = (setup.room(2, &[]).await, setup.room(8, &[]).await);
    let rooms = setup.services.rooms();
    let by = setup.admin();
    let listed = async |filter| {
        let page = rooms.list(&by.allow().unwrap(), filter, PageArgs::default()).await.unwrap();
        page.items.iter().map(|room| room.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(rooms::Filter::default()).await, [small, large]);
    let spacious =
        rooms::Filter { min_capacity: Some(5), building: Some("North".to_owned()), ..Default::default() };
    assert_eq!(listed(spacious).await, [large]);
    let elsewhere = rooms::Filter { building: Some("South".to_owned()), ..Default::default() };
    assert!(listed(elsewhere).await.is_empty());
    let stranger = of(setup.services.ids.make(), "0190a000-0000-7000-8000-00000000000c");
    assert_eq!(rooms.get(&stranger.allow().unwrap(), small).await.unwrap_err().code(), "NOT_FOUND");
    assert_eq!(rooms.by_ids(setup.services.tenant_scope(setup.tenant), &[large]).await.unwrap().len(), 1);
}

async fn items_of_which_nothing_is_known_are_counted_and_refuse_only_whoever_asks_for_it(setup: &Setup) {
    let person = setup.stranger(setup.tenant).await;
    let connection = setup.connection(Some(person), None, "ACTIVE").await;
    let room = setup.room(4, &[]).await;
    let busy = BusyTime { range: range(at(9, 0), at(10, 0)), kind: BusyKind::Busy };
    setup.read_with(connection, &[busy], &[unreadable("a", false), unreadable("b", true)]).await;
    let offer = Query { rooms: RoomChoice::All(vec![room]), ..hourly(vec![person]) };
    let answer = find(setup, &offer).await;
    assert_eq!(starts(&answer), ["10:00", "11:00", "12:00"]);
    let [one, other] = &answer.participants[..] else { panic!("two take part") };
    assert_eq!((one.known, one.unreadable, one.reason.is_none()), (true, 1, true));
    assert_eq!((other.known, other.unreadable), (true, 0));

    let strict = Query { on_unreadable: UnreadableItemPolicy::Refuse, ..offer.clone() };
    for on_unknown in [UnknownCalendarPolicy::Refuse, UnknownCalendarPolicy::Ignore] {
        let strict = Query { on_unknown, ..strict.clone() };
        let answer = find(setup, &strict).await;
        assert!(answer.slots.is_empty(), "{on_unknown:?}");
        let status = &answer.participants[0];
        assert_eq!((status.known, status.unreadable), (false, 1));
        assert_eq!(status.reason.as_ref().unwrap().code, "CALENDAR_UNREADABLE");
        let whys = setup
            .services
            .availability()
            .explain(&setup.admin().allow().unwrap(), &strict, at(10, 0))
            .await
            .unwrap();
        let whys: Vec<_> = whys.iter().map(|why| (why.participant, why.code)).collect();
        assert_eq!(whys, [(Some(Holder::User(person)), "CALENDAR_UNREADABLE")], "{on_unknown:?}");
    }

    let bookings = setup.services.bookings();
    let new = booking(person, at(10, 0), at(11, 0));
    let strict =
        NewBooking { on_unreadable: UnreadableItemPolicy::Refuse, ignore_unknown: true, ..new.clone() };
    let refused = bookings.create(&setup.admin().allow().unwrap(), strict, "strict").await.unwrap_err();
    assert_eq!(code(&refused), Some("CALENDAR_UNREADABLE"));
    bookings.create(&setup.admin().allow().unwrap(), new, "as usual").await.unwrap();

    setup.read_with(connection, &[busy], &[unreadable("b", true)]).await;
    let strict = Query { on_unreadable: UnreadableItemPolicy::Refuse, ..offer };
    assert_eq!(starts(&find(setup, &strict).await), ["11:00", "12:00"], "what blocks is known well enough");
}

async fn a_second_connection_without_unreadable_items_is_preferred(setup: &Setup) {
    let person = setup.stranger(setup.tenant).await;
    for items in [&[unreadable("a", false)][..], &[]] {
        let connection = setup.connection(Some(person), None, "ACTIVE").await;
        setup.read_with(connection, &[], items).await;
    }
    let strict = Query { on_unreadable: UnreadableItemPolicy::Refuse, ..hourly(vec![person]) };
    let answer = find(setup, &strict).await;
    assert_eq!((answer.slots.len(), answer.participants[0].unreadable), (4, 0));
}

fn code(error: &services::bookings::Error) -> Option<&str> {
    match error {
        services::bookings::Error::Other(Error::Refused(refusal)) => Some(refusal.code),
        _ => None,
    }
}

on_both_stores! {
    items_of_which_nothing_is_known_are_counted_and_refuse_only_whoever_asks_for_it,
    a_second_connection_without_unreadable_items_is_preferred,
    events_occupancy_and_tentative_times_count,
    any_of_several_rooms_will_do,
    working_hours_are_local_to_their_zone,
    b6_an_unknown_calendar_refuses_every_slot_and_says_why,
    what_was_read_in_part_is_offered_in_part,
    b6_a_refused_slot_is_explained_per_participant,
    what_is_wrong_with_a_search_is_said,
    the_answer_is_that_of_a_merge_of_exact_times,
    rooms_are_listed_by_what_they_are,
}
