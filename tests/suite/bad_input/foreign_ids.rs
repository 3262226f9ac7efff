//! Ids of another tenant, unknown ids and malformed ones, tried with every mutation that takes an id.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::everything;
use crate::{
    harness::{
        Org, TestApp,
        steps::{evening, nodes},
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
    ("createConnectLink", "url", r#"{ "integrationId": "integration" }"#),
    ("revokeInvitation", "revokedInvitationId", r#"{ "id": "invitation" }"#),
    ("activateConnectedMailbox", "run { id }", r#"{ "id": "connection" }"#),
    ("excludeConnectedMailbox", "connectedMailbox { id }", r#"{ "id": "connection" }"#),
    ("disconnectConnectedMailbox", "run { id }", r#"{ "id": "connection" }"#),
    ("disconnectIntegration", "run { id }", r#"{ "id": "integration", "ifVersion": 1 }"#),
    ("removeIntegration", "removedIntegrationId", r#"{ "id": "integration" }"#),
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
    ("restoreBooking", "booking { id }", r#"{ "id": "booking", "idempotencyKey": "r" }"#),
    ("acceptBookingTime", "booking { id }", r#"{ "id": "booking" }"#),
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
    ("eraseTenant", "receipt { tenantId }", r#"{ "tenantId": "tenant", "name": "Known" }"#),
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

pub(super) async fn a_foreign_id_and_an_unknown_one_are_not_found_by_any_mutation(app: TestApp) {
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

pub(super) async fn an_unknown_tenant_user_or_key_is_not_found_for_the_vendors_staff(app: TestApp) {
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
pub(super) async fn every_mutation_that_takes_an_id_is_tried(app: TestApp) {
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
