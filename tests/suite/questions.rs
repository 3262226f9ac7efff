//! What administrators ask: a user by e-mail, users without an address, rooms by their facts, a person's and a guest's
//! bookings, and whose changes the provider reports.

use serde_json::{Value, json};
use workflows::reconcile::Reconciler;

use crate::harness::{TestApp, steps::nodes};

const ROOMS: &str = "query($filter: RoomFilter) { rooms(filter: $filter, first: 50) {
    edges { node { id name building floor equipment capacity } } } }";
const USERS: &str = "query($filter: UserFilter) { users(filter: $filter) { edges { node { id email } } } }";
const BOOKINGS: &str =
    "query($filter: BookingFilter) { bookings(filter: $filter) { edges { node { id } } } }";

fn ids(found: &Value) -> Vec<String> {
    nodes(found).iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}

async fn s5_3_a_user_is_found_by_address_and_those_without_a_calendar_are_listed(app: TestApp) {
    let org = app.with_tenant("Asked", 3, 1).await;
    let users = app.with_users(&org, 3).await;
    let vendor = app.vendor_for(&org.tenant);
    let email = org.people()[1].to_uppercase();
    let found = vendor.query(USERS, json!({ "filter": { "email": email } })).await;
    assert_eq!(ids(&found["users"]), [users[1].clone()]);
    let nobody = vendor.query(USERS, json!({ "filter": { "email": "nobody@asked.test" } })).await;
    assert_eq!(ids(&nobody["users"]), Vec::<String>::new());
    let input = json!({ "email": "temp@elsewhere.test", "name": "Tem Porary" });
    let made = vendor.mutate("createUser", "user { id }", input).await;
    let without = vendor.query(USERS, json!({ "filter": { "hasCalendarAddress": false } })).await;
    assert_eq!(ids(&without["users"]), [made["user"]["id"].as_str().unwrap()]);
    let with = vendor.query(USERS, json!({ "filter": { "hasCalendarAddress": true } })).await;
    assert_eq!(ids(&with["users"]).len(), 3);
    app.finish().await;
}

async fn s5_3_rooms_are_found_by_building_floor_equipment_and_capacity(app: TestApp) {
    let org = app.with_tenant("Rooms", 2, 6).await;
    app.connect(&org).await;
    let vendor = app.vendor_for(&org.tenant);
    let all = nodes(&vendor.query(ROOMS, json!({})).await["rooms"]);
    assert!(all.len() >= 6, "{all:?}");
    let asked = async |filter: Value| ids(&vendor.query(ROOMS, json!({ "filter": filter })).await["rooms"]);
    let those = |fits: &dyn Fn(&Value) -> bool| -> Vec<String> {
        all.iter().filter(|room| fits(room)).map(|room| room["id"].as_str().unwrap().to_owned()).collect()
    };
    let has = |room: &Value, item: &Value| room["equipment"].as_array().unwrap().contains(item);
    let equipped = all.iter().find(|room| !room["equipment"].as_array().unwrap().is_empty()).unwrap();
    let item = equipped["equipment"][0].clone();
    let wanted = those(&|room| has(room, &item));
    assert!(!wanted.is_empty() && wanted.len() < all.len(), "some have it, some do not: {all:?}");
    assert_eq!(asked(json!({ "equipment": [item] })).await, wanted);
    assert_eq!(asked(json!({ "equipment": equipped["equipment"] })).await, {
        let whole = equipped["equipment"].as_array().unwrap();
        those(&|room| whole.iter().all(|item| has(room, item)))
    });
    assert_eq!(asked(json!({ "equipment": ["x' OR '1'='1"] })).await, Vec::<String>::new());
    for name in ["building", "floor"] {
        let value = all[0][name].clone();
        assert!(value.is_string(), "{all:?}");
        assert_eq!(asked(json!({ (name): value })).await, those(&|room| room[name] == value), "{name}");
    }
    let least = all.iter().filter_map(|room| room["capacity"].as_i64()).max().unwrap();
    assert_eq!(asked(json!({ "minCapacity": least })).await, those(&|room| room["capacity"] == least));
    app.finish().await;
}

async fn s5_3_the_bookings_of_a_person_and_of_a_guest_are_found(app: TestApp) {
    let org = app.with_tenant("Attended", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let inside: Vec<&String> = users
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != org.outsider())
        .map(|(_, user)| user)
        .collect();
    let guests = json!([{ "name": "Ada", "email": "ada@applicants.example" }]);
    let with_guest = json!({ "userIds": [inside[1]], "guests": guests });
    let first = app.book(&org, inside[0], "first", with_guest).await["id"].clone();
    let later = json!({ "start": "2026-12-16T20:00:00Z", "end": "2026-12-16T20:30:00Z" });
    let second = app.book(&org, inside[1], "second", later).await["id"].clone();
    let vendor = app.vendor_for(&org.tenant);
    let asked = async |filter: Value| -> Vec<Value> {
        let found = vendor.query(BOOKINGS, json!({ "filter": filter })).await;
        ids(&found["bookings"]).into_iter().map(Value::from).collect()
    };
    assert_eq!(asked(json!({ "participantId": inside[0] })).await, std::slice::from_ref(&first));
    assert_eq!(asked(json!({ "participantId": inside[1] })).await, [first.clone(), second.clone()]);
    assert_eq!(asked(json!({ "participantId": inside[2] })).await, Vec::<Value>::new());
    assert_eq!(asked(json!({ "guestEmail": "Ada@Applicants.example" })).await, std::slice::from_ref(&first));
    let both = json!({ "participantId": inside[1], "guestEmail": "ada@applicants.example" });
    assert_eq!(asked(both).await, [first]);
    let address = org.people()[0];
    assert_eq!(asked(json!({ "guestEmail": address })).await, Vec::<Value>::new(), "a user is no guest");
    app.finish().await;
}

async fn b17_whose_changes_the_provider_reports_is_shown(app: TestApp) {
    let org = app.with_tenant("Reported", 3, 1).await;
    app.with_users(&org, 3).await;
    app.connect(&org).await;
    let vendor = app.vendor_for(&org.tenant);
    let query =
        "{ connectedMailboxes(filter: {state: ACTIVE}) { edges { node { address changesReportedUntil } } } }";
    let reported = async || -> Vec<bool> {
        let all = nodes(&vendor.query(query, json!({})).await["connectedMailboxes"]);
        all.iter().map(|node| node["changesReportedUntil"].is_string()).collect()
    };
    let before = reported().await;
    assert!(!before.is_empty() && before.iter().all(|is_reported| !is_reported), "{before:?}");
    app.reconcile(Reconciler::Channels).await;
    assert!(reported().await.iter().all(|is_reported| *is_reported));
    app.clock.advance(chrono::Duration::days(400));
    assert!(
        reported().await.iter().all(|is_reported| !is_reported),
        "a channel that has expired reports nothing"
    );
    app.finish().await;
}

async fn the_tabs_of_graphiql_are_valid(app: TestApp) {
    let org = app.with_tenant("Tabs", 2, 1).await;
    let vendor = app.vendor_for(&org.tenant);
    for (query, variables) in api::graphiql::TASKS {
        let variables = match variables {
            "" => json!({}),
            text => serde_json::from_str(text).unwrap(),
        };
        let answer = vendor.ask(query, variables).await;
        // Ids are placeholders.
        let errors = answer["errors"].as_array().into_iter().flatten();
        let others: Vec<_> = errors.filter(|error| error["extensions"]["code"] != "NOT_FOUND").collect();
        assert!(others.is_empty(), "{query}: {answer}");
    }
    app.finish().await;
}

both! {
    the_tabs_of_graphiql_are_valid,
    b17_whose_changes_the_provider_reports_is_shown,
    s5_3_a_user_is_found_by_address_and_those_without_a_calendar_are_listed,
    s5_3_rooms_are_found_by_building_floor_equipment_and_capacity,
    s5_3_the_bookings_of_a_person_and_of_a_guest_are_found,
}
