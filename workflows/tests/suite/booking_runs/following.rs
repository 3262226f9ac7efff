//! Bookings whose events people delete, move and answer in the calendar.

use chrono::Duration;
use domain::{Id, ids, state::Answer};
use providers::memory::Method;
use services::bookings::NewBooking;
use workflows::reconcile::Reconciler;

use crate::{
    booking_runs::{App, Apps},
    calendar::{calls, lost, out_of_scope},
    setup::{at, booking, range},
};

impl App {
    /// The next period of the reconciler.
    async fn follow(&self) {
        self.setup.clock.advance(Duration::minutes(30));
        self.reconcile(Reconciler::Bookings).await;
    }

    async fn written(&self, new: NewBooking) -> Id<ids::Booking> {
        let id = self.book(new).await.booking.id;
        self.work().await;
        id
    }

    async fn answer_of(&self, id: Id<ids::Booking>, address: &str) -> String {
        let all = self.participants(id).await;
        all.into_iter().find(|one| one.address == address).unwrap().answer.to_string()
    }
}

async fn s7_1_an_event_deleted_by_hand_is_noticed_and_its_time_is_free(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    let id = app.written(booking(organiser, at(10, 0), at(11, 0))).await;
    app.follow().await;
    assert_eq!(app.state(id).await, "CONFIRMED", "nothing was done to it");
    app.calendars.delete_written_events();
    app.follow().await;
    assert_eq!(
        (app.state(id).await.as_str(), app.code(id).await.as_deref()),
        ("MISSING", Some("EVENT_GONE"))
    );
    assert_eq!((app.setup.occupied(id).await, app.copies().await), (0, 0));
    let version = app.booking(id).await.version;
    app.follow().await;
    assert_eq!(app.booking(id).await.version, version, "it is told once");
    let other = app.setup.services.bookings();
    let new = booking(organiser, at(10, 0), at(11, 0));
    other.create(&app.setup.admin().allow().unwrap(), new, "in its place").await.unwrap();
}

async fn s7_1_a_missing_booking_is_written_again_or_cancelled(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    let id = app.written(booking(organiser, at(10, 0), at(11, 0))).await;
    let (bookings, admin) = (app.setup.services.bookings(), app.setup.admin());
    let early = bookings.restore(&admin.allow().unwrap(), id, None, "early").await;
    assert_eq!(early.unwrap_err().code(), "BOOKING_NOT_MISSING");
    app.calendars.delete_written_events();
    app.follow().await;
    let before = app.booking(id).await;
    let restored =
        bookings.restore(&admin.allow().unwrap(), id, Some(before.version), "again").await.unwrap();
    assert_eq!((restored.booking.state.as_str(), app.setup.occupied(id).await), ("HELD", 1));
    let same = bookings.restore(&admin.allow().unwrap(), id, Some(before.version), "again").await.unwrap();
    assert_eq!(same.run, restored.run, "a repeated request writes nothing");
    app.work().await;
    let row = app.booking(id).await;
    assert_eq!((row.state.as_str(), row.generation), ("CONFIRMED", 2));
    assert_ne!(row.external_id, before.external_id, "the deleted event is not taken for the new one");
    assert_eq!((app.calendars.events().len(), app.copies().await), (1, 1));
    app.calendars.delete_written_events();
    app.follow().await;
    app.cancel(id).await;
    app.work_through(id).await;
    assert_eq!((app.state(id).await.as_str(), app.setup.occupied(id).await), ("CANCELLED", 0));
}

async fn s7_2_an_event_moved_by_hand_moves_its_booking(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    let id = app.written(booking(organiser, at(10, 0), at(11, 0))).await;
    app.calendars.move_written_events(range(at(14, 0), at(15, 30)));
    app.follow().await;
    let row = app.booking(id).await;
    assert_eq!((row.state.as_str(), row.start_at, row.end_at), ("CONFIRMED", at(14, 0), at(15, 30)));
    assert_eq!((app.setup.occupied(id).await, app.copies().await), (1, 1), "never two times stay blocked");
    let changes = app.changes(id).await;
    let changes: Vec<_> = changes.iter().map(|row| (row.old_start, row.by_whom.as_str())).collect();
    assert_eq!(changes, [(at(10, 0), "calendar")]);
    let (bookings, admin) = (app.setup.services.bookings(), app.setup.admin());
    let old_time = booking(organiser, at(10, 0), at(11, 0));
    bookings.create(&admin.allow().unwrap(), old_time, "old time").await.unwrap();
    let new_time = booking(organiser, at(14, 0), at(15, 0));
    let taken = bookings.create(&admin.allow().unwrap(), new_time, "new time").await.unwrap_err();
    assert_eq!(taken.code(), "SLOT_TAKEN");
}

async fn s7_2_an_event_moved_to_a_taken_time_is_a_conflict_that_is_solved(apps: Apps) {
    let app = apps.make().await;
    let (organiser, colleague) = (app.setup.person(&[]).await, app.setup.person(&[]).await);
    let with_both = NewBooking { users: vec![colleague], ..booking(organiser, at(10, 0), at(11, 0)) };
    let id = app.written(with_both).await;
    let (bookings, admin) = (app.setup.services.bookings(), app.setup.admin());
    let in_the_way = booking(colleague, at(14, 0), at(15, 0));
    let other = bookings.create(&admin.allow().unwrap(), in_the_way, "other").await.unwrap().booking.id;
    app.calendars.move_written_events(range(at(14, 0), at(15, 0)));
    app.follow().await;
    app.work().await;
    let row = app.booking(id).await;
    assert_eq!((row.state.as_str(), row.start_at), ("CONFLICTING", at(14, 0)));
    assert_eq!(app.code(id).await.as_deref(), Some("MOVED_TO_TAKEN_TIME"));
    assert_eq!(app.setup.occupied(id).await, 1, "only the organiser is free then");
    assert_eq!(app.setup.occupied(other).await, 1, "the other booking keeps its time");
    let early = bookings.accept_time(&admin.allow().unwrap(), other, None).await.unwrap_err();
    assert_eq!(early.code(), "BOOKING_NOT_CONFLICTING");
    let accepted = bookings.accept_time(&admin.allow().unwrap(), id, Some(row.version)).await.unwrap();
    assert_eq!((accepted.state.as_str(), accepted.reason), ("CONFIRMED", None));
    app.follow().await;
    assert_eq!((app.state(id).await.as_str(), app.setup.occupied(id).await), ("CONFIRMED", 1));
    app.move_to(id, 16, 17, "out of the way").await;
    app.work_through(id).await;
    assert_eq!((app.booking(id).await.start_at, app.setup.occupied(id).await), (at(16, 0), 2));
}

async fn s7_2_a_conflict_ends_when_everybody_is_free(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    let id = app.written(booking(organiser, at(10, 0), at(11, 0))).await;
    let (bookings, admin) = (app.setup.services.bookings(), app.setup.admin());
    let in_the_way = booking(organiser, at(14, 0), at(15, 0));
    let other = bookings.create(&admin.allow().unwrap(), in_the_way, "other").await.unwrap().booking.id;
    app.calendars.move_written_events(range(at(14, 0), at(15, 0)));
    app.follow().await;
    assert_eq!((app.state(id).await.as_str(), app.setup.occupied(id).await), ("CONFLICTING", 0));
    app.cancel(other).await;
    app.work_through(other).await;
    app.follow().await;
    assert_eq!((app.state(id).await.as_str(), app.setup.occupied(id).await), ("CONFIRMED", 1));
    assert_eq!(app.code(id).await, None);
}

async fn s7_3_answers_are_followed_after_the_patience_is_over(apps: Apps) {
    let app = apps.make().await;
    let (organiser, room) = (app.setup.person(&[]).await, app.setup.room(4, &[]).await);
    let guest = "guest@applicants.example";
    let guests = vec![services::bookings::Guest { name: "Guest".to_owned(), email: guest.to_owned() }];
    let new = NewBooking { rooms: vec![room], guests, ..booking(organiser, at(10, 0), at(11, 0)) };
    let id = app.written(new).await;
    app.work_through(id).await;
    let participants = app.participants(id).await;
    let address = participants.iter().find(|one| one.room_id.is_some()).unwrap().address.clone();
    assert_eq!(
        (app.state(id).await.as_str(), app.code(id).await.as_deref()),
        ("ROOM_PENDING", Some("ROOM_SILENT"))
    );
    app.calendars.set_response(&address, Answer::Accepted);
    app.calendars.set_response(guest, Answer::Tentative);
    app.follow().await;
    assert_eq!((app.state(id).await.as_str(), app.code(id).await), ("CONFIRMED", None));
    assert_eq!(app.answer_of(id, guest).await, "TENTATIVE");
    app.calendars.set_response(&address, Answer::Declined);
    app.follow().await;
    assert_eq!(
        (app.state(id).await.as_str(), app.code(id).await.as_deref()),
        ("ROOM_DECLINED", Some("ROOM_DECLINED"))
    );
    assert_eq!(app.answer_of(id, &address).await, "DECLINED");
}

async fn s7_6_a_copy_that_shows_something_else_is_looked_into_at_once(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    let id = app.written(booking(organiser, at(10, 0), at(11, 0))).await;
    let asked = calls(&app.calendars, Method::Read);
    app.setup.clock.advance(Duration::minutes(30));
    app.reconcile(Reconciler::Calendars).await;
    assert_eq!(calls(&app.calendars, Method::Read), asked, "a copy that agrees costs no request");
    app.calendars.delete_written_events();
    app.setup.clock.advance(Duration::minutes(30));
    app.reconcile(Reconciler::Calendars).await;
    assert_eq!(app.state(id).await, "MISSING");
}

async fn s7_6_an_answer_that_a_copy_shows_is_taken_over_at_once(apps: Apps) {
    let app = apps.make().await;
    let (organiser, colleague) = (app.setup.person(&[]).await, app.setup.person(&[]).await);
    let new = NewBooking { users: vec![colleague], ..booking(organiser, at(10, 0), at(11, 0)) };
    let id = app.written(new).await;
    let address = app.mailbox_of(colleague).await.address;
    app.calendars.set_response(&address, Answer::Declined);
    app.setup.clock.advance(Duration::minutes(30));
    app.reconcile(Reconciler::Calendars).await;
    assert_eq!(
        (app.answer_of(id, &address).await.as_str(), app.state(id).await.as_str()),
        ("DECLINED", "CONFIRMED")
    );
}

async fn s7_1_a_calendar_that_denies_access_has_lost_no_event(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    let id = app.written(booking(organiser, at(10, 0), at(11, 0))).await;
    let mailbox = app.mailbox_of(organiser).await.address;
    for refusal in [out_of_scope(), lost()] {
        app.calendars.refuse_requests(None, &mailbox, refusal);
        app.follow().await;
        assert_eq!((app.state(id).await.as_str(), app.setup.occupied(id).await), ("CONFIRMED", 1));
        app.calendars.stop_refusing(&mailbox);
    }
    let read = calls(&app.calendars, Method::Read);
    let connection = app.mailbox_of(organiser).await.id;
    let (connections, admin) = (app.setup.services.connections(), app.setup.admin());
    connections.disconnect(&admin.allow().unwrap(), connection, None).await.unwrap();
    app.work_through(id).await;
    app.follow().await;
    assert_eq!(calls(&app.calendars, Method::Read), read, "S6.6: a disconnected mailbox is not read");
    connections.activate(&admin.allow().unwrap(), connection).await.unwrap();
    app.work().await;
    app.calendars.fail_next(Method::Read, providers::memory::FaultTiming::Before, crate::calendar::busy());
    app.calendars.delete_written_events();
    app.follow().await;
    app.work_through(id).await;
    assert_eq!(app.state(id).await, "MISSING", "an error that passes is waited for");
}

on_both_stores! {
    s7_1_a_calendar_that_denies_access_has_lost_no_event,
    s7_1_a_missing_booking_is_written_again_or_cancelled,
    s7_1_an_event_deleted_by_hand_is_noticed_and_its_time_is_free,
    s7_2_a_conflict_ends_when_everybody_is_free,
    s7_2_an_event_moved_by_hand_moves_its_booking,
    s7_2_an_event_moved_to_a_taken_time_is_a_conflict_that_is_solved,
    s7_3_answers_are_followed_after_the_patience_is_over,
    s7_6_a_copy_that_shows_something_else_is_looked_into_at_once,
    s7_6_an_answer_that_a_copy_shows_is_taken_over_at_once,
}
