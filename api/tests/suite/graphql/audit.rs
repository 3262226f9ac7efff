//! Every mutation leaves an entry in the audit, with who did it and by which request, and with no secret; and who may
//! read the entries.

use std::collections::{BTreeMap, BTreeSet};

use apollo_compiler::Schema;
use domain::{CallerKind, Id, Permission, StandardRole, ids, state::IntegrationState};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use serde_json::{Value, json};
use services::{Caller, audit::with_request_id};
use uuid::Uuid;

use crate::graphql::{
    issuer,
    setup::{Setup, at, text},
};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The vendor's staff, for the installation.
    Staff,
    /// The vendor's back end, for the tenant.
    Vendor,
    /// A user of the tenant.
    User,
}
use By::{Staff, User, Vendor};

/// Every mutation, in an order in which each has something to do: who asks, and an input in which names stand for ids.
/// What it answers becomes known by the name behind it, and a statement makes ready what a workflow would.
const MUTATIONS: &[(By, &str, &str, &str)] = &[
    (Staff, "createTenant", r#"{"name": "New", "plan": "BASIC", "returnUrls": []}"#, ""),
    (Staff, "updateTenant", r#"{"tenantId": "$tenant", "language": "de"}"#, ""),
    (Staff, "setPlan", r#"{"tenantId": "$tenant", "plan": "PLUS"}"#, ""),
    (Staff, "setFeature", r#"{"tenantId": "$tenant", "feature": "SERVICE_ACCOUNT", "on": true}"#, ""),
    (Staff, "updateReturnUrls", r#"{"tenantId": "$tenant", "returnUrls": ["https://acme.example/x"]}"#, ""),
    (Staff, "createAccessToken", r#"{"tenantId": "$tenant", "userId": "$ada"}"#, "accessToken { token }"),
    (Staff, "createApiKey", r#"{"name": "K", "permissions": ["USER_VIEW"]}"#, "secret key: apiKey { id }"),
    (Staff, "rotateApiKey", r#"{"id": "$key"}"#, "secret successor: apiKey { id }"),
    (Staff, "revokeApiKey", r#"{"id": "$successor"}"#, ""),
    (Vendor, "createRole", r#"{"name": "R", "permissions": ["USER_VIEW"]}"#, "role { id }"),
    (Vendor, "updateRole", r#"{"id": "$role", "permissions": ["USER_EDIT"]}"#, ""),
    (Vendor, "assignRoles", r#"{"userId": "$ada", "roleIds": ["$role"]}"#, ""),
    (Vendor, "unassignRoles", r#"{"userId": "$ada", "roleIds": ["$role"]}"#, ""),
    (Vendor, "deleteRole", r#"{"id": "$role"}"#, ""),
    (Vendor, "createUser", r#"{"email": "n@acme.example", "name": "N"}"#, "newcomer: user { id }"),
    (Vendor, "createUsers", r#"{"users": [{"email": "m@acme.example", "name": "M"}]}"#, ""),
    (Vendor, "updateUser", r#"{"id": "$newcomer", "name": "N N"}"#, ""),
    (Vendor, "deleteUser", r#"{"id": "$newcomer"}"#, ""),
    (Vendor, "revokeAccessTokens", r#"{"userId": "$ada"}"#, ""),
    (
        Vendor,
        "createOpenIdIssuer",
        r#"{"name": "I", "issuer": "$issuer", "clientId": "c", "clientSecret": "a secret that nobody is to see"}"#,
        "openIdIssuer { id }",
    ),
    (
        Vendor,
        "updateOpenIdIssuer",
        r#"{"id": "$openIdIssuer", "clientSecret": "a secret that nobody is to see"}"#,
        "",
    ),
    (Vendor, "linkOpenIdIdentity", r#"{"issuerId": "$openIdIssuer", "userId": "$ben", "subject": "b"}"#, ""),
    (Vendor, "unlinkOpenIdIdentity", r#"{"issuerId": "$openIdIssuer", "userId": "$ben"}"#, ""),
    (Vendor, "deleteOpenIdIssuer", r#"{"id": "$openIdIssuer"}"#, ""),
    (Vendor, "inviteAdministrator", r#"{"email": "it@acme.example"}"#, "url invitationId"),
    (Vendor, "revokeInvitation", r#"{"id": "$invitationId"}"#, ""),
    (User, "createConnectLink", "{}", "url"),
    (Vendor, "createIntegration", r#"{"name": "I", "provider": "MICROSOFT_365", "accessLevel": "FULL"}"#, ""),
    (Vendor, "authoriseIntegration", r#"{"id": "$waiting"}"#, ""),
    (Vendor, "verifyIntegration", r#"{"id": "$integration"}"#, ""),
    (Vendor, "setServiceMailbox", r#"{"integrationId": "$second", "mailbox": "s@acme.example"}"#, ""),
    (Vendor, "reconnectIntegration", r#"{"id": "$integration"}"#, ""),
    (Vendor, "setRoomRules", r#"{"integrationId": "$dav", "rules": null}"#, ""),
    (Vendor, "startCampaign", r#"{"integrationId": "$integration"}"#, "campaign { id }"),
    (Vendor, "retryCampaign", r#"{"id": "$campaign"}"#, ""),
    (Vendor, "setCountedCalendars", r#"{"connectedMailboxId": "$connection", "calendarIds": null}"#, ""),
    (Vendor, "excludeConnectedMailbox", r#"{"id": "$connection"}"#, ""),
    (Vendor, "activateConnectedMailbox", r#"{"id": "$connection"}"#, ""),
    (Vendor, "activateUserCalendar", r#"{"userId": "$ben"}"#, "run { id }"),
    (Vendor, "signalRun", r#"{"id": "$run", "name": "hello"}"#, ""),
    (Vendor, "cancelRun", r#"{"id": "$run"}"#, ""),
    (Vendor, "retryRun", r#"{"id": "$run"}"#, ""),
    (User, "activateMyCalendar", "", ""),
    (User, "connectOwnCalendar", "{}", "url"),
    (
        Vendor,
        "createBooking",
        r#"{"organiserId": "$ben", "title": "T", "start": "$nine", "end": "$ten", "timeZone": "Europe/Berlin",
            "idempotencyKey": "a"}"#,
        "booking { id }",
    ),
    (
        Vendor,
        "moveBooking",
        r#"{"id": "$booking", "start": "$ten", "end": "$eleven", "idempotencyKey": "b"}"#,
        "",
    ),
    (Vendor, "restoreBooking", r#"{"id": "$booking", "idempotencyKey": "d"}"#, ""),
    (Vendor, "acceptBookingTime", r#"{"id": "$booking"}"#, ""),
    (Vendor, "cancelBooking", r#"{"id": "$booking", "idempotencyKey": "c"}"#, ""),
    (Vendor, "disconnectConnectedMailbox", r#"{"id": "$connection"}"#, "run { id }"),
    (Vendor, "removeIntegration", r#"{"id": "$dav"}"#, ""),
    (Vendor, "disconnectIntegration", r#"{"id": "$integration", "ifVersion": 5}"#, "run { id }"),
    (Staff, "eraseTenant", r#"{"tenantId": "$tenant", "name": "acme"}"#, ""),
];

/// What workflows would have done before a mutation.
const MADE_READY: &[(&str, &str)] = &[
    ("reconnectIntegration", "UPDATE run SET status = 'DONE', finished_at = created_at; DELETE FROM job"),
    (
        "retryCampaign",
        "UPDATE campaign SET state = 'FINISHED'; INSERT INTO campaign_item (tenant_id, campaign_id, connection_id, result) SELECT c.tenant_id, c.id, n.id, 'UNREACHABLE' FROM campaign c, connection n",
    ),
    ("activateUserCalendar", "UPDATE run SET status = 'DONE', finished_at = created_at; DELETE FROM job"),
    ("retryRun", "UPDATE run SET status = 'FAILED', finished_at = created_at; DELETE FROM job"),
    (
        "moveBooking",
        "UPDATE run SET status = 'DONE', finished_at = created_at; UPDATE booking SET state = 'WRITTEN'",
    ),
    (
        "restoreBooking",
        "UPDATE run SET status = 'DONE', finished_at = created_at; DELETE FROM occupancy; UPDATE booking SET state = 'MISSING'",
    ),
    ("acceptBookingTime", "UPDATE booking SET state = 'CONFLICTING'"),
    ("cancelBooking", "UPDATE run SET status = 'DONE', finished_at = created_at"),
    ("disconnectIntegration", "UPDATE integration SET version = 5"),
];

/// What a mutation answers that is a secret.
const SECRETS: &[&str] = &["secret", "token", "url"];

struct Scene {
    setup: Setup,
    tenant: Id<ids::Tenant>,
    user: Caller,
    known: BTreeMap<String, String>,
    secrets: Vec<String>,
}

impl Scene {
    async fn new() -> Self {
        let setup = Setup::new().await;
        let tenant = setup.tenant("acme").await;
        let integration = setup.integration(tenant).await;
        let second = setup.integration_named(tenant, "Second").await;
        let waiting = setup.integration_named(tenant, "Waiting").await;
        setup.become_(tenant, waiting, IntegrationState::AwaitingAuthorization).await;
        let dav = setup.integration_named(tenant, "Dav").await;
        let ada = setup.person(tenant, integration, "ada").await;
        let ben = setup.person(tenant, integration, "ben").await;
        let user = setup.user(tenant, StandardRole::Administrator).await;
        let mut scene = Self { setup, tenant, user, known: BTreeMap::new(), secrets: Vec::new() };
        scene
            .sql(&format!("UPDATE integration SET provider = 'CALDAV' WHERE id = {}", blob(dav.uuid())))
            .await;
        // Addresses make those who have them reachable.
        scene.sql("UPDATE tenant_user SET calendar_address = email").await;
        let of_ada = scene
            .setup
            .services
            .connections()
            .of_holders(scene.setup.services.tenant_scope(tenant), &[ada.any()])
            .await
            .unwrap();
        let connection = of_ada[0].id;
        let ids = [
            ("tenant", tenant.to_string()),
            ("integration", integration.to_string()),
            ("second", second.to_string()),
            ("waiting", waiting.to_string()),
            ("dav", dav.to_string()),
            ("ada", ada.to_string()),
            ("ben", ben.to_string()),
            ("connection", connection.to_string()),
            ("issuer", issuer::start()),
            ("nine", text(at(9))),
            ("ten", text(at(10))),
            ("eleven", text(at(11))),
        ];
        scene.known.extend(ids.into_iter().map(|(name, id)| (name.to_owned(), id)));
        scene
    }

    async fn sql(&self, sql: &str) {
        let txn = self.setup.services.store.write(self.tenant).await.unwrap();
        txn.execute_unprepared(sql).await.unwrap();
        txn.commit().await.unwrap();
    }

    fn caller(&self, by: By) -> Caller {
        match by {
            Staff => self.setup.staff(),
            Vendor => self.setup.vendor(self.tenant),
            User => self.user.clone(),
        }
    }

    fn filled(&self, input: &str) -> Value {
        let mut input = input.to_owned();
        for (name, id) in &self.known {
            input = input.replace(&format!("\"${name}\""), &format!("\"{id}\""));
        }
        serde_json::from_str(&input).unwrap_or_else(|error| panic!("{input}: {error}"))
    }

    /// Calls a mutation, which must go well; remembers what it answers.
    async fn does(&mut self, (by, field, input, answers): (By, &str, &str, &str), request: &str) {
        if let Some((_, sql)) = MADE_READY.iter().find(|(name, _)| *name == field) {
            self.sql(sql).await;
        }
        let (declared, given, variables) = match input.is_empty() {
            true => (String::new(), String::new(), json!({})),
            false => {
                let ty = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
                (
                    format!("($input: {ty}!)"),
                    "(input: $input)".to_owned(),
                    json!({ "input": self.filled(input) }),
                )
            }
        };
        let document =
            format!("mutation{declared} {{ {field}{given} {{ {answers} userErrors {{ code message }} }} }}");
        let caller = self.caller(by);
        let answer = with_request_id(request, self.setup.ask(&caller, &document, variables)).await;
        let answer = &answer[field];
        assert_eq!(answer["userErrors"], json!([]), "{field}: {answer}");
        for (name, value) in answer.as_object().unwrap() {
            let own = value.as_str().filter(|_| name.ends_with("Id"));
            if let Some(id) = own.or_else(|| value["id"].as_str()) {
                self.known.insert(name.clone(), id.to_owned());
            }
            let secrets = SECRETS.iter().filter_map(|secret| value[secret].as_str());
            let secret = value.as_str().filter(|_| SECRETS.contains(&name.as_str()));
            self.secrets.extend(secrets.chain(secret).map(str::to_owned));
        }
    }

    /// The entries of the tenant and of the installation that a request left.
    async fn left_by(&self, request: &str) -> Vec<Value> {
        let fields = "{ nodes { actor action subject requestId old new details at hash seq } }";
        let mut left = Vec::new();
        for (by, log) in [(Vendor, "auditLog"), (Staff, "installationAuditLog")] {
            let answer = self
                .setup
                .ask(&self.caller(by), &format!("{{ {log}(last: 100) {fields} }}"), json!({}))
                .await;
            let nodes = answer[log]["nodes"].as_array().unwrap().clone();
            left.extend(nodes.into_iter().filter(|entry| entry["requestId"] == request));
        }
        left
    }
}

fn blob(id: Uuid) -> String {
    format!("X'{}'", id.simple())
}

fn actor(caller: &Caller) -> String {
    match caller.kind() {
        CallerKind::Vendor(key) => key.to_string(),
        CallerKind::User(user) => user.to_string(),
        other => panic!("{other:?} does nothing here"),
    }
}

#[tokio::test]
async fn s5_3_every_mutation_leaves_an_entry_with_who_did_it_and_by_which_request() {
    let mut scene = Scene::new().await;
    for (number, mutation) in MUTATIONS.iter().enumerate() {
        let (by, field, ..) = *mutation;
        let request = format!("req_{number}");
        scene.does(*mutation, &request).await;
        let left = scene.left_by(&request).await;
        assert!(!left.is_empty(), "{field} leaves no entry");
        let actor = actor(&scene.caller(by));
        for entry in &left {
            assert_eq!(entry["actor"], json!(actor), "{field}: {entry}");
            assert_ne!(entry["subject"], json!(""), "{field}: {entry}");
        }
    }
}

#[test]
fn every_mutation_of_the_schema_is_tried() {
    let schema = Schema::parse(api::graphql::sdl(), "schema.graphql").unwrap();
    let names: BTreeSet<&str> =
        schema.get_object("Mutation").unwrap().fields.keys().map(apollo_compiler::Name::as_str).collect();
    assert_eq!(names, MUTATIONS.iter().map(|(_, field, ..)| *field).collect());
}

#[tokio::test]
async fn s5_3_no_secret_that_a_mutation_answers_stands_in_the_audit() {
    let mut scene = Scene::new().await;
    for mutation in MUTATIONS {
        scene.does(*mutation, "req").await;
    }
    assert!(scene.secrets.len() >= 5, "keys, a token and links: {}", scene.secrets.len());
    scene.secrets.push("a secret that nobody is to see".to_owned());
    let statement = Statement::from_string(
        DatabaseBackend::Sqlite,
        "SELECT quote(subject) || quote(details) || quote(old_value) || quote(new_value) AS said FROM audit",
    );
    let rows = scene.setup.services.store.installation_connection().query_all_raw(statement).await.unwrap();
    let said: Vec<String> = rows.iter().map(|row| row.try_get("", "said").unwrap()).collect();
    assert!(said.len() > MUTATIONS.len(), "{}", said.len());
    for secret in &scene.secrets {
        // Of an address the part that is secret is the last.
        let secret = secret.rsplit('/').next().unwrap();
        assert!(secret.len() > 20, "{secret}");
        assert!(!said.iter().any(|said| said.contains(&secret[20..])), "a secret is recorded");
    }
}

#[tokio::test]
async fn the_log_is_for_administrators_and_the_installations_for_staff() {
    let setup = Setup::new().await;
    let (tenant, other) = (setup.tenant("acme").await, setup.tenant("other").await);
    let log = "{ auditLog(first: 100) { nodes { subject new } pageInfo { endCursor } } }";
    let administrator = setup.user(tenant, StandardRole::Administrator).await;
    let seen = setup.ask(&administrator, log, json!({})).await;
    assert!(seen.to_string().contains(&tenant.to_string()));
    assert!(!seen.to_string().contains(&other.to_string()), "another tenant's acts are seen");
    let installation = "{ installationAuditLog(first: 100) { nodes { subject } } }";
    let seen = setup.ask(&setup.staff(), installation, json!({})).await;
    assert!(seen.to_string().contains(&other.to_string()) && seen.to_string().contains("key_"));
    assert_eq!(setup.code(&administrator, installation, json!({})).await, "FORBIDDEN");
    for permission in Permission::ALL.iter().copied().filter(|permission| *permission != Permission::Staff) {
        let caller = setup.with(tenant, &[permission]).await;
        let answer = setup.response(&caller, log, json!({})).await;
        assert_eq!(answer.errors.is_empty(), permission == Permission::RoleEdit, "{permission}");
    }
    let page = setup
        .ask(&administrator, "{ auditLog(first: 1) { nodes { seq } pageInfo { endCursor } } }", json!({}))
        .await;
    let cursor = &page["auditLog"]["pageInfo"]["endCursor"];
    let after = "query($after: String) { auditLog(first: 1, after: $after, filter: {action: \"user.create\"}) { nodes { seq action } } }";
    let next = setup.ask(&administrator, after, json!({ "after": cursor })).await;
    assert_eq!(next["auditLog"]["nodes"][0]["action"], "user.create");
}
