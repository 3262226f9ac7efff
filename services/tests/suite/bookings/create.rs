//! Making bookings.

use std::collections::BTreeSet;

use chrono::Duration;
use domain::{
    Id, ids,
    state::{BookingState, ServiceAccountStatus},
};
use services::{
    Change, Error as ServiceError, PageArgs,
    availability::Holder,
    bookings::{BookingReceipt, Error, Filter, Guest, NewBooking},
    change::{BookingChange, WriteTarget},
};
use tokio::task::JoinSet;

use crate::bookings::setup::{Setup, at, booking, of, range};

async fn create(setup: &Setup, new: NewBooking, key: &str) -> Result<BookingReceipt, Error> {
    setup.services.bookings().create(&setup.admin().allow().unwrap(), new, key).await
}

/// The code and the field of a refusal.
fn refused(made: Result<BookingReceipt, Error>) -> (&'static str, Option<&'static str>) {
    match made {
        Err(Error::Other(ServiceError::Refused(refusal))) => (refusal.code, refusal.field),
        Err(error) => (error.code(), None),
        Ok(receipt) => panic!("this was booked: {:?}", receipt.booking),
    }
}

async fn s4_13_an_integration_may_have_several_service_accounts_in_an_order(setup: &Setup) {
    let organiser = setup.stranger(setup.tenant).await;
    setup.service_mailbox().await;
    let (now, second) = (setup.services.now(), "second@acme.example");
    let account = entity::service_account::Model {
        id: setup.services.ids.make(),
        tenant_id: setup.tenant,
        integration_id: setup.integration,
        address: second.to_owned(),
        name: "Second".to_owned(),
        status: ServiceAccountStatus::Active.into(),
        position: 1,
        verified_at: Some(now),
        created_at: now,
    };
    setup.insert(setup.tenant, entity::service_account::ActiveModel::from(account)).await;
    let scope = setup.services.tenant_scope(setup.tenant);
    let listed =
        setup.services.service_accounts().of_integrations(scope, &[setup.integration]).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|row| (row.address.as_str(), row.status.as_str())).collect();
    assert_eq!(listed, [("service@acme.example", "ACTIVE"), (second, "ACTIVE")]);
    let receipt = create(setup, booking(organiser, at(10, 0), at(11, 0)), "one").await.unwrap();
    let first = route(setup, &receipt.booking).await;
    assert_eq!(first.mailbox, "service@acme.example", "one is enough");
    let without = [first.mailbox];
    let bookings = setup.services.bookings();
    let next = bookings.choose_target(&setup.services, setup.tenant, &receipt.booking, &without).await;
    let next = next.unwrap().unwrap();
    assert_eq!((next.written_via.as_str(), next.mailbox.as_str()), ("SERVICE_ACCOUNT", second));
    let none = [without[0].clone(), second.to_owned()];
    let none = bookings.choose_target(&setup.services, setup.tenant, &receipt.booking, &none).await;
    assert!(none.unwrap().is_none());
}

async fn of_fifty_who_want_one_slot_exactly_one_gets_it(setup: &Setup) {
    let room = setup.room(4, &[]).await;
    let mut callers = JoinSet::new();
    for n in 0..50 {
        let organiser = setup.person(&[]).await;
        let (services, admin) = (setup.services.clone(), setup.admin());
        let new = NewBooking { rooms: vec![room], ..booking(organiser, at(10, 0), at(11, 0)) };
        callers.spawn(async move {
            services.bookings().create(&admin.allow().unwrap(), new, &format!("key-{n}")).await
        });
    }
    let made = callers.join_all().await;
    let winners = made.iter().filter(|made| made.is_ok()).count();
    let losers = made.iter().filter(|made| matches!(made, Err(Error::SlotTaken(_)))).count();
    let others: Vec<_> =
        made.iter().filter_map(|made| made.as_ref().err()).filter(|e| e.code() != "SLOT_TAKEN").collect();
    assert_eq!((winners, losers), (1, 49), "{others:?}");
    for taken in made.into_iter().filter_map(Result::err) {
        let Error::SlotTaken(taken) = taken else { continue };
        assert_eq!(taken.conflicts.len(), 1);
        assert_eq!(taken.conflicts[0].holder.room(), Some(room));
    }
}

async fn overlapping_sets_of_holders_neither_deadlock_nor_overlap(setup: &Setup) {
    let mut people = Vec::new();
    for _ in 0..6 {
        people.push(setup.person(&[]).await);
    }
    let mut callers = JoinSet::new();
    for n in 0..30_usize {
        let (services, admin) = (setup.services.clone(), setup.admin());
        let users = vec![people[(n * 5 + 1) % 6], people[(n * 3 + 2) % 6]];
        let new = NewBooking { users, ..booking(people[n % 6], at(10, 0), at(11, 0)) };
        callers.spawn(async move {
            services.bookings().create(&admin.allow().unwrap(), new, &format!("key-{n}")).await
        });
    }
    let mut held = BTreeSet::new();
    for made in callers.join_all().await {
        match made {
            Ok(receipt) => {
                let booking = receipt.booking.id;
                for one in setup
                    .services
                    .bookings()
                    .participants_of(setup.services.tenant_scope(setup.tenant), &[booking])
                    .await
                    .unwrap()
                {
                    assert!(held.insert(one.user_id), "somebody was booked twice");
                }
            }
            Err(error) => assert_eq!(error.code(), "SLOT_TAKEN", "{error:?}"),
        }
    }
    // The second and the fifth person together stand in the way of everybody else.
    assert!(held.len() >= 2, "at least one booking came about");
}

async fn bookings_that_touch_are_both_made_and_buffers_keep_them_apart(setup: &Setup) {
    let person = setup.person(&[]).await;
    create(setup, booking(person, at(10, 0), at(11, 0)), "one").await.unwrap();
    create(setup, booking(person, at(11, 0), at(12, 0)), "two").await.unwrap();
    let buffered = NewBooking { buffer_before_minutes: 15, ..booking(person, at(12, 0), at(13, 0)) };
    assert_eq!(refused(create(setup, buffered.clone(), "three").await).0, "SLOT_TAKEN");
    let later = NewBooking { start: at(12, 15), end: at(13, 0), buffer_after_minutes: 30, ..buffered };
    create(setup, later, "four").await.unwrap();
    assert_eq!(refused(create(setup, booking(person, at(13, 15), at(14, 0)), "five").await).0, "SLOT_TAKEN");
    create(setup, booking(person, at(13, 30), at(14, 0)), "six").await.unwrap();
}

async fn a_taken_slot_says_who_and_names_the_nearest_free_times(setup: &Setup) {
    let organiser = setup.person(&[range(at(9, 0), at(10, 0))]).await;
    let guest = setup.person(&[range(at(10, 30), at(11, 30))]).await;
    let new = NewBooking { users: vec![guest], ..booking(organiser, at(10, 0), at(11, 0)) };
    let Err(Error::SlotTaken(taken)) = create(setup, new, "key").await else { panic!("it is taken") };
    let conflicts: Vec<_> = taken.conflicts.iter().map(|one| (one.holder, one.code)).collect();
    assert_eq!(conflicts, [(Holder::User(guest), "BUSY")]);
    let free = [range(at(8, 0), at(9, 0)), range(at(11, 30), at(12, 30)), range(at(11, 45), at(12, 45))];
    assert_eq!(taken.alternatives, free);
}

async fn s1_14_a_calendar_of_which_nothing_fresh_is_known_is_not_booked(setup: &Setup) {
    let (person, other) = (setup.person(&[]).await, setup.stranger(setup.tenant).await);
    let with = |users| NewBooking { users, ..booking(person, at(10, 0), at(11, 0)) };
    assert_eq!(refused(create(setup, with(vec![other]), "a").await), ("CALENDAR_UNKNOWN", Some("userIds")));
    setup.connection(Some(other), None, "VERIFYING").await;
    setup.service_mailbox().await;
    let made = create(setup, with(vec![other]), "a").await;
    assert_eq!(refused(made), ("CALENDAR_UNKNOWN", Some("userIds")), "it will be known in a moment");
    create(setup, NewBooking { ignore_unknown: true, ..with(vec![other]) }, "b").await.unwrap();
    setup.clock.advance(Duration::hours(7));
    let new = booking(person, at(15, 0), at(16, 0));
    assert_eq!(refused(create(setup, new, "c").await), ("CALENDAR_UNKNOWN", Some("userIds")), "too old");
}

async fn a_time_beyond_what_was_read_is_not_booked(setup: &Setup) {
    let person = setup.person(&[]).await;
    let new = booking(person, at(10, 0) + Duration::days(40), at(11, 0) + Duration::days(40));
    assert_eq!(refused(create(setup, new, "key").await).0, "CALENDAR_UNKNOWN");
}

async fn an_unreachable_room_is_never_booked(setup: &Setup) {
    let (person, room) = (setup.person(&[]).await, setup.room(4, &[]).await);
    setup.clock.advance(Duration::hours(7));
    let fresh = setup.person(&[]).await;
    let new = NewBooking { rooms: vec![room], ignore_unknown: true, ..booking(fresh, at(15, 0), at(16, 0)) };
    assert_eq!(refused(create(setup, new, "key").await), ("CALENDAR_UNKNOWN", Some("roomIds")));
    let new = NewBooking { ignore_unknown: true, ..booking(person, at(15, 0), at(16, 0)) };
    create(setup, new, "people may be ignored").await.unwrap();
}

async fn s4_6_an_organiser_without_a_mailbox_is_booked_through_the_service_account_and_told_so_once(
    setup: &Setup,
) {
    let organiser = setup.stranger(setup.tenant).await;
    let first = booking(organiser, at(10, 0), at(11, 0));
    assert_eq!(refused(create(setup, first.clone(), "one").await).0, "CALENDAR_UNKNOWN");
    let careless = NewBooking { ignore_unknown: true, ..first.clone() };
    assert_eq!(refused(create(setup, careless, "two").await), ("NO_CALENDAR_TO_WRITE", Some("organiserId")));
    setup.service_mailbox().await;
    let receipt = create(setup, first.clone(), "three").await.unwrap();
    assert_eq!(receipt.notice.as_deref(), Some(services::bookings::SERVICE_ACCOUNT_NOTICE));
    assert_eq!(
        refused(create(setup, first, "four").await).0,
        "SLOT_TAKEN",
        "the slot is blocked all the same"
    );
    let via = route(setup, &receipt.booking).await;
    assert_eq!((via.written_via.as_str(), via.mailbox.as_str()), ("SERVICE_ACCOUNT", "service@acme.example"));
    let written = BookingChange { id: receipt.booking.id, via: Some(via), ..BookingChange::default() };
    setup.change(vec![Change::Booking(written)]).await;
    let second = create(setup, booking(organiser, at(12, 0), at(13, 0)), "five").await.unwrap();
    assert_eq!(second.notice, None, "said once");
}

/// The calendar to which a booking is written while no mailbox has refused it.
async fn route(setup: &Setup, booking: &entity::booking::Model) -> WriteTarget {
    let found = setup.services.bookings().choose_target(&setup.services, setup.tenant, booking, &[]).await;
    found.unwrap().unwrap()
}

async fn s4_6_an_organiser_whose_calendar_can_be_written_keeps_it(setup: &Setup) {
    setup.service_mailbox().await;
    let organiser = setup.person(&[]).await;
    let receipt = create(setup, booking(organiser, at(10, 0), at(11, 0)), "one").await.unwrap();
    assert_eq!(receipt.notice, None);
    let via = route(setup, &receipt.booking).await;
    assert_eq!(via.written_via.as_str(), "ORGANISER");
    let refusing = [via.mailbox];
    let via = setup
        .services
        .bookings()
        .choose_target(&setup.services, setup.tenant, &receipt.booking, &refusing)
        .await
        .unwrap();
    assert_eq!(via.unwrap().written_via.as_str(), "SERVICE_ACCOUNT");
}

async fn a_repeated_request_is_answered_with_the_same_booking_and_run(setup: &Setup) {
    let person = setup.person(&[]).await;
    let new = booking(person, at(10, 0), at(11, 0));
    let first = create(setup, new.clone(), "key").await.unwrap();
    setup.clock.advance(Duration::hours(8));
    let again = create(setup, new.clone(), "key").await.unwrap();
    assert_eq!((again.booking.id, again.run), (first.booking.id, first.run), "even when the time has passed");
    let other = NewBooking { title: "Another".to_owned(), ..new.clone() };
    assert_eq!(refused(create(setup, other, "key").await).0, "IDEMPOTENCY_MISMATCH");
    assert_eq!(refused(create(setup, new, "another key").await), ("IN_THE_PAST", Some("start")));
}

async fn a_refused_request_leaves_nothing_and_its_key_may_be_used_again(setup: &Setup) {
    let (person, other) = (setup.person(&[]).await, setup.person(&[range(at(10, 0), at(11, 0))]).await);
    let new = NewBooking { users: vec![other], ..booking(person, at(10, 0), at(11, 0)) };
    assert_eq!(refused(create(setup, new, "key").await).0, "SLOT_TAKEN");
    let receipt = create(setup, booking(person, at(10, 0), at(11, 0)), "key").await.unwrap();
    assert_eq!(setup.occupied(receipt.booking.id).await, 1);
    let all = setup
        .services
        .bookings()
        .list(&setup.admin().allow().unwrap(), Filter::default(), PageArgs::default())
        .await;
    assert_eq!(all.unwrap().items, [receipt.booking]);
}

async fn ids_of_another_tenant_do_not_exist(setup: &Setup) {
    let other: Id<ids::Tenant> = setup.services.ids.make();
    setup.tenant(other).await;
    let foreign = setup.stranger(other).await;
    let person = setup.person(&[]).await;
    let new = booking(person, at(10, 0), at(11, 0));
    let made = create(setup, booking(foreign, at(10, 0), at(11, 0)), "a").await;
    assert_eq!(refused(made), ("NOT_FOUND", Some("organiserId")));
    let made = create(setup, NewBooking { users: vec![foreign], ..new.clone() }, "b").await;
    assert_eq!(refused(made), ("NOT_FOUND", Some("userIds")));
    let made = create(setup, NewBooking { rooms: vec![setup.services.ids.make()], ..new.clone() }, "c").await;
    assert_eq!(refused(made), ("NOT_FOUND", Some("roomIds")));
    let receipt = create(setup, new, "d").await.unwrap();
    let stranger = of(other, "0190a000-0000-7000-8000-00000000000c");
    let seen = setup.services.bookings().get(&stranger.allow().unwrap(), receipt.booking.id).await;
    assert_eq!(seen.unwrap_err().code(), "NOT_FOUND");
}

async fn what_is_wrong_with_a_booking_is_said_with_its_field(setup: &Setup) {
    let person = setup.person(&[]).await;
    let good = booking(person, at(10, 0), at(11, 0));
    let guest = |email: &str| vec![Guest { name: "Guest".to_owned(), email: email.to_owned() }];
    let wrong = [
        (NewBooking { title: "  ".to_owned(), ..good.clone() }, ("TITLE_MISSING", Some("title"))),
        (NewBooking { title: "x".repeat(256), ..good.clone() }, ("TITLE_TOO_LONG", Some("title"))),
        (NewBooking { end: at(10, 0), ..good.clone() }, ("END_BEFORE_START", Some("end"))),
        (NewBooking { start: at(5, 0), ..good.clone() }, ("IN_THE_PAST", Some("start"))),
        (NewBooking { end: at(35, 0), ..good.clone() }, ("TOO_LONG", Some("end"))),
        (NewBooking { zone: "Mars/Olympus".to_owned(), ..good.clone() }, ("ZONE_UNKNOWN", Some("timeZone"))),
        (NewBooking { guests: guest("nobody"), ..good.clone() }, ("EMAIL_MALFORMED", Some("guests"))),
        (
            NewBooking { buffer_after_minutes: 241, ..good.clone() },
            ("BUFFER_OUT_OF_RANGE", Some("bufferAfterMinutes")),
        ),
    ];
    for (n, (new, expected)) in wrong.into_iter().enumerate() {
        assert_eq!(refused(create(setup, new, &format!("key-{n}")).await), expected);
    }
}

async fn a_booking_holds_everybody_and_orders_its_run(setup: &Setup) {
    let (organiser, other, room) =
        (setup.person(&[]).await, setup.person(&[]).await, setup.room(4, &[]).await);
    let guests = vec![Guest { name: "Gast".to_owned(), email: "Gast@Example.com".to_owned() }];
    let new = NewBooking {
        users: vec![other, organiser, other],
        rooms: vec![room],
        guests,
        ..booking(organiser, at(10, 0), at(11, 0))
    };
    let receipt = create(setup, new, "key").await.unwrap();
    assert_eq!(receipt.booking.state, BookingState::Held);
    let id = receipt.booking.id;
    let rows = setup
        .services
        .bookings()
        .participants_of(setup.services.tenant_scope(setup.tenant), &[id])
        .await
        .unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.user_id, row.room_id)).collect();
    let expected = [
        ("USER", Some(organiser), None),
        ("USER", Some(other), None),
        ("ROOM", None, Some(room)),
        ("GUEST", None, None),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(rows[3].address, "gast@example.com");
    assert_eq!(setup.occupied(receipt.booking.id).await, 3, "guests hold nothing");
    let runs =
        setup.services.bookings().live_runs(&setup.services, setup.tenant, receipt.booking.id).await.unwrap();
    let runs: Vec<_> = runs.iter().map(|run| (run.id, run.workflow.as_str())).collect();
    assert_eq!(runs, [(receipt.run, "write_booking")]);
}

on_both_stores! {
    of_fifty_who_want_one_slot_exactly_one_gets_it,
    overlapping_sets_of_holders_neither_deadlock_nor_overlap,
    bookings_that_touch_are_both_made_and_buffers_keep_them_apart,
    a_taken_slot_says_who_and_names_the_nearest_free_times,
    s1_14_a_calendar_of_which_nothing_fresh_is_known_is_not_booked,
    a_time_beyond_what_was_read_is_not_booked,
    an_unreachable_room_is_never_booked,
    s4_6_an_organiser_without_a_mailbox_is_booked_through_the_service_account_and_told_so_once,
    s4_6_an_organiser_whose_calendar_can_be_written_keeps_it,
    a_repeated_request_is_answered_with_the_same_booking_and_run,
    a_refused_request_leaves_nothing_and_its_key_may_be_used_again,
    ids_of_another_tenant_do_not_exist,
    what_is_wrong_with_a_booking_is_said_with_its_field,
    a_booking_holds_everybody_and_orders_its_run,
    s4_13_an_integration_may_have_several_service_accounts_in_an_order,
}
