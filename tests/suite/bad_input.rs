//! Bad input gives a stable code and changes nothing; one organisation's consent never serves another tenant.

use std::collections::{BTreeMap, BTreeSet};

use demo::browser::Location;
use serde_json::{Value, json};

use crate::{
    harness::{
        Org, TestApp,
        steps::{ACCEPTED_TERMS, EVENING, at, evening, landed, member, nodes},
    },
    t16::{evil::MaliciousIssuer, forge::Signer},
};

/// Every mutation that takes an id of a tenant's own things: what it answers, and an input in which the ids stand as
/// the names of what they name.
const WITH_IDS: &[(&str, &str, &str)] = &[
    ("updateUser", "user { id }", r#"{ "id": "user", "name": "Changed" }"#),
    ("deleteUser", "deletedUserId", r#"{ "id": "user" }"#),
    ("activateUserCalendar", "run { id }", r#"{ "userId": "user" }"#),
    ("createUser", "user { id }", r#"{ "email": "new@b.test", "name": "New", "roleIds": ["role"] }"#),
    (
        "createUsers",
        "users { id }",
        r#"{ "users": [{ "email": "new@b.test", "name": "New", "roleIds": ["role"] }] }"#,
    ),
    ("updateRole", "role { id }", r#"{ "id": "role", "name": "Changed" }"#),
    ("deleteRole", "deletedRoleId", r#"{ "id": "role" }"#),
    ("assignRoles", "user { id }", r#"{ "userId": "user", "roleIds": ["own role"] }"#),
    ("assignRoles", "user { id }", r#"{ "userId": "own user", "roleIds": ["role"] }"#),
    ("unassignRoles", "user { id }", r#"{ "userId": "user", "roleIds": ["own role"] }"#),
    ("unassignRoles", "user { id }", r#"{ "userId": "own user", "roleIds": ["role"] }"#),
    ("revokeAccessTokens", "revokedCount", r#"{ "userId": "user" }"#),
    ("updateOpenIdIssuer", "openIdIssuer { id }", r#"{ "id": "issuer", "name": "Changed" }"#),
    ("deleteOpenIdIssuer", "deletedOpenIdIssuerId", r#"{ "id": "issuer" }"#),
    (
        "linkOpenIdIdentity",
        "openIdIdentity { subject }",
        r#"{ "issuerId": "issuer", "userId": "own user", "subject": "s" }"#,
    ),
    (
        "linkOpenIdIdentity",
        "openIdIdentity { subject }",
        r#"{ "issuerId": "own issuer", "userId": "user", "subject": "s" }"#,
    ),
    ("unlinkOpenIdIdentity", "unlinked", r#"{ "issuerId": "issuer", "userId": "own user" }"#),
    ("unlinkOpenIdIdentity", "unlinked", r#"{ "issuerId": "own issuer", "userId": "user" }"#),
    ("authoriseIntegration", "integration { id }", r#"{ "id": "integration" }"#),
    ("verifyIntegration", "run { id }", r#"{ "id": "integration" }"#),
    ("reconnectIntegration", "run { id }", r#"{ "id": "integration" }"#),
    ("setRoomRules", "integration { id }", r#"{ "integrationId": "integration", "rules": null }"#),
    (
        "setCountedCalendars",
        "connectedMailbox { id }",
        r#"{ "connectedMailboxId": "connection", "calendarIds": null }"#,
    ),
    ("setServiceMailbox", "run { id }", r#"{ "integrationId": "integration", "mailbox": "x@b.test" }"#),
    ("inviteAdministrator", "url", r#"{ "email": "it@b.test", "integrationId": "integration" }"#),
    ("revokeInvitation", "revokedInvitationId", r#"{ "id": "invitation" }"#),
    ("activateConnectedMailbox", "run { id }", r#"{ "id": "connection" }"#),
    ("excludeConnectedMailbox", "connectedMailbox { id }", r#"{ "id": "connection" }"#),
    ("startCampaign", "campaign { id }", r#"{ "integrationId": "integration" }"#),
    ("retryCampaign", "campaign { id }", r#"{ "id": "campaign" }"#),
    ("createBooking", "booking { id }", r#"{ "organiserId": "user" }"#),
    ("createBooking", "booking { id }", r#"{ "organiserId": "own user", "userIds": ["user"] }"#),
    ("createBooking", "booking { id }", r#"{ "organiserId": "own user", "roomIds": ["room"] }"#),
    (
        "moveBooking",
        "booking { id }",
        r#"{ "id": "booking", "start": "2026-12-16T20:00:00Z", "end": "2026-12-16T20:30:00Z", "idempotencyKey": "m" }"#,
    ),
    ("cancelBooking", "booking { id }", r#"{ "id": "booking", "idempotencyKey": "c" }"#),
    ("retryRun", "run { id }", r#"{ "id": "run" }"#),
    ("cancelRun", "run { id }", r#"{ "id": "run" }"#),
    ("signalRun", "run { id }", r#"{ "id": "run", "name": "authorised" }"#),
];

/// Those that only the vendor's staff may call.
const OF_STAFF: &[(&str, &str, &str)] = &[
    ("updateTenant", "tenant { id }", r#"{ "tenantId": "tenant", "language": "de" }"#),
    ("setPlan", "tenant { id }", r#"{ "tenantId": "tenant", "plan": "BASIC" }"#),
    ("setFeature", "tenant { id }", r#"{ "tenantId": "tenant", "feature": "SERVICE_ACCOUNT", "on": false }"#),
    ("updateReturnUrls", "tenant { id }", r#"{ "tenantId": "tenant", "returnUrls": [] }"#),
    ("createAccessToken", "accessToken { token }", r#"{ "tenantId": "tenant", "userId": "user" }"#),
    ("createAccessToken", "accessToken { token }", r#"{ "tenantId": "own tenant", "userId": "user" }"#),
    (
        "createApiKey",
        "apiKey { id }",
        r#"{ "name": "Key", "permissions": ["USER_VIEW"], "tenantId": "tenant" }"#,
    ),
    ("rotateApiKey", "apiKey { id }", r#"{ "id": "key" }"#),
    ("revokeApiKey", "apiKey { id }", r#"{ "id": "key" }"#),
];

/// Puts ids where their names stand.
fn filled(text: &str, ids: &BTreeMap<&str, String>) -> Value {
    fn fill(value: &mut Value, ids: &BTreeMap<&str, String>) {
        match value {
            Value::String(text) => {
                if let Some(id) = ids.get(text.as_str()) {
                    text.clone_from(id);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| fill(item, ids)),
            Value::Object(members) => members.values_mut().for_each(|member| fill(member, ids)),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(text).unwrap();
    fill(&mut value, ids);
    value
}

/// An OpenID issuer of a tenant.
async fn issuer(app: &TestApp, org: &Org) -> String {
    let key = Signer::ed25519("own");
    let evil = MaliciousIssuer::start(&[&key.jwk]);
    let input = json!({ "name": "I", "issuer": evil.issuer, "clientId": "c", "algorithms": ["EDDSA"] });
    let made = app.vendor_for(&org.tenant).mutate("createOpenIdIssuer", "openIdIssuer { id }", input).await;
    evil.stop().await;
    made["openIdIssuer"]["id"].as_str().unwrap_or_else(|| panic!("no issuer: {made}")).to_owned()
}

/// A connected tenant with one of everything, and the ids of it.
async fn furnished(app: &TestApp) -> (Org, BTreeMap<&'static str, String>) {
    let org = app.with_tenant("Furnished", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    let vendor = app.vendor_for(&org.tenant);
    let integration = app.connect(&org).await;
    let booking = app.book(&org, &users[1], "mine", json!({})).await;
    let connections = app.connections(&org).await;
    let campaigns = vendor.query("{ campaigns(first: 1) { edges { node { id } } } }", json!({})).await;
    let role = json!({ "name": "Custom", "permissions": ["USER_VIEW"] });
    let role = vendor.mutate("createRole", "role { id }", role).await;
    let it = json!({ "email": "it@furnished.test" });
    let invited = vendor.mutate("inviteAdministrator", "invitationId", it).await;
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no id: {value}")).to_owned();
    let ids = BTreeMap::from([
        ("tenant", org.tenant.clone()),
        ("user", users[0].clone()),
        ("role", text(&role["role"]["id"])),
        ("integration", integration),
        ("connection", text(&connections[org.room(0)]["id"])),
        ("campaign", text(&nodes(&campaigns["campaigns"])[0]["id"])),
        ("room", app.room_ids(&org).await[org.room(0)].clone()),
        ("booking", text(&booking["id"])),
        ("run", text(&booking["run"]["id"])),
        ("issuer", issuer(app, &org).await),
        ("invitation", text(&invited["invitationId"])),
    ]);
    (org, ids)
}

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

async fn a_foreign_id_and_an_unknown_one_are_not_found_by_any_mutation(app: TestApp) {
    let (org, foreign) = furnished(&app).await;
    let own = app.with_tenant("Own", 2, 1).await;
    let vendor = app.vendor_for(&own.tenant);
    let made =
        vendor.mutate("createUser", "user { id }", json!({ "email": "me@own.test", "name": "Me" })).await;
    let mine = [
        ("own tenant", own.tenant.clone()),
        ("own user", made["user"]["id"].as_str().unwrap().to_owned()),
        ("own role", app.role(&own, "Human Resources").await),
        ("own issuer", issuer(&app, &own).await),
    ];
    let unknown: BTreeMap<_, _> = foreign
        .iter()
        .map(|(name, id)| {
            (*name, format!("{}_01980000-0000-7000-8000-000000000000", id.split('_').next().unwrap()))
        })
        .collect();
    let malformed: BTreeMap<_, _> = foreign.keys().map(|name| (*name, "what?".to_owned())).collect();
    let before = [everything(&app, &org.tenant).await, everything(&app, &own.tenant).await];
    for ids in [foreign, unknown, malformed] {
        let ids: BTreeMap<_, _> = ids.into_iter().chain(mine.clone()).collect();
        for (field, selection, input) in WITH_IDS {
            let mut input = filled(input, &ids);
            if *field == "createBooking" {
                let wish = evening(ids["own user"].as_str(), "mine too", input);
                input = wish;
            }
            let code = vendor.refused(field, selection, input.clone()).await;
            assert_eq!(code, "NOT_FOUND", "{field}({input})");
        }
    }
    app.run_jobs().await;
    assert_eq!([everything(&app, &org.tenant).await, everything(&app, &own.tenant).await], before);
    app.finish().await;
}

async fn an_unknown_tenant_user_or_key_is_not_found_for_the_vendors_staff(app: TestApp) {
    let org = app.with_tenant("Known", 2, 1).await;
    let other = app.with_tenant("Other", 2, 1).await;
    let users = app.with_users(&other, 1).await;
    let gone = |prefix: &str| format!("{prefix}_01980000-0000-7000-8000-000000000000");
    let ids = BTreeMap::from([
        ("own tenant", org.tenant.clone()),
        ("tenant", gone("ten")),
        ("user", users[0].clone()),
        ("key", gone("key")),
    ]);
    let before = [everything(&app, &org.tenant).await, everything(&app, &other.tenant).await];
    for (field, selection, input) in OF_STAFF {
        let input = filled(input, &ids);
        let code = app.vendor().refused(field, selection, input.clone()).await;
        assert_eq!(code, "NOT_FOUND", "{field}({input})");
    }
    assert_eq!([everything(&app, &org.tenant).await, everything(&app, &other.tenant).await], before);
    app.finish().await;
}

/// A mutation that is added later has to be tried as well.
async fn every_mutation_that_takes_an_id_is_tried(app: TestApp) {
    let query = "{ __schema { mutationType { fields { name args { type { ofType { name } } } } }
        types { name kind inputFields { type { name ofType { name ofType { name ofType { name } } } } } } } }";
    let schema = app.vendor().query(query, json!({})).await;
    let types = schema["__schema"]["types"].as_array().unwrap();
    let mut with_ids: BTreeSet<&str> = BTreeSet::from(["ID"]);
    // Inputs within inputs: those that hold an id, until no more are found.
    loop {
        let holds =
            |ty: &&Value| ty["inputFields"].to_string().split('"').any(|word| with_ids.contains(word));
        let found: BTreeSet<&str> =
            types.iter().filter(holds).map(|ty| ty["name"].as_str().unwrap()).collect();
        if found.is_subset(&with_ids) {
            break;
        }
        with_ids.extend(found);
    }
    let fields = schema["__schema"]["mutationType"]["fields"].as_array().unwrap();
    let takes = |field: &&Value| field["args"].to_string().split('"').any(|word| with_ids.contains(word));
    let wanted: BTreeSet<&str> =
        fields.iter().filter(takes).map(|field| field["name"].as_str().unwrap()).collect();
    let tried: BTreeSet<&str> = WITH_IDS.iter().chain(OF_STAFF).map(|(name, ..)| *name).collect();
    assert_eq!(tried, wanted);
    app.finish().await;
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

async fn a_provider_that_is_down_is_told_apart_and_leaves_nothing(app: TestApp) {
    let org = app.with_tenant("Down", 3, 1).await;
    app.with_users(&org, 3).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::sign_in).await;
    app.fault(json!({ "match": { "path_contains": "oauth2/v2.0/token" }, "times": 100, "action": "outage" }))
        .await;
    let place = app.send(&mut browser, &page, &[]).await;
    let place = match place {
        Location::Page(page) => app.send(&mut browser, &page, ACCEPTED_TERMS).await,
        Location::Landed(_) => place,
    };
    assert_eq!(landed(place)["reason"], "PROVIDER_UNAVAILABLE");
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
    while let Location::Page(page) = &place {
        assert!(at::consent(page), "{}", page.url);
        place = app.send(&mut browser, page, &[]).await;
    }
    let said = landed(place);
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
    a_provider_that_is_down_is_told_apart_and_leaves_nothing,
    a_consent_for_another_organisation_binds_nothing,
    an_organisation_that_is_bound_to_another_tenant_is_refused,
}
