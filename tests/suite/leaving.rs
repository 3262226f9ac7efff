//! A way out: an attempt is removed, a mailbox or an integration is disconnected, a tenant is erased (S6.5-S6.8).

mod erasure;
mod providers;

use chrono::Duration;
use serde_json::{Value, json};
use workflows::reconcile::Reconciler;

use crate::harness::{
    Org, TestApp,
    steps::{at, refusing},
};

const PREVIEW: &str = "query($id: ID!) { integrationDisconnectionPreview(id: $id) { mailboxes calendarCopies channels \
    ownConsents ownConsentsWithdrawn secrets consentWithdrawn bookingCount integration { version } \
    bookings(first: 10) { totalCount edges { node { id } } } } }";

/// What goes and what stays, before it does.
async fn preview(app: &TestApp, org: &Org, id: &str) -> Value {
    let shown = app.vendor_for(&org.tenant).query(PREVIEW, json!({ "id": id })).await;
    shown["integrationDisconnectionPreview"].clone()
}

/// Requests that the integration be disconnected.
async fn request_disconnection(app: &TestApp, org: &Org, id: &str) -> Value {
    let version = preview(app, org, id).await["integration"]["version"].clone();
    let input = json!({ "id": id, "ifVersion": version });
    let made = app.vendor_for(&org.tenant).mutate("disconnectIntegration", "run { id }", input).await;
    assert_eq!(made["userErrors"], json!([]), "{made}");
    made["run"]["id"].clone()
}

/// Lets the run work to its end, which takes a look at the runs that it stops.
async fn to_the_end(app: &TestApp, org: &Org, run: &Value) {
    for _ in 0..6 {
        app.run_jobs().await;
        app.advance(Duration::seconds(70)).await;
    }
    app.run_jobs().await;
    let query = "query($id: ID!) { run(id: $id) { status reason { code message } } }";
    let run = app.vendor_for(&org.tenant).query(query, json!({ "id": run })).await["run"].clone();
    assert_eq!(run["status"], "DONE", "{run}");
}

/// The integrations with those that were disconnected.
async fn with_removed(app: &TestApp, org: &Org) -> Vec<Value> {
    let query = "{ integrations(first: 10, includeRemoved: true) { edges { node { id state organisationId \
                 reason { code nextAction } } } } }";
    crate::harness::steps::nodes(&app.vendor_for(&org.tenant).query(query, json!({})).await["integrations"])
}

async fn s6_5_an_attempt_that_never_became_active_is_removed_with_its_run(app: TestApp) {
    let org = app.with_tenant("Wreck", 3, 1).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::authorisation).await;
    let id = app.integration(&org).await["id"].clone();
    let vendor = app.vendor_for(&org.tenant);
    let input = json!({ "id": id, "ifVersion": 1 });
    let refused = vendor.refused("disconnectIntegration", "__typename", input).await;
    assert!(["INTEGRATION_NEVER_CONNECTED", "VERSION_CONFLICT"].contains(&refused.as_str()), "{refused}");

    let removed = vendor.mutate("removeIntegration", "removedIntegrationId", json!({ "id": id })).await;
    assert_eq!((&removed["removedIntegrationId"], &removed["userErrors"]), (&id, &json!([])));
    assert_eq!(with_removed(&app, &org).await, Vec::<Value>::new());
    app.run_jobs().await;
    assert_eq!(app.remains(&org).await, [], "nothing is half-connected, and no run is left");
    let gone = app.send(&mut browser, &page, &[]).await.page().unwrap();
    assert!(gone.code.is_some(), "its page acts no more: {}", gone.text);
    let refused = vendor.refused("removeIntegration", "__typename", json!({ "id": id })).await;
    assert_eq!(refused, "NOT_FOUND");

    // The same link serves for another attempt.
    app.beside_jobs(app.browser(&org).complete_pages(&link)).await.unwrap();
    app.run_jobs().await;
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

async fn s6_5_a_declined_attempt_is_removed_and_an_integration_in_use_is_not(app: TestApp) {
    let org = app.with_tenant("Declined", 3, 1).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::consent).await;
    app.send_all(&mut browser, &refusing(&page)).await;
    app.run_jobs().await;
    let declined = app.integration(&org).await;
    assert_eq!(declined["state"], "DECLINED");
    let vendor = app.vendor_for(&org.tenant);
    vendor.mutate("removeIntegration", "removedIntegrationId", json!({ "id": declined["id"] })).await;
    assert_eq!(with_removed(&app, &org).await, Vec::<Value>::new());

    let id = app.connect(&org).await;
    let refused = vendor.refused("removeIntegration", "__typename", json!({ "id": id })).await;
    assert_eq!(refused, "INTEGRATION_WAS_CONNECTED");
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

async fn s6_6_one_mailbox_is_disconnected_and_only_a_person_connects_it_again(app: TestApp) {
    let org = app.with_tenant("One", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    let integration = app.connect(&org).await;
    let address = org.people()[org.insider()].to_owned();
    let booking = app.book(&org, &users[org.insider()], "one", json!({})).await;
    let id = app.connections(&org).await[&address]["id"].clone();
    let vendor = app.vendor_for(&org.tenant);
    let query = "query($id: ID!) { mailboxDisconnectionPreview(id: $id) { events hasChannel hasOwnConsent \
                 ownConsentWithdrawn bookingCount bookings(first: 5) { edges { node { id } } } \
                 connectedMailbox { version } } }";
    let shown = vendor.query(query, json!({ "id": id })).await["mailboxDisconnectionPreview"].clone();
    assert!(shown["events"].as_i64().unwrap() > 0, "{shown}");
    assert_eq!((&shown["bookingCount"], &shown["hasOwnConsent"]), (&json!(1), &json!(false)), "{shown}");
    assert_eq!(shown["bookings"]["edges"][0]["node"]["id"], booking["id"]);

    let stale = json!({ "id": id, "ifVersion": 0 });
    let refused = vendor.refused("disconnectConnectedMailbox", "__typename", stale).await;
    assert_eq!(refused, "VERSION_CONFLICT");
    let input = json!({ "id": id, "ifVersion": shown["connectedMailbox"]["version"] });
    let made = vendor.mutate("disconnectConnectedMailbox", "run { id }", input).await;
    let now = app.connections(&org).await[&address].clone();
    assert_eq!(
        (&now["state"], &now["reason"]["code"]),
        (&json!("DISCONNECTED"), &json!("CALENDAR_DISCONNECTED"))
    );
    to_the_end(&app, &org, &made["run"]["id"]).await;
    let left = vendor.query(query, json!({ "id": id })).await["mailboxDisconnectionPreview"].clone();
    assert_eq!((&left["events"], &left["bookingCount"]), (&json!(0), &json!(1)), "{left}");
    assert_eq!(app.interviews(&org, &address).await.len(), 1, "the event stays");

    let requests = app.journal(0).await.len();
    vendor.mutate("startCampaign", "campaign { id }", json!({ "integrationId": integration })).await;
    app.run_jobs().await;
    for reconciler in Reconciler::ALL {
        app.reconcile(reconciler).await;
    }
    app.run_jobs().await;
    assert_eq!(app.mailbox_state(&org, &address).await, "DISCONNECTED");
    let read = app.journal(requests).await.into_iter().filter(|entry| entry["mailbox"] == json!(address));
    assert_eq!(read.collect::<Vec<_>>(), Vec::<Value>::new(), "nobody reads it");

    vendor.mutate("activateConnectedMailbox", "run { id }", json!({ "id": id })).await;
    app.run_jobs().await;
    assert_eq!(app.mailbox_state(&org, &address).await, "ACTIVE");
    app.finish().await;
}

async fn s6_7_an_integration_is_previewed_and_disconnected_and_its_bookings_stay(app: TestApp) {
    let org = app.with_tenant("Leaving", 4, 2).await;
    let users = app.with_users(&org, 4).await;
    let id = app.connect(&org).await;
    let room = app.room_ids(&org).await.into_values().next().unwrap();
    let organiser = &users[org.insider()];
    let booking = app.book(&org, organiser, "one", json!({ "roomIds": [room] })).await;
    let shown = preview(&app, &org, &id).await;
    assert!(shown["mailboxes"].as_i64() >= shown["calendarCopies"].as_i64(), "{shown}");
    assert!(shown["calendarCopies"].as_i64().unwrap() > 2, "{shown}");
    assert_eq!(
        (&shown["secrets"], &shown["consentWithdrawn"], &shown["bookingCount"]),
        (&json!(1), &json!(false), &json!(1)),
        "{shown}"
    );
    assert_eq!(shown["bookings"]["edges"][0]["node"]["id"], booking["id"]);
    let vendor = app.vendor_for(&org.tenant);
    let stale = json!({ "id": id, "ifVersion": 0 });
    assert_eq!(vendor.refused("disconnectIntegration", "__typename", stale).await, "VERSION_CONFLICT");

    let run = request_disconnection(&app, &org, &id).await;
    assert_eq!(app.integration(&org).await["state"], "RETIRING", "at once");
    for (field, input) in [
        ("verifyIntegration", json!({ "id": id })),
        ("reconnectIntegration", json!({ "id": id })),
        ("startCampaign", json!({ "integrationId": id })),
    ] {
        vendor.refused(field, "__typename", input).await;
    }
    to_the_end(&app, &org, &run).await;
    assert_eq!(app.integrations(&org).await, Vec::<Value>::new(), "it is no longer listed");
    let kept = with_removed(&app, &org).await.remove(0);
    assert_eq!((&kept["state"], &kept["organisationId"]), (&json!("REMOVED"), &Value::Null));
    let next = kept["reason"]["nextAction"].as_str().unwrap();
    assert!(next.contains("Microsoft 365 administrator"), "the consent is withdrawn there: {next}");
    let left: Vec<_> = app.remains(&org).await;
    assert_eq!(left, [("room", 1)], "the room that was booked");
    assert_eq!(app.room_ids(&org).await.len(), 0, "and nobody books it");
    assert_eq!(app.booking(&org, booking["id"].as_str().unwrap()).await["state"], "CONFIRMED");
    assert_eq!(app.interviews(&org, org.people()[org.insider()]).await.len(), 1, "it stays in the calendar");
    let input = json!({ "id": id, "ifVersion": 0 });
    assert_eq!(
        vendor.refused("disconnectIntegration", "__typename", input).await,
        "INTEGRATION_DISCONNECTED"
    );
    let input = json!({ "id": booking["id"], "idempotencyKey": "cancel" });
    vendor.mutate("cancelBooking", "booking { id }", input).await;
    app.settle().await;
    assert_eq!(app.booking(&org, booking["id"].as_str().unwrap()).await["state"], "CANCELLED");
    assert_eq!(app.interviews(&org, org.people()[org.insider()]).await.len(), 1, "only its time is free");
    app.finish().await;
}

/// Runs that work on it are stopped, and the organisation may be connected by anybody.
async fn s6_7_the_organisation_is_free_for_another_tenant_even_from_a_suspended_one(app: TestApp) {
    let org = app.with_tenant("First", 3, 1).await;
    app.with_users(&org, 3).await;
    let id = app.connect(&org).await;
    let vendor = app.vendor_for(&org.tenant);
    vendor.mutate("startCampaign", "campaign { id }", json!({ "integrationId": id })).await;
    vendor.mutate("verifyIntegration", "run { id }", json!({ "id": id })).await;
    app.vendor().mutate("setPlan", "tenant { id }", json!({ "tenantId": org.tenant, "plan": "BASIC" })).await;
    assert_eq!(app.integration(&org).await["state"], "SUSPENDED");
    let run = request_disconnection(&app, &org, &id).await;
    to_the_end(&app, &org, &run).await;
    assert_eq!(app.remains(&org).await, [], "no run and no copy is left");

    let input = json!({ "name": "Second", "plan": "PLUS", "returnUrls": [crate::harness::steps::LANDING] });
    let made = app.vendor().mutate("createTenant", "tenant { id }", input).await;
    let tenant = made["tenant"]["id"].as_str().unwrap().to_owned();
    let input = json!({ "tenantId": tenant, "feature": "SERVICE_ACCOUNT", "on": true });
    app.vendor().mutate("setFeature", "tenant { id }", input).await;
    let second = Org { tenant, sandbox: org.sandbox.clone() };
    app.connect(&second).await;
    assert_eq!(app.integration(&second).await["state"], "ACTIVE");
    app.finish().await;
}

/// Whoever may only connect calendars does not end what others use.
async fn s6_7_only_a_platform_administrator_disconnects(app: TestApp) {
    let org = app.with_tenant("Rights", 3, 1).await;
    let users = app.with_users(&org, 3).await;
    let id = app.connect(&org).await;
    let version = preview(&app, &org, &id).await["integration"]["version"].clone();
    let input = json!({ "id": id, "ifVersion": version });
    for (user, role, may) in [(0, "Calendar Connector", false), (1, "Platform Administration", true)] {
        app.give_role(&org, &users[user], role).await;
        let asker = app.user(&org.tenant, &users[user]).await;
        let query = "mutation($input: DisconnectIntegrationInput!) { disconnectIntegration(input: $input) { run { id } \
                     userErrors { code } } }";
        let answer = asker.ask(query, json!({ "input": input })).await;
        let done = answer["data"]["disconnectIntegration"]["run"]["id"].is_string();
        assert_eq!(done, may, "{role}: {answer}");
    }
    for _ in 0..3 {
        app.run_jobs().await;
        app.advance(Duration::seconds(70)).await;
    }
    app.finish().await;
}

both! {
    s6_5_an_attempt_that_never_became_active_is_removed_with_its_run,
    s6_5_a_declined_attempt_is_removed_and_an_integration_in_use_is_not,
    s6_6_one_mailbox_is_disconnected_and_only_a_person_connects_it_again,
    s6_7_an_integration_is_previewed_and_disconnected_and_its_bookings_stay,
    s6_7_the_organisation_is_free_for_another_tenant_even_from_a_suspended_one,
    s6_7_only_a_platform_administrator_disconnects,
}
