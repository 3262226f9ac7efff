//! What goes wrong at the provider, planted there, and what becomes of it.

use chrono::Duration;
use demo::browser::Location;
use serde_json::{Value, json};
use workflows::reconcile::Reconciler;

use crate::harness::{
    Org, TestApp,
    steps::{at, evening, landed},
};

async fn throttling_during_activation_is_obeyed_and_changes_no_state(app: TestApp) {
    let org = app.with_tenant("Throttled", 4, 1).await;
    app.with_users(&org, 4).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::authorisation).await;
    let mailbox = org.people()[org.insider()];
    let fault =
        json!({ "match": { "path_contains": mailbox }, "times": 1, "action": "throttle", "retry_after": 2 });
    app.fault(fault).await;
    landed(&app.send(&mut browser, &page, &[]).await);
    app.run_jobs().await;
    let throttled =
        |journal: &[Value]| journal.iter().filter(|entry| entry["outcome"] == "throttled").count();
    assert_eq!(throttled(&app.journal(0).await), 1, "the fault hit");
    let states = app.connections(&org).await;
    assert_eq!(states[mailbox]["state"], "PENDING", "{states:?}");
    // It is not asked for before the time that was named, and the limit that all nodes keep ends with it.
    let before = app.journal(0).await.len();
    app.advance(Duration::seconds(1)).await;
    let early = app.journal(before).await;
    assert!(early.iter().all(|entry| !entry["path"].as_str().unwrap().contains(mailbox)), "{early:?}");
    app.advance(Duration::seconds(2)).await;
    app.advance(Duration::seconds(30)).await;
    assert_eq!(app.mailbox_state(&org, mailbox).await, "ACTIVE");
    let states = app.connections(&org).await;
    assert_eq!(states.values().filter(|node| node["state"] == "ACTIVE").count(), 4, "{states:?}");
    app.finish().await;
}

async fn an_outage_during_a_write_passes_and_the_booking_is_written_once(app: TestApp) {
    let org = app.with_tenant("Outage", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    app.fault(json!({ "times": 4, "action": "outage" })).await;
    let room = app.room_ids(&org).await[org.room(0)].clone();
    let id = app.order_booking(&org, &users[org.insider()], "key", json!({ "roomIds": [room] })).await;
    app.run_jobs().await;
    let waits = app.booking(&org, &id).await;
    assert_eq!(waits["state"], "HELD", "{waits}");
    // The slot is held meanwhile.
    let taken = evening(&users[org.insider()], "other", json!({}));
    assert_eq!(
        app.vendor_for(&org.tenant).refused("createBooking", "booking { id }", taken).await,
        "SLOT_TAKEN"
    );
    for _ in 0..6 {
        app.advance(Duration::seconds(30)).await;
    }
    let booking = app.booking(&org, &id).await;
    assert_eq!(
        (&booking["state"], &booking["writtenVia"]),
        (&json!("CONFIRMED"), &json!("ORGANISER")),
        "{booking}"
    );
    assert_eq!(app.interviews(&org, org.people()[org.insider()]).await.len(), 1);
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

async fn an_answer_that_is_lost_after_a_write_leaves_exactly_one_event(app: TestApp) {
    let org = app.with_tenant("Dropped", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let fault = json!({ "match": { "method": "POST", "path_contains": "/events" }, "times": 1, "action": "drop_after" });
    for (index, user, calendar) in
        [(0, &users[org.insider()], org.people()[org.insider()]), (1, &users[org.outsider()], org.mailbox())]
    {
        let before = app.journal(0).await.len();
        app.fault(fault.clone()).await;
        let time = json!({ "start": format!("2026-12-16T{}:00:00Z", 18 + index), "end": format!("2026-12-16T{}:30:00Z", 18 + index) });
        let id = app.order_booking(&org, user, &format!("key {index}"), time).await;
        app.run_jobs().await;
        for _ in 0..4 {
            app.advance(Duration::seconds(15)).await;
        }
        let journal = app.journal(before).await;
        let lost =
            journal.iter().filter(|entry| entry["outcome"] == "created" && entry["status"] == 0).count();
        assert_eq!(lost, 1, "the event was written and the answer lost: {journal:?}");
        let booking = app.booking(&org, &id).await;
        assert_eq!(booking["state"], "CONFIRMED", "{booking}");
        assert_eq!(app.interviews(&org, calendar).await.len(), 1, "{journal:?}");
    }
    app.finish().await;
}

async fn state(app: &TestApp, org: &Org) -> (String, String) {
    let integration = app.integration(org).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&integration["state"]), text(&integration["reason"]["code"]))
}

async fn s2_5_a_revoked_consent_and_no_outage_turns_the_status_and_a_reconnection_turns_it_back(
    app: TestApp,
) {
    let org = app.with_tenant("Revoked", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    let id = app.connect(&org).await;
    app.reconcile(Reconciler::Health).await;
    assert_eq!(state(&app, &org).await.0, "ACTIVE");
    let kept = app.book(&org, &users[org.insider()], "before", json!({})).await;
    // A bad moment of the provider is no revocation.
    app.fault(json!({ "times": 50, "action": "outage" })).await;
    app.reconcile(Reconciler::Health).await;
    assert_eq!(state(&app, &org).await.0, "ACTIVE");
    app.clear_faults().await;
    app.revoke(&org).await;
    app.reconcile(Reconciler::Health).await;
    assert_eq!(state(&app, &org).await, ("FAILING".to_owned(), "CONSENT_LOST".to_owned()));
    assert_eq!(
        app.mailbox_state(&org, org.people()[org.insider()]).await,
        "ACTIVE",
        "mailboxes keep their state"
    );
    let vendor = app.vendor_for(&org.tenant);
    let again = vendor.mutate("reconnectIntegration", "run { id }", json!({ "id": id })).await;
    assert_eq!(again["userErrors"], json!([]), "{again}");
    let input =
        json!({ "email": org.admin(), "returnUrl": crate::harness::steps::LANDING, "integrationId": id });
    let link = vendor.mutate("inviteAdministrator", "url", input).await;
    let mut browser = app.browser(&org);
    app.beside_jobs(browser.complete_pages(link["url"].as_str().unwrap())).await.unwrap();
    app.run_jobs().await;
    assert_eq!(state(&app, &org).await, ("ACTIVE".to_owned(), String::new()));
    app.reconcile(Reconciler::Health).await;
    assert_eq!(state(&app, &org).await.0, "ACTIVE");
    // What was booked before can be changed as before.
    let cancel = json!({ "id": kept["id"], "idempotencyKey": "cancel" });
    vendor.mutate("cancelBooking", "booking { id }", cancel).await;
    app.settle().await;
    assert_eq!(app.booking(&org, kept["id"].as_str().unwrap()).await["state"], "CANCELLED");
    app.finish().await;
}

async fn a_reconnection_with_another_organisation_is_refused_and_changes_nothing(app: TestApp) {
    let org = app.with_tenant("Same", 3, 1).await;
    let other = app.with_tenant("Another", 3, 1).await;
    app.with_users(&org, 3).await;
    let id = app.connect(&org).await;
    let vendor = app.vendor_for(&org.tenant);
    vendor.mutate("reconnectIntegration", "run { id }", json!({ "id": id })).await;
    let input =
        json!({ "email": other.admin(), "returnUrl": crate::harness::steps::LANDING, "integrationId": id });
    let link = vendor.mutate("inviteAdministrator", "url", input).await;
    let mut browser = app.browser(&other);
    let page = app.walk_to(&mut browser, link["url"].as_str().unwrap(), at::consent).await;
    let mut place = app.send(&mut browser, &page, &[]).await;
    if let Location::Page(page) = &place
        && at::consent(page)
    {
        place = app.send(&mut browser, page, &[]).await;
    }
    let said = place.page().unwrap();
    assert_eq!(said.code.as_deref(), Some("TENANT_MISMATCH"), "{}", said.text);
    app.run_jobs().await;
    let remains = app.remains(&org).await;
    assert!(
        remains.contains(&("external_binding", 1)) && remains.contains(&("consent_grant", 1)),
        "{remains:?}"
    );
    assert_eq!(app.integration(&org).await["organisationId"], org.sandbox["id"]);
    app.finish().await;
}

async fn a_mailbox_that_leaves_the_scope_is_unreachable_and_booked_through_the_service_account(app: TestApp) {
    let org = app.with_tenant("Moved", 5, 1).await;
    let users = app.with_users(&org, 5).await;
    app.connect(&org).await;
    // Not the one whose mailbox tells a lost consent from a lost mailbox.
    let known_good = {
        let txn = app.node.services.store.read(org.id()).await.unwrap();
        entity::integration::of(org.id()).one(&txn).await.unwrap().unwrap().known_good.unwrap()
    };
    let people = org.people();
    let is_lost = |index: &usize| {
        *index != org.outsider() && people[*index] != known_good && people[*index] != org.admin()
    };
    let index = (0..people.len()).find(is_lost).unwrap();
    app.scope(&org, people[index], false).await;
    app.clock.advance(Duration::hours(1));
    app.reconcile(Reconciler::Calendars).await;
    let lost = app.connections(&org).await[people[index]].clone();
    assert_eq!(
        (&lost["state"], &lost["route"]),
        (&json!("UNREACHABLE"), &json!("SERVICE_ACCOUNT")),
        "{lost}"
    );
    assert_eq!(lost["reason"]["code"], "MAILBOX_OUT_OF_SCOPE");
    assert_eq!(state(&app, &org).await, ("DEGRADED".to_owned(), "MAILBOXES_LOST".to_owned()));
    let booking = app.book(&org, &users[index], "lost", json!({})).await;
    assert_eq!(
        (&booking["state"], &booking["writtenVia"]),
        (&json!("CONFIRMED"), &json!("SERVICE_ACCOUNT")),
        "{booking}"
    );
    assert_eq!(app.interviews(&org, org.mailbox()).await.len(), 1);
    app.finish().await;
}

async fn a_mailbox_that_is_found_lost_while_it_is_written_to_is_booked_through_the_service_account(
    app: TestApp,
) {
    let org = app.with_tenant("Found", 5, 1).await;
    let users = app.with_users(&org, 5).await;
    app.connect(&org).await;
    let known_good = {
        let txn = app.node.services.store.read(org.id()).await.unwrap();
        entity::integration::of(org.id()).one(&txn).await.unwrap().unwrap().known_good.unwrap()
    };
    let people = org.people();
    let index =
        (0..people.len()).find(|index| *index != org.outsider() && people[*index] != known_good).unwrap();
    app.scope(&org, people[index], false).await;
    let booking = app.book(&org, &users[index], "lost", json!({})).await;
    assert_eq!(
        (&booking["state"], &booking["writtenVia"]),
        (&json!("CONFIRMED"), &json!("SERVICE_ACCOUNT")),
        "{booking}"
    );
    assert_eq!(app.mailbox_state(&org, people[index]).await, "UNREACHABLE");
    assert_eq!(app.interviews(&org, people[index]).await.len(), 1, "invited, as everybody else");
    app.finish().await;
}

async fn s2_9_a_person_outside_the_scope_connects_the_own_calendar_beside_the_central_connection(
    app: TestApp,
) {
    let org = app.with_tenant("Personal", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let address = org.people()[org.outsider()];
    let user = app.user(&org.tenant, &users[org.outsider()]).await;
    let query = "mutation { connectOwnCalendar(input: {}) { url userErrors { code } } }";
    let begun = user.query(query, json!({})).await;
    let url = begun["connectOwnCalendar"]["url"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &url, at::sign_in).await;
    let asked = crate::harness::steps::member(&page, "code_challenge_method");
    assert_eq!(asked, "S256", "the code is bound to this session");
    // Somebody else's account is not taken.
    let mut other = app.browser(&org);
    let again =
        app.open(&mut other, url.strip_prefix(app.base.as_str().trim_end_matches('/')).unwrap()).await;
    assert_eq!(again.page().unwrap().code.as_deref(), Some("SESSION_OVER"), "the address works once");
    let mut place = app.send(&mut browser, &page, &[("address", address)]).await;
    while let Location::Page(page) = &place
        && at::sign_in(page)
    {
        place = app.send(&mut browser, page, &[]).await;
    }
    app.run_jobs().await;
    let own = app.connections(&org).await[address].clone();
    assert_eq!(
        (&own["state"], &own["route"], &own["viaServiceAccount"]),
        (&json!("ACTIVE"), &json!("OWN"), &json!(false)),
        "{own}"
    );
    let booking = app.book(&org, &users[org.outsider()], "own", json!({})).await;
    assert_eq!(
        (&booking["writtenVia"], &booking["mailbox"]),
        (&json!("ORGANISER"), &json!(address)),
        "{booking}"
    );
    assert_eq!(app.interviews(&org, address).await.len(), 1);
    // The central connection stands beside it, and whoever it reaches needs no consent of their own.
    let all = app.connections(&org).await;
    for (index, person) in org.people().into_iter().enumerate().filter(|(index, _)| *index != org.outsider())
    {
        let node = &all[person];
        assert_eq!(
            (&node["state"], &node["route"], &node["viaServiceAccount"]),
            (&json!("ACTIVE"), &json!("DELEGATED"), &json!(true)),
            "{index}: {node}"
        );
    }
    assert!(app.remains(&org).await.contains(&("consent_grant", 2)), "the organisation's and this one");
    let central = app.book(&org, &users[org.insider()], "central", json!({})).await;
    assert_eq!((&central["state"], &central["writtenVia"]), (&json!("CONFIRMED"), &json!("ORGANISER")));
    app.finish().await;
}

async fn a_consent_of_somebody_else_does_not_connect_a_persons_calendar(app: TestApp) {
    let org = app.with_tenant("Impostor", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let user = app.user(&org.tenant, &users[org.outsider()]).await;
    let begun = user.query("mutation { connectOwnCalendar(input: {}) { url } }", json!({})).await;
    let url = begun["connectOwnCalendar"]["url"].as_str().unwrap().to_owned();
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &url, at::sign_in).await;
    let mut place = app.send(&mut browser, &page, &[("address", org.people()[org.insider()])]).await;
    while let Location::Page(page) = &place
        && at::sign_in(page)
    {
        place = app.send(&mut browser, page, &[]).await;
    }
    assert_eq!(place.page().unwrap().code.as_deref(), Some("ACCOUNT_MISMATCH"));
    app.run_jobs().await;
    assert_eq!(app.mailbox_state(&org, org.people()[org.outsider()]).await, "UNREACHABLE");
    assert!(app.remains(&org).await.contains(&("consent_grant", 1)), "only the organisation's");
    app.finish().await;
}

/// A sign-in name is whatever an account's own organisation made it, and no proof of anything.
async fn a_sign_in_name_that_is_the_owners_proves_nothing_at_microsoft(app: TestApp) {
    let org = app.with_tenant("Namesake", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let owner = org.people()[org.outsider()];
    let order = json!({ "name": "Stranger", "users": 2, "rooms": 1, "weeks": 1, "seed": 4, "from": app.now().date_naive() });
    let stranger = app.control("/control/organisations/generate", order).await;
    let account = stranger["users"][0]["address"].as_str().unwrap();
    let path = format!("/control/organisations/{}/mailbox", stranger["id"].as_str().unwrap());
    app.control(&path, json!({ "address": account, "sign_in_name": owner })).await;
    let user = app.user(&org.tenant, &users[org.outsider()]).await;
    let begun = user.query("mutation { connectOwnCalendar(input: {}) { url } }", json!({})).await;
    let url = begun["connectOwnCalendar"]["url"].as_str().unwrap().to_owned();
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &url, at::sign_in).await;
    let mut place = app.send(&mut browser, &page, &[("address", account)]).await;
    while let Location::Page(page) = &place
        && at::sign_in(page)
    {
        place = app.send(&mut browser, page, &[]).await;
    }
    assert_eq!(place.page().unwrap().code.as_deref(), Some("ACCOUNT_MISMATCH"));
    app.run_jobs().await;
    assert!(app.remains(&org).await.contains(&("consent_grant", 1)), "only the organisation's");
    app.finish().await;
}

both! {
    throttling_during_activation_is_obeyed_and_changes_no_state,
    an_outage_during_a_write_passes_and_the_booking_is_written_once,
    an_answer_that_is_lost_after_a_write_leaves_exactly_one_event,
    s2_5_a_revoked_consent_and_no_outage_turns_the_status_and_a_reconnection_turns_it_back,
    a_reconnection_with_another_organisation_is_refused_and_changes_nothing,
    a_mailbox_that_leaves_the_scope_is_unreachable_and_booked_through_the_service_account,
    a_mailbox_that_is_found_lost_while_it_is_written_to_is_booked_through_the_service_account,
    s2_9_a_person_outside_the_scope_connects_the_own_calendar_beside_the_central_connection,
    a_consent_of_somebody_else_does_not_connect_a_persons_calendar,
    a_sign_in_name_that_is_the_owners_proves_nothing_at_microsoft,
}
