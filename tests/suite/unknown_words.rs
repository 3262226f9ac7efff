//! Words of a newer version, as they appear during a rolling upgrade: shown as unknown, and nobody acts on them.

use chrono::Duration;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::harness::{
    Org, TestApp,
    steps::{at, evening},
};

/// A word that no version so far has for anything.
const NEWER: &str = "PAUSED";
const UNKNOWN: &str = "STATE_UNKNOWN";

/// Stores a state as a newer version would; returns the one before.
async fn store(app: &TestApp, org: &Org, table: &str, id: &str, state: &str) -> String {
    let id = id.split_once('_').map(|(_, digits)| digits.parse::<uuid::Uuid>().unwrap()).unwrap();
    let column = if table == "run" { "status" } else { "state" };
    let db = &app.node.services.store;
    let txn = db.write(org.id()).await.unwrap();
    let read = format!("SELECT {column} FROM {table} WHERE tenant_id = $1 AND id = $2");
    let read = Statement::from_sql_and_values(db.backend(), read, [org.id().into(), id.into()]);
    let before: String = txn.query_one_raw(read).await.unwrap().unwrap().try_get("", column).unwrap();
    let write = format!("UPDATE {table} SET {column} = $3 WHERE tenant_id = $1 AND id = $2");
    let values = [org.id().into(), id.into(), state.into()];
    txn.execute_raw(Statement::from_sql_and_values(db.backend(), write, values)).await.unwrap();
    txn.commit().await.unwrap();
    before
}

/// Every one of these mutations is refused because of the unknown word.
async fn all_refused(app: &TestApp, org: &Org, mutations: &[(&str, Value)]) {
    let vendor = app.vendor_for(&org.tenant);
    for (field, input) in mutations {
        assert_eq!(vendor.refused(field, "__typename", input.clone()).await, UNKNOWN, "{field}");
    }
}

async fn run(app: &TestApp, org: &Org, id: &Value) -> Value {
    let query = "query($id: ID!) { run(id: $id) { status reason { code nextAction } } }";
    app.vendor_for(&org.tenant).query(query, json!({ "id": id })).await["run"].clone()
}

/// The run waits, says why and what a person can do, and goes on waiting.
async fn waits(app: &TestApp, org: &Org, id: &Value) {
    for _ in 0..2 {
        app.advance(Duration::seconds(61)).await;
        let run = run(app, org, id).await;
        assert_eq!((&run["status"], &run["reason"]["code"]), (&json!("WAITING"), &json!(UNKNOWN)), "{run}");
        assert!(run["reason"]["nextAction"].as_str().unwrap().contains("operator"), "{run}");
    }
}

async fn connected(app: &TestApp) -> (Org, Vec<String>, String) {
    let org = app.with_tenant("Upgrade", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    let integration = app.connect(&org).await;
    (org, users, integration)
}

/// A booking that begins an hour later than that of `evening`.
fn later(organiser: &str, key: &str) -> Value {
    evening(organiser, key, json!({ "start": "2026-12-16T19:00:00Z", "end": "2026-12-16T19:30:00Z" }))
}

fn moved(id: &str) -> Value {
    json!({ "id": id, "start": "2026-12-16T20:00:00Z", "end": "2026-12-16T20:30:00Z", "idempotencyKey": "m" })
}

fn cancelled(id: &str) -> Value {
    json!({ "id": id, "message": "Sorry", "idempotencyKey": "c" })
}

async fn a_booking_in_an_unknown_state_is_neither_written_nor_moved_nor_cancelled(app: TestApp) {
    let (org, users, _) = connected(&app).await;
    let id = app.order_booking(&org, &users[org.insider()], "one", json!({})).await;
    let before = store(&app, &org, "booking", &id, NEWER).await;
    let booking = app.booking(&org, &id).await;
    assert_eq!((before.as_str(), &booking["state"]), ("HELD", &json!("UNKNOWN")));
    let query =
        "query($state: BookingState!) { bookings(filter: {state: $state}) { edges { node { id } } } }";
    for (state, found) in [("UNKNOWN", json!([{ "node": { "id": id } }])), ("HELD", json!([]))] {
        let listed = app.vendor_for(&org.tenant).query(query, json!({ "state": state })).await;
        assert_eq!(listed["bookings"]["edges"], found, "{state}");
    }
    let restored = json!({ "id": id, "idempotencyKey": "r" });
    let changes = [
        ("moveBooking", moved(&id)),
        ("restoreBooking", restored),
        ("acceptBookingTime", json!({ "id": id })),
        ("cancelBooking", cancelled(&id)),
    ];
    all_refused(&app, &org, &changes).await;
    waits(&app, &org, &booking["run"]["id"]).await;
    let mailbox = org.people()[org.insider()];
    assert_eq!(app.interviews(&org, mailbox).await, Vec::<Value>::new());
    assert_eq!(store(&app, &org, "booking", &id, "HELD").await, NEWER, "it stands as it was stored");
    app.advance(Duration::seconds(61)).await;
    app.settle().await;
    assert_eq!(app.booking(&org, &id).await["state"], "CONFIRMED");
    assert_eq!(app.interviews(&org, mailbox).await.len(), 1);
    app.finish().await;
}

async fn a_cancellation_waits_until_the_state_of_its_booking_is_known(app: TestApp) {
    let (org, users, _) = connected(&app).await;
    let id = app.book(&org, &users[org.insider()], "one", json!({})).await["id"].as_str().unwrap().to_owned();
    let vendor = app.vendor_for(&org.tenant);
    let made = vendor.mutate("cancelBooking", "run { id }", cancelled(&id)).await;
    let before = store(&app, &org, "booking", &id, NEWER).await;
    waits(&app, &org, &made["run"]["id"]).await;
    let mailbox = org.people()[org.insider()];
    assert_eq!(app.interviews(&org, mailbox).await.len(), 1, "the event stands");
    store(&app, &org, "booking", &id, &before).await;
    app.advance(Duration::seconds(61)).await;
    assert_eq!(app.booking(&org, &id).await["state"], "CANCELLED");
    assert_eq!(app.interviews(&org, mailbox).await, Vec::<Value>::new());
    app.finish().await;
}

async fn an_integration_in_an_unknown_state_is_not_used(app: TestApp) {
    let (org, users, integration) = connected(&app).await;
    let organiser = &users[org.insider()];
    let id = app.order_booking(&org, organiser, "one", json!({})).await;
    let connections = app.connections(&org).await;
    let before = store(&app, &org, "integration", &integration, NEWER).await;
    assert_eq!(app.integration(&org).await["state"], "UNKNOWN");
    let this = json!({ "id": integration });
    all_refused(
        &app,
        &org,
        &[
            ("verifyIntegration", this.clone()),
            ("reconnectIntegration", this),
            ("startCampaign", json!({ "integrationId": integration })),
            ("activateConnectedMailbox", json!({ "id": connections[org.people()[0]]["id"] })),
            ("createBooking", later(organiser, "two")),
        ],
    )
    .await;
    let booking = app.booking(&org, &id).await;
    waits(&app, &org, &booking["run"]["id"]).await;
    let mailbox = org.people()[org.insider()];
    assert_eq!(app.interviews(&org, mailbox).await, Vec::<Value>::new());
    assert_eq!(app.booking(&org, &id).await["state"], "HELD", "nothing is undone");
    assert_eq!(store(&app, &org, "integration", &integration, &before).await, NEWER);
    app.advance(Duration::seconds(61)).await;
    app.settle().await;
    assert_eq!(app.booking(&org, &id).await["state"], "CONFIRMED");
    app.finish().await;
}

async fn a_mailbox_in_an_unknown_state_is_neither_activated_nor_excluded_nor_booked(app: TestApp) {
    let (org, users, _) = connected(&app).await;
    let address = org.people()[org.insider()];
    let id = app.connections(&org).await[address]["id"].as_str().unwrap().to_owned();
    let this = json!({ "id": id });
    let vendor = app.vendor_for(&org.tenant);
    let made = vendor.mutate("activateConnectedMailbox", "run { id }", this.clone()).await;
    let before = store(&app, &org, "connection", &id, NEWER).await;
    assert_eq!(app.mailbox_state(&org, address).await, "UNKNOWN");
    let query = "{ connectedMailboxes(filter: {state: UNKNOWN}) { totalCount } }";
    assert_eq!(vendor.query(query, json!({})).await["connectedMailboxes"]["totalCount"], 1);
    all_refused(
        &app,
        &org,
        &[
            ("activateConnectedMailbox", this.clone()),
            ("excludeConnectedMailbox", this.clone()),
            ("disconnectConnectedMailbox", this),
            ("createBooking", evening(&users[org.insider()], "one", json!({}))),
        ],
    )
    .await;
    waits(&app, &org, &made["run"]["id"]).await;
    assert_eq!(store(&app, &org, "connection", &id, &before).await, NEWER);
    app.advance(Duration::seconds(61)).await;
    assert_eq!(run(&app, &org, &made["run"]["id"]).await["status"], "DONE");
    assert_eq!(app.mailbox_state(&org, address).await, "ACTIVE");
    app.finish().await;
}

async fn a_consent_waits_until_the_state_of_its_integration_is_known(app: TestApp) {
    let org = app.with_tenant("Consent", 4, 1).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::authorisation).await;
    let integration = app.integration(&org).await["id"].as_str().unwrap().to_owned();
    let before = store(&app, &org, "integration", &integration, NEWER).await;
    assert_eq!(before, "AWAITING_AUTHORIZATION");
    all_refused(&app, &org, &[("authoriseIntegration", json!({ "id": integration }))]).await;
    store(&app, &org, "integration", &integration, &before).await;
    app.send_all(&mut browser, &page).await;
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

async fn a_run_with_an_unknown_status_is_left_to_newer_servers(app: TestApp) {
    let (org, users, _) = connected(&app).await;
    let id = app.order_booking(&org, &users[org.insider()], "one", json!({})).await;
    let run_id = app.booking(&org, &id).await["run"]["id"].clone();
    let text = run_id.as_str().unwrap();
    let before = store(&app, &org, "run", text, NEWER).await;
    assert_eq!(run(&app, &org, &run_id).await["status"], "UNKNOWN");
    all_refused(&app, &org, &[("retryRun", json!({ "id": run_id })), ("cancelRun", json!({ "id": run_id }))])
        .await;
    app.settle().await;
    assert_eq!(store(&app, &org, "run", text, &before).await, NEWER);
    assert_eq!(app.booking(&org, &id).await["state"], "HELD");
    app.advance(Duration::seconds(61)).await;
    app.settle().await;
    assert_eq!(app.booking(&org, &id).await["state"], "CONFIRMED");
    app.finish().await;
}

both! {
    a_booking_in_an_unknown_state_is_neither_written_nor_moved_nor_cancelled,
    a_cancellation_waits_until_the_state_of_its_booking_is_known,
    an_integration_in_an_unknown_state_is_not_used,
    a_mailbox_in_an_unknown_state_is_neither_activated_nor_excluded_nor_booked,
    a_consent_waits_until_the_state_of_its_integration_is_known,
    a_run_with_an_unknown_status_is_left_to_newer_servers,
}
