//! What the commonest operations cost: statements and round trips to PostgreSQL, counted on the wire and held in
//! `docs/counts.md`. The pool has a single connection, so an operation that needed two at a time would not end.

mod wire;

use std::fmt::Write as _;

use chrono::Duration;
use muster::config::Config;
use serde_json::{Value, json};

use self::wire::Wire;
use crate::harness::{Asker, Org, Setting, Stack, TestApp, steps::evening};

const BOOKINGS: &str =
    "{ bookings(first: 50) { edges { node { id title start end state organiser { id name } } } } }";
const BOOKING: &str = "query($id: ID!) { booking(id: $id) { id title start end state reason { code message } \
    organiser { name } participants { kind address answer } run { status } } }";
const MAILBOXES: &str = "{ connectedMailboxes(first: 50) { edges { node { id address state reason { message } \
    user { name } room { name } integration { provider } } } } }";
const USERS: &str =
    "{ users(first: 50) { edges { node { id name email roles { name } calendar { state } } } } }";
const ROOMS: &str = "{ rooms(first: 50) { edges { node { id name capacity connectedMailbox { state } } } } }";
const INTEGRATIONS: &str = "{ integrations(first: 10) { edges { node { id provider state reason { message } \
    serviceAccounts { address } verifications(first: 1) { verdict } } } } }";
const AVAILABILITY: &str =
    "query($input: AvailabilityInput!) { availability(input: $input) { slots { start end } } }";

/// The rows of the table, in its order.
struct Counts<'a> {
    wire: &'a Wire,
    asker: &'a Asker,
    table: String,
}

impl Counts<'_> {
    /// Asks twice, because the first time statements are prepared, and records the second.
    async fn asked(&mut self, name: &str, query: &str, variables: Value) -> Value {
        self.asker.query(query, variables.clone()).await;
        let (answer, cost) = self.wire.cost_of(self.asker.query(query, variables)).await;
        writeln!(self.table, "| {name} | {} | {} |", cost.statements, cost.round_trips).unwrap();
        answer
    }

    /// Sends a mutation that must not be refused, and records it.
    async fn changed(&mut self, name: Option<&str>, field: &str, selection: &str, input: Value) -> Value {
        let (answer, cost) = self.wire.cost_of(self.asker.mutate(field, selection, input)).await;
        assert_eq!(answer["userErrors"], json!([]), "{answer}");
        if let Some(name) = name {
            writeln!(self.table, "| {name} | {} | {} |", cost.statements, cost.round_trips).unwrap();
        }
        answer
    }
}

async fn reads(counts: &mut Counts<'_>, users: &[String], booking: &str) {
    let listed = counts.asked("50 bookings with their organisers", BOOKINGS, json!({})).await;
    assert_eq!(listed["bookings"]["edges"].as_array().unwrap().len(), 3, "{listed}");
    let one =
        counts.asked("a booking with its participants and its run", BOOKING, json!({ "id": booking })).await;
    assert_eq!(one["booking"]["id"], booking, "{one}");
    counts.asked("50 mailboxes with their users and rooms", MAILBOXES, json!({})).await;
    counts.asked("50 users with their roles and mailboxes", USERS, json!({})).await;
    counts.asked("50 rooms with their mailboxes", ROOMS, json!({})).await;
    counts.asked("the integrations with their last verification", INTEGRATIONS, json!({})).await;
    let input = json!({ "userIds": [users[0], users[1]], "durationMinutes": 30,
        "from": "2026-12-16T08:00:00Z", "until": "2026-12-16T17:00:00Z" });
    counts.asked("times at which two users can meet", AVAILABILITY, json!({ "input": input })).await;
}

async fn changes(counts: &mut Counts<'_>, app: &TestApp, organiser: &str) {
    // The first round prepares the statements.
    for round in [None, Some(())] {
        let named = |name: &'static str| round.map(|()| name);
        let key = format!("counted {round:?}");
        let (from, to) = ("2026-12-17T18:00:00Z", "2026-12-17T18:30:00Z");
        let input = evening(organiser, &key, json!({ "start": from, "end": to }));
        let made =
            counts.changed(named("create a booking"), "createBooking", "booking { id state }", input).await;
        app.settle().await;
        let id = made["booking"]["id"].clone();
        let input = json!({ "id": id, "start": "2026-12-17T19:00:00Z", "end": "2026-12-17T19:30:00Z", "idempotencyKey": key });
        counts.changed(named("move a booking"), "moveBooking", "booking { id state }", input).await;
        app.settle().await;
        let input = json!({ "id": id, "idempotencyKey": format!("{key} no more") });
        counts.changed(named("cancel a booking"), "cancelBooking", "booking { id state }", input).await;
        app.settle().await;
    }
}

async fn booked(app: &TestApp, org: &Org, users: &[String]) -> String {
    let mut last = String::new();
    for (index, user) in users.iter().take(3).enumerate() {
        let day = 14 + index;
        let times =
            json!({ "start": format!("2026-12-{day}T18:00:00Z"), "end": format!("2026-12-{day}T18:30:00Z") });
        last = app.order_booking(org, user, &format!("booked {index}"), times).await;
    }
    app.settle().await;
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commonest_operations_cost_what_is_written_down() {
    let wire = std::cell::OnceCell::new();
    let setting = Setting {
        config: Box::new(|config: Config| {
            let through = Wire::before(&config.database_url);
            let url = through.url.clone();
            wire.set(through).unwrap();
            Config { database_url: url, connections: 1, ..config }
        }),
        ..Setting::default()
    };
    let app = TestApp::set(Stack::Servers, setting).await;
    let wire = wire.into_inner().unwrap();
    let org = app.with_tenant("Counted", 6, 2).await;
    let users = app.with_users(&org, 6).await;
    app.connect(&org).await;
    let booking = booked(&app, &org, &users[1..]).await;
    app.clock.advance(Duration::seconds(1));
    let asker = app.vendor_for(&org.tenant);
    let mut counts = Counts { wire: &wire, asker: &asker, table: String::new() };
    reads(&mut counts, &users, &booking).await;
    changes(&mut counts, &app, &users[org.insider()]).await;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/counts.md");
    let text = format!(
        "# What operations cost\n\nStatements and round trips to PostgreSQL of one request over the API, once its statements are \
         prepared and its caller is known, `BEGIN` included. Counted on the wire by `tests/suite/counts.rs`; `UPDATE=1 scripts/test \
         --workspace -E 'test(commonest_operations)'` writes the table anew.\n\n| operation | statements | round trips |\n|---|---|---|\n{}",
        counts.table
    );
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text);
    app.finish().await;
}
