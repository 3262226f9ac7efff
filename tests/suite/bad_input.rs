//! Bad input gives a stable code and changes nothing; one organisation's consent never serves another tenant.

mod foreign_ids;

use demo::browser::Location;
use serde_json::{Value, json};

use self::foreign_ids::{
    a_foreign_id_and_an_unknown_one_are_not_found_by_any_mutation,
    an_unknown_tenant_user_or_key_is_not_found_for_the_vendors_staff,
    every_mutation_that_takes_an_id_is_tried,
};
use crate::harness::{
    Org, TestApp,
    steps::{ACCEPTED_TERMS, EVENING, at, evening, landed, member},
};

/// Everything of a tenant that a change could show in.
pub async fn everything(app: &TestApp, tenant: &str) -> Value {
    let query = "{ tenant { plan features version }
        users(first: 50) { edges { node { id name version roles { id } } } } roles { id name permissions }
        integrations(first: 10) { edges { node { id state serviceMailbox version } } }
        connectedMailboxes(first: 50) { edges { node { id state version } } }
        openIdIssuers(first: 10) { nodes { id name version } }
        campaigns(first: 10) { edges { node { id state } } }
        bookings(first: 10) { edges { node { id state start version } } }
        runs(first: 100) { edges { node { id workflow status } } } }";
    app.vendor_for(tenant).query(query, json!({})).await
}

/// Nothing was booked and nothing was ordered.
async fn assert_untouched(app: &TestApp, org: &Org, before: &Value) {
    app.run_jobs().await;
    assert_eq!(everything(app, &org.tenant).await, *before);
}

async fn a_malformed_zone_or_time_is_refused_and_changes_nothing(app: TestApp) {
    let org = app.with_tenant("Times", 3, 1).await;
    let users = app.with_users(&org, 3).await;
    app.connect(&org).await;
    let vendor = app.vendor_for(&org.tenant);
    let booking = app.book(&org, &users[0], "first", json!({})).await;
    let before = everything(&app, &org.tenant).await;
    for zone in ["Mars/Olympus", "", "CEST+2", "Europe/Berlin "] {
        let user = json!({ "email": "zone@times.test", "name": "Zone", "timeZone": zone });
        assert_eq!(vendor.refused("createUser", "user { id }", user).await, "ZONE_UNKNOWN", "{zone:?}");
        let user = json!({ "id": users[0], "timeZone": zone });
        assert_eq!(vendor.refused("updateUser", "user { id }", user).await, "ZONE_UNKNOWN", "{zone:?}");
        let wish = evening(&users[1], "zone", json!({ "timeZone": zone }));
        assert_eq!(vendor.refused("createBooking", "booking { id }", wish).await, "ZONE_UNKNOWN", "{zone:?}");
        let to = json!({ "id": booking["id"], "start": EVENING.0, "end": EVENING.1, "timeZone": zone, "idempotencyKey": "z" });
        assert_eq!(vendor.refused("moveBooking", "booking { id }", to).await, "ZONE_UNKNOWN", "{zone:?}");
    }
    for (start, end, code) in [
        (EVENING.1, EVENING.0, "END_BEFORE_START"),
        (EVENING.0, EVENING.0, "END_BEFORE_START"),
        ("2026-12-16T18:00:00Z", "2026-12-18T18:00:00Z", "TOO_LONG"),
        ("2026-11-30T18:00:00Z", "2026-11-30T18:30:00Z", "IN_THE_PAST"),
        ("tomorrow", EVENING.1, "BAD_USER_INPUT"),
    ] {
        let wish = evening(&users[1], "time", json!({ "start": start, "end": end }));
        assert_eq!(vendor.refused("createBooking", "booking { id }", wish).await, code, "{start} {end}");
        let to = json!({ "id": booking["id"], "start": start, "end": end, "idempotencyKey": "t" });
        assert_eq!(vendor.refused("moveBooking", "booking { id }", to).await, code, "{start} {end}");
    }
    assert_untouched(&app, &org, &before).await;
    app.finish().await;
}

async fn other_bad_input_has_its_own_code_and_changes_nothing(app: TestApp) {
    let org = app.with_tenant("Other", 3, 1).await;
    let users = app.with_users(&org, 3).await;
    app.connect(&org).await;
    let vendor = app.vendor_for(&org.tenant);
    let before = everything(&app, &org.tenant).await;
    let taken = json!({ "email": org.people()[0], "name": "Twice" });
    let creation = json!({ "provider": "MICROSOFT_365", "name": " ", "accessLevel": "FULL" });
    let elsewhere = json!({ "provider": "MICROSOFT_365", "name": "Calendars", "accessLevel": "FULL", "returnUrl": "https://evil.example/" });
    let group = json!({ "provider": "MICROSOFT_365", "name": "Calendars", "accessLevel": "RESTRICTED", "scopeGroup": "x".repeat(257) });
    for (field, selection, input, code) in [
        ("createUser", "user { id }", json!({ "email": "no address", "name": "Nobody" }), "EMAIL_MALFORMED"),
        ("createUser", "user { id }", taken, "EMAIL_TAKEN"),
        ("createIntegration", "integration { id }", creation, "NAME_MALFORMED"),
        ("createIntegration", "integration { id }", elsewhere, "RETURN_URL_NOT_ALLOWED"),
        ("createIntegration", "integration { id }", group, "TEXT_TOO_LONG"),
        (
            "createBooking",
            "booking { id }",
            evening(&users[0], "k", json!({ "title": "  " })),
            "TITLE_MISSING",
        ),
        ("createBooking", "booking { id }", evening(&users[0], "", json!({})), "IDEMPOTENCY_KEY_MALFORMED"),
        (
            "createBooking",
            "booking { id }",
            evening(&users[0], "k", json!({ "bufferBeforeMinutes": -1 })),
            "BUFFER_OUT_OF_RANGE",
        ),
        (
            "updateUser",
            "user { id }",
            json!({ "id": users[0], "name": "New", "ifVersion": 99 }),
            "VERSION_CONFLICT",
        ),
    ] {
        assert_eq!(vendor.refused(field, selection, input.clone()).await, code, "{field}({input})");
    }
    assert_untouched(&app, &org, &before).await;
    app.finish().await;
}

async fn a_key_that_is_used_for_something_else_is_refused(app: TestApp) {
    let org = app.with_tenant("Keys", 3, 1).await;
    let users = app.with_users(&org, 3).await;
    app.connect(&org).await;
    let vendor = app.vendor_for(&org.tenant);
    let first = app.order_booking(&org, &users[0], "same", json!({})).await;
    let again = app.order_booking(&org, &users[0], "same", json!({})).await;
    assert_eq!(first, again, "the same request is answered again");
    app.settle().await;
    let before = everything(&app, &org.tenant).await;
    let other = evening(&users[0], "same", json!({ "title": "Something else" }));
    assert_eq!(vendor.refused("createBooking", "booking { id }", other).await, "IDEMPOTENCY_MISMATCH");
    assert_untouched(&app, &org, &before).await;
    assert_eq!(app.interviews(&org, org.people()[0]).await.len(), 1);
    app.finish().await;
}

async fn s2_5_a_provider_that_is_down_is_told_apart_and_leaves_nothing(app: TestApp) {
    let org = app.with_tenant("Down", 3, 1).await;
    app.with_users(&org, 3).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::sign_in).await;
    app.fault(json!({ "match": { "path_contains": "oauth2/v2.0/token" }, "times": 100, "action": "outage" }))
        .await;
    let place = app.send(&mut browser, &page, &[]).await;
    let place = match place {
        Location::Page(page) if page.next.is_some() => app.send(&mut browser, &page, ACCEPTED_TERMS).await,
        _ => place,
    };
    assert_eq!(landed(&place)["reason"], "PROVIDER_UNAVAILABLE");
    app.run_jobs().await;
    let integration = app.integration(&org).await;
    assert_eq!(
        (&integration["state"], &integration["reason"]["code"]),
        (&json!("FAILED"), &json!("PROVIDER_UNAVAILABLE"))
    );
    assert_eq!(app.remains(&org).await, []);
    // The same of a query that asks the provider.
    app.clear_faults().await;
    let mut browser = app.browser(&org);
    app.beside_jobs(browser.complete_pages(&link)).await.unwrap();
    app.run_jobs().await;
    let before = everything(&app, &org.tenant).await;
    app.fault(json!({ "times": 100, "action": "outage" })).await;
    let id = app.integration(&org).await["id"].clone();
    let query = "query($id: ID!) { directory(integrationId: $id) { people { address } } }";
    let body = app.vendor_for(&org.tenant).ask(query, json!({ "id": id })).await;
    let extensions = &body["errors"][0]["extensions"];
    assert_eq!(
        (&extensions["code"], &extensions["retryable"]),
        (&json!("PROVIDER_UNAVAILABLE"), &json!(true)),
        "{body}"
    );
    assert_untouched(&app, &org, &before).await;
    app.finish().await;
}

async fn a_consent_for_another_organisation_binds_nothing(app: TestApp) {
    let org = app.with_tenant("Signed In", 3, 1).await;
    let other = app.with_tenant("Consenting", 3, 1).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::consent).await;
    // The same consent page, for the other organisation: its administrator really consents there.
    let (here, there) = (org.sandbox["id"].as_str().unwrap(), other.sandbox["id"].as_str().unwrap());
    let lured = page.url.as_str().replace(here, there);
    assert_eq!(member(&page, "client_id"), app.application.0);
    let mut place = app.beside_jobs(browser.open(lured.parse().unwrap())).await.unwrap();
    while let Location::Page(page) = &place
        && page.next.is_some()
    {
        assert!(at::consent(page), "{}", page.url);
        place = app.send(&mut browser, page, &[]).await;
    }
    let said = landed(&place);
    assert_eq!(said["reason"], "TENANT_MISMATCH");
    app.run_jobs().await;
    let journal = app.journal(0).await;
    assert!(
        journal.iter().any(|entry| entry["outcome"] == "consented"),
        "the consent was given: {journal:?}"
    );
    assert_eq!(app.remains(&org).await, []);
    assert_eq!(app.remains(&other).await, []);
    assert_eq!(app.integration(&org).await["state"], "FAILED");
    app.finish().await;
}

async fn an_organisation_that_is_bound_to_another_tenant_is_refused(app: TestApp) {
    let org = app.with_tenant("First", 3, 1).await;
    app.with_users(&org, 3).await;
    app.connect(&org).await;
    let before = everything(&app, &org.tenant).await;
    let thief = Org { tenant: app.with_tenant("Second", 2, 1).await.tenant, sandbox: org.sandbox.clone() };
    let link = app.invite(&thief).await;
    let mut browser = app.browser(&thief);
    let place = app.walk_to(&mut browser, &link, at::consent).await;
    let place = app.send(&mut browser, &place, &[]).await;
    let page = match place {
        Location::Page(page) if at::consent(&page) => app.send(&mut browser, &page, &[]).await,
        place => place,
    };
    let page = page.page().unwrap();
    assert_eq!(
        (page.state.as_deref(), page.code.as_deref()),
        (Some("FAILED"), Some("ORGANISATION_TAKEN")),
        "{}",
        page.text
    );
    app.run_jobs().await;
    let integration = app.integration(&thief).await;
    assert_eq!(
        (&integration["state"], &integration["reason"]["code"]),
        (&json!("FAILED"), &json!("ORGANISATION_TAKEN"))
    );
    assert_eq!(app.remains(&thief).await, []);
    // The one that is bound keeps everything.
    assert_untouched(&app, &org, &before).await;
    let remains = app.remains(&org).await;
    assert!(
        remains.contains(&("external_binding", 1)) && remains.contains(&("consent_grant", 1)),
        "{remains:?}"
    );
    app.finish().await;
}

both! {
    a_foreign_id_and_an_unknown_one_are_not_found_by_any_mutation,
    an_unknown_tenant_user_or_key_is_not_found_for_the_vendors_staff,
    every_mutation_that_takes_an_id_is_tried,
    a_malformed_zone_or_time_is_refused_and_changes_nothing,
    other_bad_input_has_its_own_code_and_changes_nothing,
    a_key_that_is_used_for_something_else_is_refused,
    s2_5_a_provider_that_is_down_is_told_apart_and_leaves_nothing,
    a_consent_for_another_organisation_binds_nothing,
    an_organisation_that_is_bound_to_another_tenant_is_refused,
}
