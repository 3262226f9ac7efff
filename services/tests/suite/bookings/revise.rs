//! Moving and cancelling bookings, and the event that is written for them.

use chrono::Duration;
use domain::{TimeRange, Timestamp, state::BookingState};
use providers::AttendeeRole;
use sea_orm::{ColumnTrait, QueryFilter, sea_query::Expr};
use services::{
    Change, Error as ServiceError,
    bookings::{BookingReceipt, Error, Guest, NewBooking, NewTime, build_event},
    change::{BookingChange, WriteTarget},
};

use crate::bookings::setup::{Setup, at, booking, of, range};

fn to(start: Timestamp, end: Timestamp) -> NewTime {
    NewTime {
        start,
        end,
        zone: None,
        ignore_unknown: false,
        on_unreadable: services::availability::UnreadableItemPolicy::Offer,
    }
}

fn code(made: Result<BookingReceipt, Error>) -> &'static str {
    match made {
        Err(Error::Other(ServiceError::Refused(refusal))) => refusal.code,
        Err(error) => error.code(),
        Ok(receipt) => panic!("this was done: {:?}", receipt.booking),
    }
}

/// A booking whose event stands in every calendar.
async fn written(setup: &Setup, new: NewBooking, key: &str) -> BookingReceipt {
    let (organiser, time) = (new.organiser, range(new.start, new.end));
    let receipt = setup.services.bookings().create(&setup.admin().allow().unwrap(), new, key).await.unwrap();
    settle(setup, &receipt, Some(time), BookingState::Confirmed).await;
    let id = receipt.booking.id;
    let booking = setup.services.bookings().get(&setup.admin().allow().unwrap(), id).await.unwrap();
    assert_eq!(booking.organiser_id, organiser);
    BookingReceipt { booking, ..receipt }
}

/// What the workflows write at the end of a run, and the end of the run itself.
async fn settle(setup: &Setup, receipt: &BookingReceipt, time: Option<TimeRange>, state: BookingState) {
    let (tenant, id) = (setup.tenant, receipt.booking.id);
    let whole = setup.services.bookings().details(&setup.services, tenant, id).await.unwrap().unwrap();
    let uid = format!("uid-{id}");
    let own = setup
        .services
        .bookings()
        .build_own_event(&setup.services, &whole, ("provider-id", &uid), time)
        .await
        .unwrap();
    let change = BookingChange {
        id,
        state: Some(state),
        event: Some(("provider-id".to_owned(), uid)),
        time,
        free: time.is_none(),
        ..BookingChange::default()
    };
    setup.change(vec![Change::Booking(change), Change::OwnEvent(own)]).await;
    let txn = setup.services.store.write(tenant).await.unwrap();
    entity::run::update(tenant)
        .filter(entity::run::Column::Id.eq(receipt.run))
        .col_expr(entity::run::Column::FinishedAt, Expr::value(Some(setup.services.now())))
        .exec(&txn)
        .await
        .unwrap();
    txn.commit().await.unwrap();
}

async fn a_booking_moves_onto_a_time_that_overlaps_its_own(setup: &Setup) {
    let (person, room) = (setup.person(&[]).await, setup.room(4, &[]).await);
    let new = NewBooking { rooms: vec![room], ..booking(person, at(10, 0), at(11, 0)) };
    let receipt = written(setup, new, "create").await;
    let id = receipt.booking.id;
    let half_on = to(at(10, 30), at(11, 30));
    let moved = setup
        .services
        .bookings()
        .move_to(&setup.colleague().allow().unwrap(), id, half_on, None, "move")
        .await
        .unwrap();
    assert_eq!(moved.booking.start_at, at(10, 0), "it moves once the calendar says so");
    assert_eq!(setup.occupied(receipt.booking.id).await, 4, "both times are held");
    let early = booking(person, at(10, 0), at(10, 30));
    let made =
        setup.services.bookings().create(&setup.admin().allow().unwrap(), early.clone(), "early").await;
    assert_eq!(code(made), "SLOT_TAKEN", "the old time is held until the move is done");
    settle(setup, &moved, Some(range(at(10, 30), at(11, 30))), BookingState::Confirmed).await;
    assert_eq!(setup.occupied(receipt.booking.id).await, 2);
    setup.services.bookings().create(&setup.admin().allow().unwrap(), early, "early").await.unwrap();
}

async fn a_booking_does_not_move_onto_what_is_taken(setup: &Setup) {
    let (person, other) = (setup.person(&[]).await, setup.person(&[range(at(12, 0), at(13, 0))]).await);
    let receipt =
        written(setup, NewBooking { users: vec![other], ..booking(person, at(10, 0), at(11, 0)) }, "a").await;
    let id = receipt.booking.id;
    let bookings = setup.services.bookings();
    let moved =
        bookings.move_to(&setup.admin().allow().unwrap(), id, to(at(12, 30), at(13, 30)), None, "move").await;
    let Err(Error::SlotTaken(taken)) = moved else { panic!("it is taken") };
    assert_eq!(taken.conflicts.iter().map(|one| one.holder.any()).collect::<Vec<_>>(), [other]);
    assert_eq!(taken.alternatives.len(), 3);
    assert_eq!(setup.occupied(receipt.booking.id).await, 2, "nothing is left of the attempt");
}

async fn a_booking_does_not_move_to_a_time_of_which_nothing_is_known(setup: &Setup) {
    let person = setup.person(&[]).await;
    let id = written(setup, booking(person, at(10, 0), at(11, 0)), "create").await.booking.id;
    let beyond = to(at(10, 0) + Duration::days(40), at(11, 0) + Duration::days(40));
    let bookings = setup.services.bookings();
    let moved = bookings.move_to(&setup.admin().allow().unwrap(), id, beyond, None, "move").await;
    assert_eq!(code(moved), "CALENDAR_UNKNOWN");
    assert_eq!(setup.occupied(id).await, 1, "nothing is left of the attempt");
}

async fn one_change_at_a_time_and_only_of_what_was_seen(setup: &Setup) {
    let person = setup.person(&[]).await;
    let bookings = setup.services.bookings();
    let held = bookings
        .create(&setup.admin().allow().unwrap(), booking(person, at(14, 0), at(15, 0)), "held")
        .await
        .unwrap();
    let id = held.booking.id;
    let later = to(at(16, 0), at(17, 0));
    assert_eq!(
        code(bookings.move_to(&setup.admin().allow().unwrap(), id, later.clone(), None, "a").await),
        "BOOKING_IN_PROGRESS"
    );
    let receipt = written(setup, booking(person, at(10, 0), at(11, 0)), "create").await;
    let (id, version) = (receipt.booking.id, receipt.booking.version);
    let stale =
        bookings.move_to(&setup.admin().allow().unwrap(), id, later.clone(), Some(version - 1), "b").await;
    assert_eq!(code(stale), "VERSION_CONFLICT");
    let moved = bookings
        .move_to(&setup.admin().allow().unwrap(), id, later.clone(), Some(version), "c")
        .await
        .unwrap();
    let again =
        bookings.move_to(&setup.admin().allow().unwrap(), id, later, Some(version), "c").await.unwrap();
    assert_eq!(again.run, moved.run, "a repeated request is answered with the same run");
    let third =
        bookings.move_to(&setup.admin().allow().unwrap(), id, to(at(18, 0), at(19, 0)), None, "d").await;
    assert_eq!(code(third), "BOOKING_IN_PROGRESS");
}

async fn b15_a_colleague_cancels_and_twice_is_once(setup: &Setup) {
    let person = setup.person(&[]).await;
    let receipt = written(setup, booking(person, at(10, 0), at(11, 0)), "create").await;
    let id = receipt.booking.id;
    let bookings = setup.services.bookings();
    let cancelled = bookings.cancel(&setup.colleague().allow().unwrap(), id, "Sorry", "one").await.unwrap();
    let meanwhile = bookings.cancel(&setup.admin().allow().unwrap(), id, "", "two").await.unwrap();
    assert_eq!(meanwhile.run, cancelled.run, "it is being cancelled already");
    settle(setup, &cancelled, None, BookingState::Cancelled).await;
    let again = bookings.cancel(&setup.admin().allow().unwrap(), id, "", "three").await.unwrap();
    assert_eq!((again.booking.state.as_str(), again.run), ("CANCELLED", cancelled.run));
    assert_eq!(setup.occupied(receipt.booking.id).await, 0);
    let moved =
        bookings.move_to(&setup.admin().allow().unwrap(), id, to(at(12, 0), at(13, 0)), None, "move").await;
    assert_eq!(code(moved), "BOOKING_OVER");
    bookings
        .create(&setup.admin().allow().unwrap(), booking(person, at(10, 0), at(11, 0)), "free again")
        .await
        .unwrap();
}

async fn what_is_over_is_not_moved_and_what_is_foreign_does_not_exist(setup: &Setup) {
    let person = setup.person(&[]).await;
    let receipt = written(setup, booking(person, at(7, 0), at(8, 0)), "create").await;
    let id = receipt.booking.id;
    let bookings = setup.services.bookings();
    let past =
        bookings.move_to(&setup.admin().allow().unwrap(), id, to(at(4, 0), at(5, 0)), None, "past").await;
    assert_eq!(code(past), "IN_THE_PAST");
    let other = setup.services.ids.make();
    setup.tenant(other).await;
    let stranger = of(other, "0190a000-0000-7000-8000-00000000000c");
    let later = to(at(10, 0), at(11, 0));
    assert_eq!(
        code(bookings.move_to(&stranger.allow().unwrap(), id, later.clone(), None, "x").await),
        "NOT_FOUND"
    );
    assert_eq!(code(bookings.cancel(&stranger.allow().unwrap(), id, "", "y").await), "NOT_FOUND");
    setup.clock.advance(Duration::hours(3));
    assert_eq!(
        code(bookings.move_to(&setup.admin().allow().unwrap(), id, later, None, "late").await),
        "BOOKING_OVER"
    );
}

async fn s4_7_an_event_of_the_service_account_says_so_and_invites_the_organiser(setup: &Setup) {
    let (organiser, room) = (setup.person(&[]).await, setup.room(4, &[]).await);
    let guests = vec![Guest { name: "Gast".to_owned(), email: "gast@example.com".to_owned() }];
    let text = "Bring your passport".to_owned();
    let new = NewBooking {
        rooms: vec![room],
        guests,
        description: text,
        ..booking(organiser, at(10, 0), at(11, 0))
    };
    let receipt = written(setup, new, "create").await;
    let tenant = setup.tenant;
    let whole = setup
        .services
        .bookings()
        .details(&setup.services, tenant, receipt.booking.id)
        .await
        .unwrap()
        .unwrap();
    let own = setup
        .services
        .bookings()
        .choose_target(&setup.services, tenant, &receipt.booking, &[])
        .await
        .unwrap()
        .unwrap();
    let event = build_event(&whole, &own);
    assert_eq!(
        (event.text.as_str(), event.organiser.address.as_str()),
        ("Bring your passport", own.mailbox.as_str())
    );
    let roles: Vec<_> = event.attendees.iter().map(|one| one.role).collect();
    assert_eq!(roles, [AttendeeRole::Room, AttendeeRole::Required], "the organiser does not invite herself");
    assert_eq!(event.location.as_deref(), Some(whole.participants[1].name.as_str()));
    assert_eq!(event.effect_key, format!("{}-1", receipt.booking.id.uuid().simple()));
    let service = WriteTarget {
        written_via: domain::WrittenVia::ServiceAccount,
        integration: setup.integration,
        service_account: None,
        mailbox: "service@acme.example".to_owned(),
    };
    let event = build_event(&whole, &service);
    let organiser = &whole.participants[0];
    let begin = format!(
        "This booking has been made via a service account\nOrganised by {}\n\nBring your passport",
        organiser.name
    );
    assert_eq!((event.text, event.organiser.address.as_str()), (begin, "service@acme.example"));
    assert_eq!(event.attendees[0].party.address, organiser.address, "S4.8: the organiser is invited");
}

on_both_stores! {
    a_booking_moves_onto_a_time_that_overlaps_its_own,
    a_booking_does_not_move_onto_what_is_taken,
    a_booking_does_not_move_to_a_time_of_which_nothing_is_known,
    one_change_at_a_time_and_only_of_what_was_seen,
    b15_a_colleague_cancels_and_twice_is_once,
    what_is_over_is_not_moved_and_what_is_foreign_does_not_exist,
    s4_7_an_event_of_the_service_account_says_so_and_invites_the_organiser,
}
