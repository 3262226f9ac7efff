//! Bookings that are moved or cancelled, and what remains when the calendar system refuses.

use chrono::Duration;
use domain::state::RunStatus;
use providers::memory::{FaultTiming, Method};
use services::bookings::NewBooking;

use crate::{
    booking_runs::Apps,
    calendar::{busy, calls, out_of_scope, refused},
    setup::{at, booking, range},
};

pub async fn a_move_changes_the_event_and_frees_the_old_time(apps: Apps) {
    let app = apps.make().await;
    let (organiser, room) = (app.setup.person(&[]).await, app.setup.room(4, &[]).await);
    let receipt =
        app.book(NewBooking { rooms: vec![room], ..booking(organiser, at(10, 0), at(11, 0)) }).await;
    let id = receipt.booking.id;
    app.work().await;
    assert_eq!(app.state(id).await, "ROOM_PENDING");
    let moved = app.move_to(id, 14, 15, "move").await;
    app.work().await;
    app.setup.clock.advance(Duration::seconds(1));
    app.work().await;
    assert_eq!(app.status(moved.run).await, RunStatus::Done.as_str(), "who waited for the room made way");
    assert_eq!(app.status(receipt.run).await, RunStatus::Done.as_str());
    let row = app.booking(id).await;
    assert_eq!((row.start_at, row.end_at, row.state.as_str()), (at(14, 0), at(15, 0), "ROOM_PENDING"));
    assert_eq!(app.calendars.events()[0].1.range, range(at(14, 0), at(15, 0)));
    assert_eq!((app.setup.occupied(id).await, app.copies().await), (2, 2));
    let changes = app.changes(id).await;
    let changes: Vec<_> = changes.iter().map(|row| (row.what.as_str(), row.old_start)).collect();
    assert_eq!(changes, [("MOVED", at(10, 0))]);
    app.move_to(id, 16, 17, "again").await;
    app.work_through(id).await;
    assert_eq!(app.booking(id).await.start_at, at(16, 0), "it may be moved while the room is waited for");
}

pub async fn a_move_that_is_refused_leaves_everything_where_it_was(apps: Apps) {
    for when in [FaultTiming::Before, FaultTiming::After] {
        let app = apps.make().await;
        let organiser = app.setup.person(&[]).await;
        let receipt = app.book(booking(organiser, at(10, 0), at(11, 0))).await;
        let id = receipt.booking.id;
        app.work().await;
        app.calendars.fail_next(Method::Update, when, refused());
        let moved = app.move_to(id, 14, 15, "move").await;
        app.work_through(id).await;
        let row = app.booking(id).await;
        assert_eq!((row.start_at, row.state.as_str()), (at(10, 0), "CONFIRMED"), "{when:?}");
        assert_eq!(app.code(id).await.as_deref(), Some("PROVIDER_REFUSED"));
        assert_eq!(app.calendars.events()[0].1.range, range(at(10, 0), at(11, 0)), "{when:?}");
        assert_eq!(app.setup.occupied(id).await, 1);
        assert_eq!(app.status(moved.run).await, RunStatus::Failed.as_str());
        let again = app.setup.services.bookings();
        again
            .create(&app.setup.admin().allow().unwrap(), booking(organiser, at(14, 0), at(15, 0)), "free")
            .await
            .unwrap();
    }
}

pub async fn a_failed_move_that_is_retried_does_not_take_a_time_that_was_given_away(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    let receipt = app.book(booking(organiser, at(10, 0), at(11, 0))).await;
    let id = receipt.booking.id;
    app.work().await;
    app.calendars.fail_next(Method::Update, FaultTiming::Before, refused());
    let moved = app.move_to(id, 14, 15, "move").await;
    app.work_through(id).await;
    let (bookings, admin) = (app.setup.services.bookings(), app.setup.admin());
    bookings
        .create(&admin.allow().unwrap(), booking(organiser, at(14, 0), at(15, 0)), "faster")
        .await
        .unwrap();
    app.setup.services.runs().retry(&admin.allow().unwrap(), moved.run).await.unwrap();
    app.work_through(id).await;
    assert_eq!(
        (app.status(moved.run).await.as_str(), app.code(id).await.as_deref()),
        ("FAILED", Some("SLOT_TAKEN"))
    );
    assert_eq!((app.booking(id).await.start_at, app.setup.occupied(id).await), (at(10, 0), 1));
    assert_eq!(app.calendars.events()[0].1.range, range(at(10, 0), at(11, 0)));
}

pub async fn s4_14_a_booking_stays_in_the_calendar_of_the_service_account_that_made_it(apps: Apps) {
    let app = apps.make().await;
    app.setup.service_mailbox().await;
    let organiser = app.setup.stranger(app.setup.tenant).await;
    let receipt = app.book(booking(organiser, at(10, 0), at(11, 0))).await;
    let id = receipt.booking.id;
    app.work().await;
    let (integration, address) = (app.setup.integration, "new@acme.example".to_owned());
    let change = services::Change::ServiceMailbox { integration, address, name: "New".to_owned() };
    app.setup.change(vec![change]).await;
    app.move_to(id, 14, 15, "move").await;
    app.work_through(id).await;
    let (mailbox, event) = app.calendars.events().remove(0);
    assert_eq!((mailbox.as_str(), event.range), ("service@acme.example", range(at(14, 0), at(15, 0))));
    app.cancel(id).await;
    app.work_through(id).await;
    assert_eq!((app.state(id).await.as_str(), app.calendars.events().len()), ("CANCELLED", 0));
}

pub async fn a_cancellation_takes_the_event_out_and_frees_the_time(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    let receipt = app.book(booking(organiser, at(10, 0), at(11, 0))).await;
    let id = receipt.booking.id;
    app.calendars.fail_next(Method::Cancel, FaultTiming::After, busy());
    let cancelled = app.cancel(id).await;
    app.work_through(id).await;
    assert_eq!(app.state(id).await, "CANCELLED", "it was ordered while the event was being written");
    assert_eq!(app.status(cancelled.run).await, RunStatus::Done.as_str());
    assert_eq!((app.calendars.events().len(), app.setup.occupied(id).await, app.copies().await), (0, 0, 0));
    let changes = app.changes(id).await;
    assert_eq!(changes.iter().map(|row| row.what.as_str()).collect::<Vec<_>>(), ["CANCELLED"]);
    assert_eq!(calls(&app.calendars, Method::Create), 1, "the write had ended before");
}

pub async fn an_event_that_is_gone_is_cancelled_and_is_not_moved(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    let receipt = app.book(booking(organiser, at(10, 0), at(11, 0))).await;
    let id = receipt.booking.id;
    app.work().await;
    app.calendars.delete_written_events();
    app.move_to(id, 14, 15, "move").await;
    app.work_through(id).await;
    assert_eq!(
        (app.booking(id).await.start_at, app.code(id).await.as_deref()),
        (at(10, 0), Some("EVENT_GONE"))
    );
    assert_eq!((app.state(id).await.as_str(), app.setup.occupied(id).await), ("MISSING", 0));
    app.cancel(id).await;
    app.work_through(id).await;
    assert_eq!(app.state(id).await, "CANCELLED");
}

pub async fn a_cancellation_that_is_refused_leaves_the_booking_and_says_why(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    let receipt = app.book(booking(organiser, at(10, 0), at(11, 0))).await;
    let id = receipt.booking.id;
    app.work().await;
    let mailbox = app.mailbox_of(organiser).await.address;
    app.calendars.refuse_requests(None, &mailbox, out_of_scope());
    app.cancel(id).await;
    app.work_through(id).await;
    let state = (app.state(id).await, app.code(id).await);
    assert_eq!(state, ("CONFIRMED".to_owned(), Some("MAILBOX_OUT_OF_SCOPE".to_owned())));
    assert_eq!(app.setup.occupied(id).await, 1);
    app.calendars.stop_refusing(&mailbox);
    let bookings = app.setup.services.bookings();
    bookings.cancel(&app.setup.admin().allow().unwrap(), id, "", "once more").await.unwrap();
    app.work_through(id).await;
    assert_eq!(app.state(id).await, "CANCELLED");
}
