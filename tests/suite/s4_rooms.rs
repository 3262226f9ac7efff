//! S4: service mailboxes, rooms, and bookings on behalf of people who cannot be reached.

use serde_json::{Value, json};

use crate::harness::{
    Org, TestApp,
    steps::{ACCEPTED_TERMS, EVENING, at, evening},
};

const MARK: &str = "This booking has been made via a service account";

/// Connects without choosing a service mailbox.
async fn connect_without_mailbox(app: &TestApp, org: &Org) -> String {
    let link = app.invite(org).await;
    let mut browser = app.browser(org);
    let page = app.walk_to(&mut browser, &link, at::choice).await;
    let mut none = ACCEPTED_TERMS.to_vec();
    none.push(("service_mailbox", ""));
    let place = app.send(&mut browser, &page, &none).await;
    app.send_all(&mut browser, &place.page().unwrap()).await;
    let integration = app.integration(org).await;
    assert_eq!((&integration["state"], &integration["serviceMailbox"]), (&json!("ACTIVE"), &Value::Null));
    integration["id"].as_str().unwrap().to_owned()
}

/// Proposes a service mailbox; returns the status and the reason of the run that verified it.
async fn propose(app: &TestApp, org: &Org, integration: &str, mailbox: &str) -> (String, Value) {
    let vendor = app.vendor_for(&org.tenant);
    let input = json!({ "integrationId": integration, "mailbox": mailbox });
    let made = vendor.mutate("setServiceMailbox", "run { id }", input).await;
    assert_eq!(made["userErrors"], json!([]), "{made}");
    app.run_jobs().await;
    let query = "query($id: ID!) { run(id: $id) { status reason { code message nextAction } } }";
    let seen = vendor.query(query, json!({ "id": made["run"]["id"] })).await;
    (seen["run"]["status"].as_str().unwrap().to_owned(), seen["run"]["reason"].clone())
}

async fn s4_1_a_service_mailbox_is_used_instead_of_an_administrators_own_address(app: TestApp) {
    let org = app.with_tenant("Mailbox", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let integration = app.integration(&org).await;
    assert_ne!(org.mailbox(), org.admin());
    assert_eq!(
        (&integration["consentedBy"], &integration["serviceMailbox"]),
        (&json!(org.admin()), &json!(org.mailbox()))
    );
    let booking = app.book(&org, &users[org.outsider()], "one", json!({})).await;
    assert_eq!(booking["serviceAccount"]["address"], org.mailbox(), "{booking}");
    assert_eq!(app.interviews(&org, org.mailbox()).await.len(), 1);
    assert_eq!(app.interviews(&org, org.admin()).await, Vec::<Value>::new());
    app.finish().await;
}

async fn s4_2_a_service_mailbox_is_chosen_while_connecting_or_added_later(app: TestApp) {
    let org = app.with_tenant("Later", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    let integration = connect_without_mailbox(&app, &org).await;
    let outside = evening(&users[org.outsider()], "early", json!({}));
    let early = app.vendor_for(&org.tenant).refused("createBooking", "booking { id }", outside).await;
    assert!(["CALENDAR_UNKNOWN", "NO_CALENDAR_TO_WRITE"].contains(&early.as_str()), "{early}");
    let (status, reason) = propose(&app, &org, &integration, org.mailbox()).await;
    assert_eq!(status, "DONE", "{reason}");
    assert_eq!(app.integration(&org).await["serviceMailbox"], org.mailbox());
    let booking = app.book(&org, &users[org.outsider()], "late", json!({})).await;
    assert_eq!(booking["state"], "CONFIRMED", "{booking}");
    // The other way, while an integration is made.
    let input = json!({ "provider": "MICROSOFT_365", "name": "Second", "accessLevel": "FULL",
        "serviceMailbox": org.mailbox() });
    let made = app
        .vendor_for(&org.tenant)
        .mutate("createIntegration", "integration { serviceMailbox }", input)
        .await;
    assert_eq!(made["integration"]["serviceMailbox"], org.mailbox(), "{made}");
    app.finish().await;
}

async fn s4_3_a_mailbox_becomes_the_current_one_only_when_its_verification_succeeded(app: TestApp) {
    let org = app.with_tenant("Proven", 4, 1).await;
    app.with_users(&org, 4).await;
    let integration = app.connect(&org).await;
    let (outsider, insider) = (org.people()[org.outsider()], org.people()[org.insider()]);
    let (domain, vendor) = (org.sandbox["domain"].as_str().unwrap(), app.vendor_for(&org.tenant));
    for wrong in ["no address", "@nobody", "two@at@signs"] {
        let input = json!({ "integrationId": integration, "mailbox": wrong });
        let code = vendor.refused("setServiceMailbox", "run { id }", input).await;
        assert!(code.ends_with("_MALFORMED"), "{wrong}: {code}");
    }
    for candidate in [format!("nobody@{domain}"), outsider.to_owned()] {
        let (status, reason) = propose(&app, &org, &integration, &candidate).await;
        assert_eq!(status, "FAILED", "{candidate}");
        assert_eq!(reason["code"], "CHECK_SERVICE_MAILBOX_FAILED", "{reason}");
        assert!(reason["nextAction"].is_string(), "{reason}");
        let now = app.integration(&org).await;
        assert_eq!(
            (&now["state"], &now["serviceMailbox"]),
            (&json!("ACTIVE"), &json!(org.mailbox())),
            "{candidate}"
        );
    }
    let input = json!({ "integrationId": integration, "mailbox": insider });
    vendor.mutate("setServiceMailbox", "run { id }", input).await;
    assert_eq!(app.integration(&org).await["serviceMailbox"], org.mailbox(), "it waits for its proof");
    app.run_jobs().await;
    let now = app.integration(&org).await;
    assert_eq!(now["serviceMailbox"], insider, "{now}");
    let accounts = now["serviceAccounts"].as_array().unwrap();
    let current: Vec<_> = accounts.iter().filter(|one| one["isCurrent"] == true).collect();
    assert_eq!((current.len(), &current[0]["address"]), (1, &json!(insider)), "{now}");
    assert!(accounts.iter().any(|one| one["address"] == org.mailbox()), "the former one is kept: {now}");
    app.finish().await;
}

async fn s4_4_verification_reports_on_the_mailbox_and_on_every_room(app: TestApp) {
    let org = app.with_tenant("Ladder", 3, 3).await;
    app.scope(&org, org.room(1), false).await;
    app.connect(&org).await;
    let checks = app.integration(&org).await["verifications"][0]["checks"].as_array().unwrap().clone();
    let of = |name: &str| checks.iter().filter(|check| check["name"] == name).cloned().collect::<Vec<_>>();
    assert_eq!(of("SERVICE_MAILBOX")[0]["verdict"], "PASSED");
    let write = &of("WRITE")[0];
    assert_eq!((&write["verdict"], &write["mailbox"]), (&json!("PASSED"), &json!(org.mailbox())));
    assert!(
        write["evidence"].as_str().unwrap().contains("at the same time"),
        "concurrency is proven: {write}"
    );
    let rooms = of("ROOM");
    assert_eq!(rooms.len(), 3, "each room is listed: {rooms:?}");
    for (index, verdict) in ["PASSED", "WARNED", "PASSED"].into_iter().enumerate() {
        let room = rooms.iter().find(|check| check["mailbox"] == org.room(index)).unwrap();
        assert_eq!(room["verdict"], verdict, "{room}");
        assert_eq!(room["nextAction"].is_string(), verdict != "PASSED", "{room}");
    }
    assert_eq!(app.integration(&org).await["state"], "ACTIVE", "a room that is not reached is no failure");
    app.finish().await;
}

async fn s4_5_the_service_mailbox_books_moves_and_cancels_on_microsoft_365(app: TestApp) {
    let org = app.with_tenant("Microsoft", 4, 2).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let room = app.room_ids(&org).await[org.room(0)].clone();
    let booking = app.book(&org, &users[org.outsider()], "book", json!({ "roomIds": [room] })).await;
    assert_eq!(
        (&booking["state"], &booking["writtenVia"]),
        (&json!("CONFIRMED"), &json!("SERVICE_ACCOUNT")),
        "{booking}"
    );
    let vendor = app.vendor_for(&org.tenant);
    let input = json!({ "id": booking["id"], "start": "2026-12-16T19:00:00Z", "end": "2026-12-16T19:30:00Z",
        "idempotencyKey": "move" });
    let moved = vendor.mutate("moveBooking", "booking { id }", input).await;
    assert_eq!(moved["userErrors"], json!([]), "{moved}");
    app.settle().await;
    let booking = app.booking(&org, booking["id"].as_str().unwrap()).await;
    assert_eq!(
        (&booking["state"], &booking["start"]),
        (&json!("CONFIRMED"), &json!("2026-12-16T19:00:00Z")),
        "{booking}"
    );
    for mailbox in [org.mailbox(), org.room(0)] {
        let starts: Vec<_> =
            app.calendar(&org, mailbox).await.into_iter().map(|event| event["start"].clone()).collect();
        let evening = |start: &&Value| {
            start.as_str().unwrap() >= EVENING.0 && start.as_str().unwrap() < "2026-12-16T23"
        };
        let evening: Vec<_> = starts.iter().filter(evening).collect();
        assert_eq!(evening.len(), 1, "{mailbox}: {starts:?}");
        assert!(evening[0].as_str().unwrap().starts_with("2026-12-16T19:00"), "{mailbox}: {starts:?}");
    }
    let input = json!({ "id": booking["id"], "idempotencyKey": "cancel" });
    vendor.mutate("cancelBooking", "booking { id }", input).await;
    app.run_jobs().await;
    assert_eq!(app.booking(&org, booking["id"].as_str().unwrap()).await["state"], "CANCELLED");
    assert_eq!(app.interviews(&org, org.mailbox()).await, Vec::<Value>::new());
    app.finish().await;
}

async fn s4_6_the_service_account_books_only_when_the_organiser_is_unreachable(app: TestApp) {
    let org = app.with_tenant("Only", 5, 1).await;
    let mut users = app.with_users(&org, 5).await;
    let nowhere = json!({ "email": "temp@elsewhere.test", "name": "Tem Porary" });
    let made = app.vendor_for(&org.tenant).mutate("createUser", "user { id }", nowhere).await;
    users.push(made["user"]["id"].as_str().unwrap().to_owned());
    app.connect(&org).await;
    for (index, user) in users.iter().enumerate() {
        let (start, end) = (
            format!("2026-12-16T18:{:02}:00Z", index * 10),
            format!("2026-12-16T18:{:02}:00Z", index * 10 + 5),
        );
        let booking =
            app.book(&org, user, &format!("key {index}"), json!({ "start": start, "end": end })).await;
        let own = org.people().get(index).filter(|_| index != org.outsider()).copied();
        let wanted = if own.is_some() { "ORGANISER" } else { "SERVICE_ACCOUNT" };
        assert_eq!(
            (&booking["state"], &booking["writtenVia"]),
            (&json!("CONFIRMED"), &json!(wanted)),
            "{booking}"
        );
        assert_eq!(booking["mailbox"], own.unwrap_or(org.mailbox()), "decided and recorded: {booking}");
    }
    assert_eq!(
        app.interviews(&org, org.mailbox()).await.len(),
        2,
        "the one out of scope, and the one without a mailbox"
    );
    app.finish().await;
}

async fn s4_6_a_passing_error_never_changes_the_way_of_a_booking(app: TestApp) {
    let org = app.with_tenant("Passing", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let own = org.people()[org.insider()];
    app.fault(
        json!({ "match": { "method": "POST", "path_contains": "/events" }, "times": 3, "action": "outage" }),
    )
    .await;
    let id = app.order_booking(&org, &users[org.insider()], "key", json!({})).await;
    app.run_jobs().await;
    assert_eq!(app.booking(&org, &id).await["state"], "HELD");
    for _ in 0..4 {
        app.advance(chrono::Duration::seconds(30)).await;
    }
    let booking = app.booking(&org, &id).await;
    assert_eq!(
        (&booking["writtenVia"], &booking["mailbox"]),
        (&json!("ORGANISER"), &json!(own)),
        "{booking}"
    );
    assert_eq!(app.mailbox_state(&org, own).await, "ACTIVE");
    assert_eq!(app.interviews(&org, org.mailbox()).await, Vec::<Value>::new());
    app.finish().await;
}

async fn s4_7_such_a_booking_is_marked_in_the_api_and_in_the_event(app: TestApp) {
    let org = app.with_tenant("Marked", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let marked = app.book(&org, &users[org.outsider()], "marked", json!({})).await;
    assert_eq!(marked["serviceAccountLabel"], MARK, "{marked}");
    let event = &app.interviews(&org, org.mailbox()).await[0];
    let text = event["body"].as_str().unwrap();
    assert!(text.contains(MARK) && text.contains("Second round"), "{event}");
    let own = app.book(&org, &users[org.insider()], "own", json!({})).await;
    assert_eq!(own["serviceAccountLabel"], Value::Null, "{own}");
    let event = &app.interviews(&org, org.people()[org.insider()]).await[0];
    assert!(!event["body"].as_str().unwrap().contains(MARK), "{event}");
    app.finish().await;
}

async fn s4_8_the_event_names_the_real_organiser(app: TestApp) {
    let org = app.with_tenant("Named", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let booking = app.book(&org, &users[org.outsider()], "named", json!({})).await;
    let name = org.sandbox["users"][org.outsider()]["name"].as_str().unwrap();
    let line = format!("Organised by {name}");
    assert_eq!(booking["organiserLine"], line, "{booking}");
    let event = &app.interviews(&org, org.mailbox()).await[0];
    assert!(event["body"].as_str().unwrap().contains(&line), "{event}");
    let invited = event["attendees"].as_array().unwrap();
    assert!(
        invited.iter().any(|one| one["address"] == org.people()[org.outsider()]),
        "the organiser is invited: {event}"
    );
    app.finish().await;
}

async fn s4_9_invitations_are_sent_from_the_service_mailbox(app: TestApp) {
    let org = app.with_tenant("Sender", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let before = app.mails(&org).await.len();
    let guests = json!({ "guests": [{ "name": "Gala Guest", "email": "gala@elsewhere.test" }],
        "userIds": [users[org.insider()]] });
    app.book(&org, &users[org.outsider()], "sender", guests).await;
    let sent = app.mails(&org).await.split_off(before);
    let to: Vec<_> =
        sent.iter().filter(|mail| mail["kind"] == "REQUEST").map(|mail| mail["to"].clone()).collect();
    for address in ["gala@elsewhere.test", org.people()[org.insider()], org.people()[org.outsider()]] {
        assert!(to.contains(&json!(address)), "{address} is invited: {sent:?}");
    }
    assert!(sent.iter().all(|mail| mail["kind"] != "REQUEST" || mail["from"] == org.mailbox()), "{sent:?}");
    let event = &app.interviews(&org, org.mailbox()).await[0];
    assert_eq!(
        (&event["organizer"]["address"], &event["is_organizer"]),
        (&json!(org.mailbox()), &json!(true)),
        "{event}"
    );
    app.finish().await;
}

async fn s4_11_with_only_room_mailboxes_in_scope_rooms_are_read_and_booked_and_people_are_not(app: TestApp) {
    let org = app.with_tenant("Rooms", 4, 2).await;
    for person in org.people() {
        app.scope(&org, person, false).await;
    }
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let connections = app.connections(&org).await;
    for (address, node) in &connections {
        let is_room = [org.room(0), org.room(1)].contains(&address.as_str());
        assert_eq!(node["state"], if is_room { "ACTIVE" } else { "UNREACHABLE" }, "{node}");
    }
    let integration = app.integration(&org).await;
    assert_eq!((&integration["state"], &integration["reason"]), (&json!("ACTIVE"), &Value::Null));
    let rooms = app.room_ids(&org).await;
    let query = "query($input: AvailabilityInput!) { availability(input: $input) { slots { start } } }";
    let wish = json!({ "from": EVENING.0, "until": EVENING.1, "durationMinutes": 30, "rooms": { "all": rooms.values().collect::<Vec<_>>() } });
    let free = app.vendor_for(&org.tenant).query(query, json!({ "input": wish })).await;
    assert_eq!(free["availability"]["slots"].as_array().unwrap().len(), 1, "rooms are read: {free}");
    let before = app.journal(0).await.len();
    let booking = app
        .book(&org, &users[1], "room", json!({ "roomIds": [rooms[org.room(0)]], "userIds": [users[2]] }))
        .await;
    assert_eq!(
        (&booking["state"], &booking["writtenVia"]),
        (&json!("CONFIRMED"), &json!("SERVICE_ACCOUNT")),
        "{booking}"
    );
    let room =
        booking["participants"].as_array().unwrap().iter().find(|one| one["kind"] == "ROOM").unwrap().clone();
    assert_eq!((&room["address"], &room["answer"]), (&json!(org.room(0)), &json!("ACCEPTED")));
    let taken = evening(&users[3], "again", json!({ "roomIds": [rooms[org.room(0)]] }));
    assert_eq!(
        app.vendor_for(&org.tenant).refused("createBooking", "booking { id }", taken).await,
        "SLOT_TAKEN"
    );
    let people = org.people();
    for entry in app.journal(before).await {
        let touched = entry["mailbox"].as_str().unwrap_or_default();
        assert!(!people.contains(&touched), "a person's mailbox was asked for: {entry}");
    }
    app.finish().await;
}

async fn s4_12_partial_access_is_a_normal_state(app: TestApp) {
    let org = app.with_tenant("Partial", 5, 2).await;
    app.scope(&org, org.room(1), false).await;
    let users = app.with_users(&org, 5).await;
    app.connect(&org).await;
    let states = app.connections(&org).await;
    let unreachable: Vec<_> = states.values().filter(|node| node["state"] == "UNREACHABLE").collect();
    assert_eq!(unreachable.len(), 2, "{states:?}");
    for node in unreachable {
        assert_eq!(node["reason"]["code"], "MAILBOX_OUT_OF_SCOPE", "{node}");
        assert!(node["reason"]["nextAction"].is_string(), "{node}");
    }
    let integration = app.integration(&org).await;
    assert_eq!(
        (&integration["state"], &integration["reason"]),
        (&json!("ACTIVE"), &Value::Null),
        "{integration}"
    );
    let query = "{ runs(first: 100) { edges { node { workflow status } } } }";
    let runs =
        crate::harness::steps::nodes(&app.vendor_for(&org.tenant).query(query, json!({})).await["runs"]);
    assert!(runs.iter().all(|run| run["status"] == "DONE"), "a result is no failure: {runs:?}");
    // Those who are reached are served as if nothing were missing.
    let booking = app.book(&org, &users[org.insider()], "fine", json!({})).await;
    assert_eq!(booking["writtenVia"], "ORGANISER");
    app.finish().await;
}

both! {
    s4_1_a_service_mailbox_is_used_instead_of_an_administrators_own_address,
    s4_2_a_service_mailbox_is_chosen_while_connecting_or_added_later,
    s4_3_a_mailbox_becomes_the_current_one_only_when_its_verification_succeeded,
    s4_4_verification_reports_on_the_mailbox_and_on_every_room,
    s4_5_the_service_mailbox_books_moves_and_cancels_on_microsoft_365,
    s4_6_the_service_account_books_only_when_the_organiser_is_unreachable,
    s4_6_a_passing_error_never_changes_the_way_of_a_booking,
    s4_7_such_a_booking_is_marked_in_the_api_and_in_the_event,
    s4_8_the_event_names_the_real_organiser,
    s4_9_invitations_are_sent_from_the_service_mailbox,
    s4_11_with_only_room_mailboxes_in_scope_rooms_are_read_and_booked_and_people_are_not,
    s4_12_partial_access_is_a_normal_state,
}
