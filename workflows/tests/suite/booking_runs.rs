//! Bookings from the order to the calendar, through the engine, against a calendar system in memory.
//!
//! The PostgreSQL half needs `MUSTER_TEST_POSTGRES`, the URL of a server on which databases may be made.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

/// Runs every test on both stores.
macro_rules! on_both_stores {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(
            #[tokio::test]
            async fn $name() {
                super::$name(super::Apps::Sqlite).await;
            }
        )+ }

        mod postgres { $(
            #[tokio::test]
            async fn $name() {
                super::$name(super::Apps::Postgres).await;
            }
        )+ }
    };
}

mod changes;
mod following;
mod integrations;
mod online;

use std::sync::Arc;

use chrono::Duration;
use domain::{
    Id, WrittenVia, ids,
    state::{Answer, ConnectionState, RunStatus},
};
use providers::memory::{FaultTiming, Memory, Method};
use services::{
    bookings::{BookingReceipt, NewBooking, NewTime},
    grants::Connectors,
};
use workflows::Engine;

use self::{
    changes::{
        a_cancellation_takes_the_event_out_and_frees_the_time,
        a_cancellation_that_is_refused_leaves_the_booking_and_says_why,
        a_failed_move_that_is_retried_does_not_take_a_time_that_was_given_away,
        a_move_changes_the_event_and_frees_the_old_time,
        a_move_that_is_refused_leaves_everything_where_it_was,
        an_event_that_is_gone_is_cancelled_and_is_not_moved,
        s4_14_a_booking_stays_in_the_calendar_of_the_service_account_that_made_it,
    },
    integrations::{
        a_degraded_integration_is_whole_again_when_its_lost_mailbox_is_left_out,
        a_lost_consent_is_said_of_the_integration_and_of_the_booking,
        a_mailbox_that_was_left_out_is_not_touched_until_somebody_asks_for_it,
        one_mailbox_that_leaves_the_scope_is_not_the_end_of_the_integration,
    },
};
use crate::{
    booking_runs::online::{
        a_booking_outlives_an_online_meeting_that_does_not_come, a_booking_that_fails_has_no_meeting,
        a_calendar_that_permits_no_meetings_refuses_before_anything_is_held,
        an_address_that_comes_later_is_waited_for_over_a_move,
        an_address_that_comes_with_the_event_is_there_at_once,
    },
    calendar::{self, busy, calls, lost, out_of_scope, refused},
    setup::{Setup, at, booking, range},
};

/// A setup, its calendar system and its engine.
struct App {
    setup: Setup,
    calendars: Memory,
    engine: Engine,
}

/// Creates setups on one of the stores.
#[derive(Clone, Copy)]
enum Apps {
    Sqlite,
    Postgres,
}

impl Apps {
    async fn make(self) -> App {
        let calendars = calendar::system();
        let connectors = Connectors::default().with_provider(Arc::new(calendars.clone()));
        let setup = match self {
            Self::Sqlite => Setup::sqlite_with(connectors).await,
            Self::Postgres => Setup::postgres_with(connectors).await,
        };
        let engine = workflows::engine(&setup.services, "node");
        App { setup, calendars, engine }
    }
}

impl App {
    async fn book(&self, new: NewBooking) -> BookingReceipt {
        self.setup
            .services
            .bookings()
            .create(&self.setup.admin().allow().unwrap(), new, "create")
            .await
            .unwrap()
    }

    async fn move_to(&self, id: Id<ids::Booking>, from: i64, to: i64, key: &str) -> BookingReceipt {
        let (start, end) = (at(from, 0), at(to, 0));
        let to = NewTime {
            start,
            end,
            zone: None,
            ignore_unknown: false,
            on_unreadable: services::availability::UnreadableItemPolicy::Offer,
        };
        self.setup
            .services
            .bookings()
            .move_to(&self.setup.admin().allow().unwrap(), id, to, None, key)
            .await
            .unwrap()
    }

    async fn cancel(&self, id: Id<ids::Booking>) -> BookingReceipt {
        let bookings = self.setup.services.bookings();
        bookings.cancel(&self.setup.colleague().allow().unwrap(), id, "Sorry", "cancel").await.unwrap()
    }

    /// Does one round of a reconciler, and works off the runs that it enqueued.
    async fn reconcile(&self, reconciler: workflows::reconcile::Reconciler) {
        reconciler.run_round(&self.setup.services).await.unwrap();
        self.work().await;
    }

    /// Works off what is due now.
    async fn work(&self) {
        self.engine.run_until_idle().await.unwrap();
    }

    /// Works until nothing is left to do, moving the clock second by second.
    async fn work_through(&self, booking: Id<ids::Booking>) {
        for _ in 0..3_600 {
            self.work().await;
            let tenant = self.setup.tenant;
            if self
                .setup
                .services
                .bookings()
                .live_runs(&self.setup.services, tenant, booking)
                .await
                .unwrap()
                .is_empty()
            {
                return;
            }
            self.setup.clock.advance(Duration::seconds(1));
        }
        panic!("the booking's runs do not end");
    }

    async fn participants(&self, id: Id<ids::Booking>) -> Vec<entity::booking_participant::Model> {
        let services = &self.setup.services;
        services.bookings().participants_of(services.tenant_scope(self.setup.tenant), &[id]).await.unwrap()
    }

    async fn changes(&self, id: Id<ids::Booking>) -> Vec<entity::booking_change::Model> {
        let services = &self.setup.services;
        services.bookings().changes_of(services.tenant_scope(self.setup.tenant), &[id]).await.unwrap()
    }

    async fn booking(&self, id: Id<ids::Booking>) -> entity::booking::Model {
        self.setup.services.bookings().get(&self.setup.admin().allow().unwrap(), id).await.unwrap()
    }

    async fn state(&self, id: Id<ids::Booking>) -> String {
        self.booking(id).await.state.to_string()
    }

    async fn code(&self, id: Id<ids::Booking>) -> Option<String> {
        let reason = self.booking(id).await.reason?;
        Some(reason["code"].as_str().unwrap().to_owned())
    }

    async fn status(&self, run: Id<ids::Run>) -> String {
        let tenant = self.setup.tenant;
        let txn = self.setup.services.store.read(tenant).await.unwrap();
        entity::run::by_id(tenant, run).one(&txn).await.unwrap().unwrap().status.to_string()
    }

    async fn mailbox_of(&self, user: Id<ids::User>) -> entity::connection::Model {
        let connections = self.setup.services.connections();
        connections
            .of_holders(self.setup.services.tenant_scope(self.setup.tenant), &[user.any()])
            .await
            .unwrap()
            .remove(0)
    }

    /// How many events the copies of all calendars hold.
    async fn copies(&self) -> usize {
        let tenant = self.setup.tenant;
        let txn = self.setup.services.store.read(tenant).await.unwrap();
        entity::calendar_event::of(tenant).all(&txn).await.unwrap().len()
    }
}

async fn a_booking_is_written_to_the_organisers_calendar_and_to_every_copy(apps: Apps) {
    let app = apps.make().await;
    let (organiser, other) = (app.setup.person(&[]).await, app.setup.person(&[]).await);
    let receipt =
        app.book(NewBooking { users: vec![other], ..booking(organiser, at(10, 0), at(11, 0)) }).await;
    app.work().await;
    let row = app.booking(receipt.booking.id).await;
    assert_eq!((row.state.as_str(), row.written_via), ("CONFIRMED", Some(WrittenVia::Organiser.into())));
    let events = app.calendars.events();
    let mailbox = app.mailbox_of(organiser).await.address;
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0].0, events[0].1.range), (&mailbox, range(at(10, 0), at(11, 0))));
    assert_eq!(
        (row.external_id, row.event_uid),
        (Some(events[0].1.id.clone()), Some(events[0].1.uid.clone()))
    );
    assert_eq!(app.copies().await, 2);
    assert_eq!(app.status(receipt.run).await, RunStatus::Done.as_str());
}

async fn b16_a_room_is_pending_until_it_has_answered(apps: Apps) {
    let app = apps.make().await;
    let (organiser, room) = (app.setup.person(&[]).await, app.setup.room(4, &[]).await);
    let receipt =
        app.book(NewBooking { rooms: vec![room], ..booking(organiser, at(10, 0), at(11, 0)) }).await;
    let id = receipt.booking.id;
    app.work().await;
    assert_eq!(app.state(id).await, "ROOM_PENDING");
    app.calendars.fail_next(Method::Read, FaultTiming::Before, busy());
    app.setup.clock.advance(Duration::seconds(2));
    app.work().await;
    assert_eq!(app.state(id).await, "ROOM_PENDING", "what cannot be read takes nothing back");
    let address = |rows: &[entity::booking_participant::Model]| rows[1].address.clone();
    let rows = app.participants(id).await;
    app.calendars.set_response(&address(&rows), Answer::Accepted);
    app.work_through(id).await;
    assert_eq!(app.state(id).await, "CONFIRMED");
    let rows = app.participants(id).await;
    assert_eq!(rows[1].answer, Answer::Accepted);
}

async fn b16_a_room_that_declines_or_is_silent_is_not_called_confirmed(apps: Apps) {
    let app = apps.make().await;
    let (organiser, room) = (app.setup.person(&[]).await, app.setup.room(4, &[]).await);
    let receipt =
        app.book(NewBooking { rooms: vec![room], ..booking(organiser, at(10, 0), at(11, 0)) }).await;
    let id = receipt.booking.id;
    app.work_through(id).await;
    assert_eq!(
        (app.state(id).await.as_str(), app.code(id).await.as_deref()),
        ("ROOM_PENDING", Some("ROOM_SILENT"))
    );
    app.move_to(id, 12, 13, "move").await;
    app.work().await;
    assert_eq!(
        (app.state(id).await.as_str(), app.code(id).await),
        ("ROOM_PENDING", None),
        "it is asked again"
    );
    let rows = app.participants(id).await;
    app.calendars.set_response(&rows[1].address, Answer::Declined);
    app.work_through(id).await;
    assert_eq!(
        (app.state(id).await.as_str(), app.code(id).await.as_deref()),
        ("ROOM_DECLINED", Some("ROOM_DECLINED"))
    );
}

async fn s4_6_only_a_mailbox_that_cannot_be_reached_leads_to_the_service_account(apps: Apps) {
    let app = apps.make().await;
    app.setup.service_mailbox().await;
    let organiser = app.setup.person(&[]).await;
    let mailbox = app.mailbox_of(organiser).await.address;
    app.calendars.refuse_requests(None, &mailbox, out_of_scope());
    app.calendars.fail_next(Method::Create, FaultTiming::Before, busy());
    let receipt = app.book(booking(organiser, at(10, 0), at(11, 0))).await;
    app.work_through(receipt.booking.id).await;
    let row = app.booking(receipt.booking.id).await;
    assert_eq!((row.state.as_str(), row.written_via), ("CONFIRMED", Some(WrittenVia::ServiceAccount.into())));
    let (at_mailbox, event) = app.calendars.events().remove(0);
    assert_eq!(at_mailbox, "service@acme.example");
    assert_eq!(event.attendees[0].party.address, mailbox, "S4.8: the organiser is invited");
    assert!(
        app.calendars
            .event_text(&event.id)
            .unwrap()
            .starts_with("This booking has been made via a service account\nOrganised by Person")
    );
    let connection = app.mailbox_of(organiser).await;
    assert_eq!((connection.state.as_str(), connection.route.as_str()), ("UNREACHABLE", "SERVICE_ACCOUNT"));
}

async fn s4_6_a_passing_error_changes_no_route(apps: Apps) {
    let app = apps.make().await;
    app.setup.service_mailbox().await;
    let organiser = app.setup.person(&[]).await;
    for _ in 0..3 {
        app.calendars.fail_next(Method::Create, FaultTiming::Before, busy());
    }
    let receipt = app.book(booking(organiser, at(10, 0), at(11, 0))).await;
    app.work_through(receipt.booking.id).await;
    let row = app.booking(receipt.booking.id).await;
    assert_eq!((row.state.as_str(), row.written_via), ("CONFIRMED", Some(WrittenVia::Organiser.into())));
    assert_eq!(calls(&app.calendars, Method::Create), 4);
    assert_eq!(app.mailbox_of(organiser).await.state, ConnectionState::Active);
}

async fn an_answer_that_was_lost_does_not_write_the_event_twice(apps: Apps) {
    let app = apps.make().await;
    let organiser = app.setup.person(&[]).await;
    app.calendars.fail_next(Method::Create, FaultTiming::After, busy());
    let receipt = app.book(booking(organiser, at(10, 0), at(11, 0))).await;
    app.work_through(receipt.booking.id).await;
    assert_eq!(app.state(receipt.booking.id).await, "CONFIRMED");
    assert_eq!((app.calendars.events().len(), calls(&app.calendars, Method::Create)), (1, 1));
}

async fn a_booking_that_cannot_be_written_leaves_nothing_behind(apps: Apps) {
    for (when, error) in [
        (FaultTiming::Before, refused()),
        (FaultTiming::After, refused()),
        (FaultTiming::Before, lost()),
        (FaultTiming::After, lost()),
    ] {
        let app = apps.make().await;
        let organiser = app.setup.person(&[]).await;
        app.calendars.fail_next(Method::Create, when, error.clone());
        let receipt = app.book(booking(organiser, at(10, 0), at(11, 0))).await;
        app.work_through(receipt.booking.id).await;
        let id = receipt.booking.id;
        assert_eq!(
            (app.state(id).await.as_str(), app.code(id).await.as_deref()),
            ("FAILED", Some(error.kind_code()))
        );
        assert_eq!(app.calendars.events(), [], "{when:?} {error:?}");
        assert_eq!((app.setup.occupied(id).await, app.copies().await), (0, 0));
        assert_eq!(app.status(receipt.run).await, RunStatus::Failed.as_str());
    }
}

async fn a_run_that_is_stopped_after_writing_takes_the_event_back(apps: Apps) {
    let app = apps.make().await;
    let (organiser, room) = (app.setup.person(&[]).await, app.setup.room(4, &[]).await);
    let receipt =
        app.book(NewBooking { rooms: vec![room], ..booking(organiser, at(10, 0), at(11, 0)) }).await;
    app.work().await;
    assert_eq!(app.calendars.events().len(), 1);
    let (tenant, now) = (app.setup.tenant, app.setup.services.now());
    let txn = app.setup.services.store.write(tenant).await.unwrap();
    runs::request_cancel(&txn, tenant, receipt.run, now).await.unwrap();
    txn.commit().await.unwrap();
    app.work_through(receipt.booking.id).await;
    assert_eq!(app.state(receipt.booking.id).await, "FAILED");
    assert_eq!(
        (app.calendars.events().len(), app.setup.occupied(receipt.booking.id).await, app.copies().await),
        (0, 0, 0)
    );
}

on_both_stores! {
    a_booking_is_written_to_the_organisers_calendar_and_to_every_copy,
    b16_a_room_is_pending_until_it_has_answered,
    b16_a_room_that_declines_or_is_silent_is_not_called_confirmed,
    s4_6_only_a_mailbox_that_cannot_be_reached_leads_to_the_service_account,
    s4_6_a_passing_error_changes_no_route,
    an_answer_that_was_lost_does_not_write_the_event_twice,
    a_booking_that_cannot_be_written_leaves_nothing_behind,
    a_run_that_is_stopped_after_writing_takes_the_event_back,
    a_lost_consent_is_said_of_the_integration_and_of_the_booking,
    a_move_changes_the_event_and_frees_the_old_time,
    a_move_that_is_refused_leaves_everything_where_it_was,
    a_failed_move_that_is_retried_does_not_take_a_time_that_was_given_away,
    a_mailbox_that_was_left_out_is_not_touched_until_somebody_asks_for_it,
    one_mailbox_that_leaves_the_scope_is_not_the_end_of_the_integration,
    a_degraded_integration_is_whole_again_when_its_lost_mailbox_is_left_out,
    s4_14_a_booking_stays_in_the_calendar_of_the_service_account_that_made_it,
    a_cancellation_takes_the_event_out_and_frees_the_time,
    an_event_that_is_gone_is_cancelled_and_is_not_moved,
    a_cancellation_that_is_refused_leaves_the_booking_and_says_why,
    an_address_that_comes_with_the_event_is_there_at_once,
    an_address_that_comes_later_is_waited_for_over_a_move,
    a_booking_outlives_an_online_meeting_that_does_not_come,
    a_booking_that_fails_has_no_meeting,
    a_calendar_that_permits_no_meetings_refuses_before_anything_is_held,
}
