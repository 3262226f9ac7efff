//! Availability and bookings.

use domain::{Id, StandardRole, ids};
use serde_json::{Value, json};
use services::{
    Change,
    change::{BookingChange, WriteTarget},
};

use crate::graphql::setup::{Setup, at, text};

const CREATE: &str = "mutation($input: CreateBookingInput!) {
    createBooking(input: $input) {
        booking { id title state start version participants { kind name answer } organiserLine serviceAccountLabel }
        run { id workflow status subjectId }
        notice
        userErrors {
            __typename code path
            ... on SlotTakenError { conflicts { code holder { id name } } alternatives { start end } }
        }
    }
}";

fn input(organiser: Id<ids::User>, rooms: &[Id<ids::Room>], hour: i64, key: &str) -> Value {
    json!({ "input": {
        "organiserId": organiser, "title": "Interview", "start": text(at(hour)), "end": text(at(hour + 1)),
        "timeZone": "Europe/Berlin", "roomIds": rooms, "idempotencyKey": key,
    } })
}

#[tokio::test]
async fn a_booking_answers_itself_and_its_run_and_a_taken_slot_says_by_whom_and_when_else() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let anna = setup.person(tenant, integration, "anna").await;
    let room = setup.room(tenant, integration, "attic").await;
    let hr = setup.user(tenant, StandardRole::HumanResources).await;
    let made = setup.ask(&hr, CREATE, input(anna, &[room], 9, "k1")).await["createBooking"].clone();
    assert_eq!(made["userErrors"], json!([]));
    let booking = &made["booking"];
    assert_eq!(booking["organiserLine"], "Organised by anna");
    assert_eq!(booking["serviceAccountLabel"], Value::Null);
    assert_eq!(booking["start"], "2025-11-08T09:00:00Z");
    assert_eq!(booking["participants"][0], json!({ "kind": "ORGANISER", "name": "anna", "answer": "NONE" }));
    assert_eq!(booking["participants"][1]["kind"], "ROOM");
    assert_eq!(made["run"]["workflow"], "write_booking");
    assert_eq!(made["run"]["subjectId"], booking["id"]);
    let again = setup.ask(&hr, CREATE, input(anna, &[room], 9, "k1")).await["createBooking"].clone();
    assert_eq!((&again["booking"]["id"], &again["run"]["id"]), (&booking["id"], &made["run"]["id"]));
    let other = setup.ask(&hr, CREATE, input(anna, &[], 9, "k1")).await["createBooking"].clone();
    let mismatch = json!({ "__typename": "SimpleError", "code": "IDEMPOTENCY_MISMATCH", "path": ["input", "idempotencyKey"] });
    assert_eq!(other["userErrors"], json!([mismatch]));
    let taken = setup.ask(&hr, CREATE, input(anna, &[room], 9, "k2")).await["createBooking"].clone();
    let error = &taken["userErrors"][0];
    assert_eq!((&error["__typename"], &error["code"]), (&json!("SlotTakenError"), &json!("SLOT_TAKEN")));
    let holders: Vec<_> =
        error["conflicts"].as_array().unwrap().iter().map(|one| one["holder"].clone()).collect();
    assert_eq!(json!(holders), json!([{ "id": anna, "name": "anna" }, { "id": room, "name": "attic" }]));
    assert!(!error["alternatives"].as_array().unwrap().is_empty(), "other times are named");
}

#[tokio::test]
async fn a_booking_is_moved_and_cancelled_by_whoever_may() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let anna = setup.person(tenant, integration, "anna").await;
    let (made_by, moved_by) = (
        setup.user(tenant, StandardRole::HumanResources).await,
        setup.user(tenant, StandardRole::Administrator).await,
    );
    let made =
        setup.ask(&made_by, CREATE, input(anna, &[], 9, "k1")).await["createBooking"]["booking"].clone();
    let written = BookingChange {
        id: made["id"].as_str().unwrap().parse::<Id<ids::Booking>>().unwrap(),
        state: Some(domain::state::BookingState::Confirmed),
        ..BookingChange::default()
    };
    setup.change(tenant, vec![Change::Booking(written)]).await;
    let to_other_time = "mutation($input: MoveBookingInput!) {
        moveBooking(input: $input) { booking { id } run { workflow } userErrors { code path } }
    }";
    let to = |version: i64, key: &str| {
        json!({ "input": {
            "id": made["id"], "start": text(at(11)), "end": text(at(12)), "ifVersion": version, "idempotencyKey": key,
        } })
    };
    let stale = setup.ask(&moved_by, to_other_time, to(99, "m1")).await["moveBooking"].clone();
    assert_eq!(stale["userErrors"][0]["code"], "VERSION_CONFLICT");
    let version = "query($id: ID!) { booking(id: $id) { version } }";
    let version = setup.ask(&moved_by, version, json!({ "id": made["id"] })).await;
    let version = version["booking"]["version"].as_i64().unwrap();
    let after = setup.ask(&moved_by, to_other_time, to(version, "m2")).await["moveBooking"].clone();
    assert_eq!((&after["userErrors"], &after["run"]["workflow"]), (&json!([]), &json!("move_booking")));
    let cancel = "mutation($id: ID!) {
        cancelBooking(input: {id: $id, message: \"Sorry\", idempotencyKey: \"c1\"}) {
            booking { id } run { workflow } userErrors { code }
        }
    }";
    let cancelled = setup.ask(&moved_by, cancel, json!({ "id": made["id"] })).await["cancelBooking"].clone();
    assert_eq!(cancelled["run"]["workflow"], "cancel_booking");
}

#[tokio::test]
async fn s4_7_a_booking_through_the_service_account_is_marked_and_names_its_organiser() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let anna = setup.person(tenant, integration, "anna").await;
    let mailbox = Change::ServiceMailbox {
        integration,
        address: "service@acme.example".to_owned(),
        name: "Service".to_owned(),
    };
    setup.change(tenant, vec![mailbox]).await;
    let admin = setup.user(tenant, StandardRole::Administrator).await;
    let made = setup.ask(&admin, CREATE, input(anna, &[], 9, "k1")).await["createBooking"]["booking"].clone();
    let accounts = setup
        .services
        .service_accounts()
        .of_integrations(setup.services.tenant_scope(tenant), &[integration])
        .await
        .unwrap();
    let via = WriteTarget {
        written_via: domain::WrittenVia::ServiceAccount,
        integration,
        service_account: Some(accounts[0].id),
        mailbox: "service@acme.example".to_owned(),
    };
    let id = made["id"].as_str().unwrap().parse::<Id<ids::Booking>>().unwrap();
    let change = BookingChange { id, via: Some(via), ..BookingChange::default() };
    setup.change(tenant, vec![Change::Booking(change)]).await;
    let query = "query($id: ID!) { booking(id: $id) {
        writtenVia serviceAccountLabel organiserLine mailbox serviceAccount { address isCurrent } organiser { name }
    } }";
    let shown = setup.ask(&admin, query, json!({ "id": id })).await;
    let expected = json!({
        "writtenVia": "SERVICE_ACCOUNT",
        "serviceAccountLabel": "This booking has been made via a service account",
        "organiserLine": "Organised by anna",
        "mailbox": "service@acme.example",
        "serviceAccount": { "address": "service@acme.example", "isCurrent": true },
        "organiser": { "name": "anna" },
    });
    assert_eq!(shown["booking"], expected);
}

#[tokio::test]
async fn availability_offers_slots_and_says_who_is_unknown() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let anna = setup.person(tenant, integration, "anna").await;
    let room = setup.room(tenant, integration, "attic").await;
    let hr = setup.user(tenant, StandardRole::HumanResources).await;
    setup.ask(&hr, CREATE, input(anna, &[], 10, "k1")).await;
    let query = "query($input: AvailabilityInput!, $start: DateTime!) {
        availability(input: $input) {
            slots { start rooms { name } }
            participants { holder { name user { email } room { capacity } } known reason { code } }
        }
        explainSlot(input: $input, start: $start) { code participant { name } }
    }";
    let search = |user: Id<ids::User>| {
        let rooms = json!({ "anyOf": [room] });
        let input = json!({
            "from": text(at(9)), "until": text(at(12)), "durationMinutes": 60, "stepMinutes": 60,
            "userIds": [user], "rooms": rooms,
        });
        json!({ "input": input, "start": text(at(10)) })
    };
    let found = setup.ask(&hr, query, search(anna)).await;
    let slots = json!([
        { "start": "2025-11-08T09:00:00Z", "rooms": [{ "name": "attic" }] },
        { "start": "2025-11-08T11:00:00Z", "rooms": [{ "name": "attic" }] },
    ]);
    assert_eq!(found["availability"]["slots"], slots);
    assert_eq!(found["availability"]["participants"][0]["holder"]["user"]["email"], "anna@acme.example");
    assert_eq!(found["explainSlot"], json!([{ "code": "BUSY", "participant": { "name": "anna" } }]));
    let create =
        "mutation { createUser(input: {email: \"b@acme.example\", name: \"bert\"}) { user { id } } }";
    let bert = setup.ask(&hr, create, json!({})).await["createUser"]["user"]["id"].as_str().unwrap().parse();
    let unknown = setup.ask(&hr, query, search(bert.unwrap())).await;
    assert_eq!(unknown["availability"]["slots"], json!([]), "it fails closed");
    let reason = &unknown["availability"]["participants"][0]["reason"];
    assert_eq!(*reason, json!({ "code": "CALENDAR_UNKNOWN" }), "S1.14: who is not connected is visible");
}

#[tokio::test]
async fn a_list_of_bookings_comes_with_everything_around_it() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let room = setup.room(tenant, integration, "attic").await;
    let admin = setup.user(tenant, StandardRole::Administrator).await;
    for n in 0..12 {
        let user = setup.person(tenant, integration, &format!("user{n}")).await;
        let made = setup.ask(&admin, CREATE, input(user, &[room], 1 + n, &format!("k{n}"))).await;
        assert_eq!(made["createBooking"]["userErrors"], json!([]), "{n}");
    }
    let query = "query($room: ID!) { bookings(filter: {roomId: $room}, first: 12) {
        nodes {
            organiser { name calendar { state connectedMailbox { viaServiceAccount capabilities { create } } } }
            participants { room { name connectedMailbox { state } } user { roles { name } } }
            run { status workflow subject { ... on Booking { title } } }
            changes { what }
        }
        totalCount
    } }";
    let listed = setup.ask(&admin, query, json!({ "room": room })).await;
    let nodes = listed["bookings"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 12);
    for (n, node) in nodes.iter().enumerate() {
        assert_eq!(node["organiser"]["name"], format!("user{n}"));
        let connection = &node["organiser"]["calendar"]["connectedMailbox"];
        assert_eq!(*connection, json!({ "viaServiceAccount": true, "capabilities": { "create": true } }));
        assert_eq!(
            node["participants"][1]["room"],
            json!({ "name": "attic", "connectedMailbox": { "state": "ACTIVE" } })
        );
        assert_eq!(node["run"]["subject"]["title"], "Interview");
    }
    assert_eq!(listed["bookings"]["totalCount"], Value::Null);
    let counted = setup
        .ask(&admin, "{ connectedMailboxes(first: 1, filter: {rooms: false}) { totalCount } }", json!({}))
        .await;
    assert_eq!(counted["connectedMailboxes"]["totalCount"], 12);
}
