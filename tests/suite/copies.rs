//! Copies of calendars: when they are read again, what that costs at the provider, and that no change is lost.

use std::sync::Arc;

use chrono::Duration;
use domain::{BusyKind, TimeRange, Timestamp, state::Lane};
use entity::connection;
use providers::{NamedAddress, NewEvent, Provider, Session};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::json;
use services::{
    Change, calendars,
    run_inputs::{Activate, RunInput},
};
use workflows::reconcile::Reconciler;

use crate::harness::{Org, TestApp};

/// One mailbox of a connected organisation, and a hand that changes things in it behind Muster's back.
struct Mailbox<'a> {
    app: &'a TestApp,
    org: Org,
    address: String,
    provider: Arc<dyn Provider>,
    session: Session,
}

impl<'a> Mailbox<'a> {
    async fn connected(app: &'a TestApp) -> Self {
        let org = app.with_tenant("Copies", 4, 1).await;
        app.with_users(&org, 4).await;
        app.connect(&org).await;
        let txn = app.node.services.store.read(org.id()).await.unwrap();
        let integration = entity::integration::of(org.id()).one(&txn).await.unwrap().unwrap();
        drop(txn);
        let (provider, session) =
            app.node.services.grants().open_session(&app.node.services, &integration, None).await.unwrap();
        let address = org.people()[org.insider()].to_lowercase();
        Self { app, org, address, provider, session }
    }

    /// Lets copies grow old and does one round. Returns what was asked about each mailbox, by path.
    async fn round(&self) -> Vec<(String, String)> {
        self.app.clock.advance(Duration::minutes(16));
        let before = self.app.journal(0).await.len();
        self.app.reconcile(Reconciler::Calendars).await;
        self.asked_since(before).await
    }

    async fn asked_since(&self, before: usize) -> Vec<(String, String)> {
        let journal = self.app.journal(before).await;
        let about = journal.iter().filter_map(|entry| {
            let path = entry["path"].as_str()?.to_lowercase();
            let (mailbox, _) = path.split_once("/users/")?.1.split_once('/')?;
            Some((mailbox.to_owned(), path.clone()))
        });
        about.collect()
    }

    /// What was asked about this mailbox: whether it has changed, or its window.
    fn of(&self, asked: &[(String, String)]) -> Vec<&'static str> {
        let own = asked.iter().filter(|(mailbox, _)| *mailbox == self.address);
        let kind = |path: &str| match path {
            path if path.ends_with("/calendarview/delta") => "changed?",
            path if path.ends_with("/calendarview") => "window",
            _ => "else",
        };
        own.map(|(_, path)| kind(path)).collect()
    }

    async fn create(&self, key: &str) -> String {
        let day: Timestamp = "2026-12-10T20:00:00Z".parse().unwrap();
        let event = NewEvent {
            effect_key: key.to_owned(),
            title: key.to_owned(),
            text: String::new(),
            range: TimeRange::new(day, day + Duration::hours(1)).unwrap(),
            zone: "Europe/Berlin".to_owned(),
            location: None,
            organiser: NamedAddress { name: self.address.clone(), address: self.address.clone() },
            attendees: Vec::new(),
            busy: Some(BusyKind::Busy),
            online_meeting: false,
        };
        self.provider.create_event(&self.session, &self.address, &event).await.unwrap().id
    }

    async fn delete(&self, id: &str) {
        self.provider.delete_event(&self.session, &self.address, id).await.unwrap();
    }

    async fn row(&self) -> connection::Model {
        let txn = self.app.node.services.store.read(self.org.id()).await.unwrap();
        let row = connection::of(self.org.id()).filter(connection::Column::Address.eq(&self.address));
        row.one(&txn).await.unwrap().unwrap()
    }

    /// Whether the copy holds an event of this title.
    async fn holds(&self, title: &str) -> bool {
        use entity::calendar_event::{Column, of};
        let id = self.row().await.id;
        let txn = self.app.node.services.store.read(self.org.id()).await.unwrap();
        let found = of(self.org.id()).filter(Column::ConnectionId.eq(id)).filter(Column::Title.eq(title));
        found.one(&txn).await.unwrap().is_some()
    }

    /// What a reader finds now, and has not written yet.
    async fn reader(&self) -> Change {
        let services = &self.app.node.services;
        let window = calendars::calendar_copy_range(services);
        let row = self.row().await;
        let found =
            calendars::refresh_copy(&*self.provider, &self.session, &row, window, self.app.now()).await;
        found.unwrap()
    }

    async fn write(&self, change: Change) {
        self.app.node.services.write(self.org.id(), "test", vec![change]).await.unwrap();
    }
}

async fn a_calendar_in_which_nothing_has_changed_costs_one_request_and_its_copy_stays_fresh(app: TestApp) {
    let mailbox = Mailbox::connected(&app).await;
    let first = mailbox.round().await;
    assert_eq!(mailbox.of(&first), ["changed?", "window"], "the watermark is from before the reading");
    let before = mailbox.row().await;
    let quiet = mailbox.round().await;
    let mut boxes: Vec<&String> = quiet.iter().map(|(mailbox, _)| mailbox).collect();
    boxes.sort_unstable();
    boxes.dedup();
    assert_eq!(boxes.len(), quiet.len(), "one request each: {quiet:?}");
    assert!(quiet.len() > 3 && quiet.iter().all(|(_, path)| path.ends_with("/delta")), "{quiet:?}");
    let after = mailbox.row().await;
    assert_eq!(after.as_of, before.as_of.map(|at| at + Duration::minutes(16)), "the copy is fresh");
    assert_eq!((after.read_from, after.read_until), (before.read_from, before.read_until));

    let event = mailbox.create("comes").await;
    let busy = mailbox.round().await;
    assert_eq!(mailbox.of(&busy), ["changed?", "window"]);
    assert_eq!(busy.len(), quiet.len() + 1, "nobody else is read: {busy:?}");
    assert!(mailbox.holds("comes").await);
    assert_eq!(mailbox.of(&mailbox.round().await), ["changed?"]);
    mailbox.delete(&event).await;
    mailbox.round().await;
    assert!(!mailbox.holds("comes").await);
    app.finish().await;
}

async fn a_provider_that_forgot_or_cannot_say_is_read(app: TestApp) {
    let mailbox = Mailbox::connected(&app).await;
    mailbox.round().await;
    mailbox.create("forgotten").await;
    app.control("/control/cursors/forget", json!({})).await;
    mailbox.round().await;
    assert!(mailbox.holds("forgotten").await);
    assert_eq!(mailbox.of(&mailbox.round().await), ["changed?"], "there is a new watermark");
    // Refusing the question is no reason not to read.
    let refuse = json!({ "match": { "path_contains": format!("{}/calendarView/delta", mailbox.address) },
        "action": "refuse", "status": 400, "reason": "ErrorInvalidRequest" });
    app.fault(refuse).await;
    mailbox.create("refused").await;
    assert_eq!(mailbox.of(&mailbox.round().await), ["changed?", "window"]);
    assert!(mailbox.holds("refused").await);
    assert_eq!(mailbox.row().await.watermark, None);
    assert_eq!(mailbox.of(&mailbox.round().await), ["changed?", "window"]);
    assert_eq!(mailbox.of(&mailbox.round().await), ["changed?"]);
    app.finish().await;
}

async fn every_calendar_is_read_once_a_day_because_its_window_moves(app: TestApp) {
    let mailbox = Mailbox::connected(&app).await;
    mailbox.round().await;
    assert_eq!(mailbox.of(&mailbox.round().await), ["changed?"]);
    let before = mailbox.row().await;
    app.clock.advance(Duration::hours(24));
    assert_eq!(mailbox.of(&mailbox.round().await), ["changed?", "window"]);
    let after = mailbox.row().await;
    assert_eq!(after.read_until, before.read_until.map(|at| at + Duration::days(1)));
    assert_eq!(mailbox.of(&mailbox.round().await), ["changed?"]);
    app.finish().await;
}

async fn readers_at_the_same_time_lose_no_change(app: TestApp) {
    let mailbox = Mailbox::connected(&app).await;
    mailbox.round().await;
    app.clock.advance(Duration::minutes(1));
    // One finds nothing, something happens, the other finds it and is faster.
    let nothing = mailbox.reader().await;
    assert!(matches!(nothing, Change::UnchangedCalendar(_)), "{nothing:?}");
    mailbox.create("one").await;
    let found = mailbox.reader().await;
    mailbox.write(found).await;
    let written = mailbox.row().await;
    mailbox.write(nothing).await;
    assert_eq!(mailbox.row().await, written, "another copy is not called the same");
    assert!(mailbox.holds("one").await);
    // Both find something, and the one that knows less writes last.
    mailbox.create("two").await;
    let less = mailbox.reader().await;
    mailbox.create("three").await;
    let more = mailbox.reader().await;
    mailbox.write(more).await;
    mailbox.write(less).await;
    assert!(!mailbox.holds("three").await);
    mailbox.round().await;
    assert!(mailbox.holds("two").await && mailbox.holds("three").await);
    // One is told of a change and dies before it writes.
    mailbox.create("four").await;
    drop(mailbox.reader().await);
    mailbox.round().await;
    assert!(mailbox.holds("four").await);
    app.finish().await;
}

async fn a_push_leads_to_a_reading_whatever_the_watermark_says(app: TestApp) {
    let mailbox = Mailbox::connected(&app).await;
    mailbox.round().await;
    let before = app.journal(0).await.len();
    let order = RunInput::Activate(Activate { connection: mailbox.row().await.id, campaign: None });
    mailbox.write(Change::RunInput(order, Lane::Background)).await;
    app.run_jobs().await;
    let asked = mailbox.asked_since(before).await;
    assert!(mailbox.of(&asked).ends_with(&["changed?", "window"]), "{asked:?}");
    assert_eq!(mailbox.of(&mailbox.round().await), ["changed?"], "its watermark goes on");
    app.finish().await;
}

async fn a_copy_that_holds_an_event_of_our_own_is_read_again(app: TestApp) {
    let mailbox = Mailbox::connected(&app).await;
    mailbox.round().await;
    let before = mailbox.row().await;
    app.clock.advance(Duration::minutes(1));
    let nothing = mailbox.reader().await;
    let users = app
        .vendor_for(&mailbox.org.tenant)
        .query("{ users(first: 20) { edges { node { id email } } } }", json!({}))
        .await;
    let nodes = crate::harness::steps::nodes(&users["users"]);
    let user =
        nodes.iter().find(|node| node["email"].as_str().unwrap().eq_ignore_ascii_case(&mailbox.address));
    app.book(&mailbox.org, user.unwrap()["id"].as_str().unwrap(), "own", json!({})).await;
    assert!(mailbox.holds("Interview").await);
    let mixed = mailbox.row().await;
    assert_eq!(
        (mixed.watermark.as_ref(), mixed.as_of),
        (None, before.as_of),
        "it is no longer just what was read"
    );
    mailbox.write(nothing).await;
    assert_eq!(mailbox.row().await, mixed, "a word from before does not make it so again");
    assert_eq!(mailbox.of(&mailbox.round().await), ["changed?", "window"]);
    assert!(mailbox.holds("Interview").await);
    assert_eq!(mailbox.of(&mailbox.round().await), ["changed?"]);
    app.finish().await;
}

both! {
    a_calendar_in_which_nothing_has_changed_costs_one_request_and_its_copy_stays_fresh,
    a_provider_that_forgot_or_cannot_say_is_read,
    every_calendar_is_read_once_a_day_because_its_window_moves,
    readers_at_the_same_time_lose_no_change,
    a_push_leads_to_a_reading_whatever_the_watermark_says,
    a_copy_that_holds_an_event_of_our_own_is_read_again,
}
