//! S7.1 to S7.3 at each provider: bookings follow what people do with their events in the calendar.

use chrono::Duration;
use serde_json::{Value, json};
use workflows::reconcile::Reconciler;

use crate::{
    google,
    harness::{Org, TestApp},
    s6_corrections::{exchange, technical_account},
};

/// An applicant without a mailbox in the organisation.
const GUEST: &str = "ada@applicants.example";

impl TestApp {
    /// Somebody does something with an event in the calendar; then the bookings are compared with their events.
    async fn by_hand(&self, org: &Org, act: &str, body: Value) {
        let path = format!("/control/organisations/{}/events/{act}", org.sandbox["id"].as_str().unwrap());
        self.control(&path, body).await;
        self.advance(Duration::hours(2)).await;
        self.reconcile(Reconciler::Bookings).await;
        self.reconcile(Reconciler::Calendars).await;
    }
}

fn answers(booking: &Value) -> Vec<(&str, &str)> {
    let all = booking["participants"].as_array().unwrap().iter();
    let mut all: Vec<_> =
        all.map(|one| (one["kind"].as_str().unwrap(), one["answer"].as_str().unwrap())).collect();
    all.sort_unstable();
    all
}

/// A booking is answered, moved and deleted in the calendar of its organiser, and written again.
async fn followed(app: TestApp, org: Org, users: Vec<String>, organiser: usize) {
    let (room, mailbox) = (app.room_ids(&org).await[org.room(0)].clone(), org.people()[organiser].to_owned());
    let guests = json!([{ "name": "Ada", "email": GUEST }]);
    let more = json!({ "roomIds": [room], "guests": guests });
    let booking = app.book(&org, &users[organiser], "followed", more).await;
    assert_eq!((&booking["state"], &booking["mailbox"]), (&json!("CONFIRMED"), &json!(mailbox)), "{booking}");
    let id = booking["id"].as_str().unwrap().to_owned();
    let uid = app.interviews(&org, &mailbox).await[0]["ical_uid"].clone();

    let accepted = json!({ "attendee": GUEST, "event": uid, "answer": "tentative" });
    app.by_hand(&org, "answer", accepted).await;
    let seen = app.booking(&org, &id).await;
    assert!(answers(&seen).contains(&("GUEST", "TENTATIVE")), "{seen}");

    let (start, end) = ("2026-12-16T20:00:00Z", "2026-12-16T21:00:00Z");
    app.by_hand(&org, "move", json!({ "mailbox": mailbox, "event": uid, "start": start, "end": end })).await;
    app.advance(Duration::hours(2)).await;
    app.reconcile(Reconciler::Bookings).await;
    let seen = app.booking(&org, &id).await;
    assert_eq!(
        (&seen["state"], &seen["start"]),
        (&json!("CONFIRMED"), &json!(start)),
        "the room accepted: {seen}"
    );

    let declined = json!({ "attendee": org.room(0), "event": uid, "answer": "declined" });
    app.by_hand(&org, "answer", declined).await;
    let seen = app.booking(&org, &id).await;
    assert_eq!(
        (&seen["state"], &seen["reason"]["code"]),
        (&json!("ROOM_DECLINED"), &json!("ROOM_DECLINED")),
        "a room that declines late is noticed: {seen}"
    );

    app.by_hand(&org, "delete", json!({ "mailbox": mailbox, "event": uid })).await;
    let seen = app.booking(&org, &id).await;
    assert_eq!(
        (&seen["state"], &seen["reason"]["code"]),
        (&json!("MISSING"), &json!("EVENT_GONE")),
        "{seen}"
    );
    let vendor = app.vendor_for(&org.tenant);
    let input = json!({ "id": id, "ifVersion": seen["version"], "idempotencyKey": "restore" });
    let restored = vendor.mutate("restoreBooking", "booking { id }", input).await;
    assert_eq!(restored["userErrors"], json!([]), "{restored}");
    app.settle().await;
    let seen = app.booking(&org, &id).await;
    assert_eq!((&seen["state"], &seen["start"]), (&json!("CONFIRMED"), &json!(start)), "{seen}");
    assert_eq!(app.interviews(&org, &mailbox).await.len(), 1, "the event was written once more");
    app.finish().await;
}

async fn s7_bookings_follow_their_events_at_microsoft(app: TestApp) {
    let org = app.with_tenant("Followed", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let organiser = org.insider();
    followed(app, org, users, organiser).await;
}

async fn s7_bookings_follow_their_events_at_google(app: TestApp) {
    let (org, users) = google::organisation(&app).await;
    google::connect(&app, &org, None, 0).await;
    followed(app, org, users, 1).await;
}

async fn s7_bookings_follow_their_events_at_exchange(app: TestApp) {
    let org = app.with_tenant("Exchange", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    let user = technical_account(&app, &org).await;
    let link = app.invite(&org).await;
    let mut browser = exchange(&org, app.sandbox.as_str(), &user, "right");
    app.beside_jobs(browser.complete_pages(&link)).await.unwrap();
    app.run_jobs().await;
    let organiser = org.insider();
    followed(app, org, users, organiser).await;
}

/// S7.1 for an event in the service mailbox, of which no copy is kept.
async fn s7_1_an_event_deleted_from_the_service_mailbox_is_noticed(app: TestApp) {
    let org = app.with_tenant("Service", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let booking = app.book(&org, &users[org.outsider()], "service", json!({})).await;
    assert_eq!(booking["writtenVia"], "SERVICE_ACCOUNT", "{booking}");
    let uid = app.interviews(&org, org.mailbox()).await[0]["ical_uid"].clone();
    app.by_hand(&org, "delete", json!({ "mailbox": org.mailbox(), "event": uid })).await;
    let seen = app.booking(&org, booking["id"].as_str().unwrap()).await;
    assert_eq!(seen["state"], "MISSING", "{seen}");
    app.finish().await;
}

both! {
    s7_bookings_follow_their_events_at_microsoft,
    s7_bookings_follow_their_events_at_google,
    s7_bookings_follow_their_events_at_exchange,
    s7_1_an_event_deleted_from_the_service_mailbox_is_noticed,
}
