//! Who sees what, and whose.

use domain::{Permission, StandardRole};
use serde_json::json;
use services::{Anyone, Caller, quotas::QuotaSubject};

use crate::graphql::{issuer, setup::Setup};

const CREATE: &str = "mutation($input: CreateIntegrationInput!) {
    createIntegration(input: $input) { integration { id state } userErrors { code path } }
}";

fn office() -> serde_json::Value {
    json!({ "input": { "provider": "MICROSOFT_365", "name": "Office", "accessLevel": "FULL" } })
}

#[tokio::test]
async fn somebody_elses_is_not_found() {
    let setup = Setup::new().await;
    let (acme, other) = (setup.tenant("acme").await, setup.tenant("other").await);
    let integration = setup.integration(acme).await;
    let user = setup.person(acme, integration, "anna").await;
    let ids = json!({ "ids": [acme, user, integration, "usr_1", "nonsense"] });
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let own = setup.ask(&setup.user(acme, StandardRole::Administrator).await, nodes, ids.clone()).await;
    let kinds: Vec<_> =
        own["nodes"].as_array().unwrap().iter().map(|node| node["__typename"].clone()).collect();
    assert_eq!(json!(kinds), json!(["Tenant", "User", "Integration", null, null]));
    let theirs = setup.ask(&setup.user(other, StandardRole::Administrator).await, nodes, ids).await;
    assert_eq!(theirs["nodes"], json!([null, null, null, null, null]));
    let change =
        "mutation($id: ID!) { deleteUser(input: {id: $id}) { deletedUserId userErrors { code path } } }";
    let stranger = setup.user(other, StandardRole::Administrator).await;
    let refused = setup.ask(&stranger, change, json!({ "id": user })).await;
    assert_eq!(refused["deleteUser"]["userErrors"][0]["code"], "NOT_FOUND");
    let read = "query($id: ID!) { user(id: $id) { name } }";
    let still = setup.ask(&setup.vendor(acme), read, json!({ "id": user })).await;
    assert_eq!(still["user"]["name"], "anna");
}

/// The user is removed while the issuer's server is asked.
#[tokio::test]
async fn whoever_is_removed_while_a_server_is_asked_registers_nothing() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    setup.user(tenant, StandardRole::Administrator).await;
    let by = setup.user(tenant, StandardRole::Administrator).await;
    let (asked, mut is_asked) = tokio::sync::mpsc::unbounded_channel();
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let issuer = issuer::start_and(move || {
        asked.send(()).unwrap_or_default();
        may_go.recv().unwrap_or_default();
    });
    let create = "mutation($input: CreateOpenIdIssuerInput!) {
        createOpenIdIssuer(input: $input) { openIdIssuer { id } userErrors { code } }
    }";
    let input = json!({ "input": { "name": "I", "issuer": issuer, "clientId": "c" } });
    let removal = async {
        is_asked.recv().await.unwrap();
        let user = by.allow_own().unwrap().user();
        let remover = setup.vendor(tenant).allow().unwrap();
        setup.services.users().delete(&remover, user).await.unwrap();
        drop(go);
    };
    let (code, ()) = tokio::join!(setup.code(&by, create, input), removal);
    assert_eq!(code, "UNAUTHENTICATED");
    let issuers = "{ openIdIssuers { nodes { id } } }";
    let registered = setup.ask(&setup.vendor(tenant), issuers, json!({})).await;
    assert_eq!(registered["openIdIssuers"]["nodes"], json!([]));
}

#[tokio::test]
async fn nobody_known_gets_codes_and_no_data() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let nobody = Caller::anonymous();
    let who =
        setup.ask(&nobody, "{ viewer { kind permissions user { id } tenant { id } } }", json!({})).await;
    assert_eq!(
        who["viewer"],
        json!({ "kind": "ANONYMOUS", "permissions": [], "user": null, "tenant": null })
    );
    for query in ["{ users { nodes { id } } }", "{ tenants { nodes { id } } }", "{ tenant { id } }"] {
        assert_eq!(setup.code(&nobody, query, json!({})).await, "UNAUTHENTICATED", "{query}");
    }
    assert_eq!(setup.code(&nobody, CREATE, office()).await, "UNAUTHENTICATED");
    let users = "{ users { nodes { id } } }";
    assert_eq!(setup.code(&setup.staff(), users, json!({})).await, "TENANT_MISSING");
    setup.ask(&setup.vendor(tenant), users, json!({})).await;
}

#[tokio::test]
async fn s1_3_whoever_may_do_everything_with_users_or_connects_calendars_may_connect() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let all = [Permission::UserView, Permission::UserEdit, Permission::UserCreate, Permission::UserDelete];
    for role in [
        StandardRole::Administrator,
        StandardRole::HumanResources,
        StandardRole::PlatformAdministration,
        StandardRole::CalendarConnector,
    ] {
        let made = setup.ask(&setup.user(tenant, role).await, CREATE, office()).await;
        assert_eq!(made["createIntegration"]["integration"]["state"], "DRAFT", "{role}");
    }
    let made = setup.ask(&setup.with(tenant, &all).await, CREATE, office()).await;
    assert_eq!(made["createIntegration"]["userErrors"], json!([]));
    for missing in all {
        let some: Vec<_> = all.into_iter().filter(|one| *one != missing).collect();
        let caller = setup.with(tenant, &some).await;
        assert_eq!(setup.code(&caller, CREATE, office()).await, "FORBIDDEN", "without {missing}");
    }
}

#[tokio::test]
async fn s2_7_the_calendar_connector_connects_and_sees_nothing_else() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    setup.person(tenant, integration, "anna").await;
    let connector = setup.user(tenant, StandardRole::CalendarConnector).await;
    for query in [
        "{ users { nodes { id } } }",
        "{ roles { id } }",
        "{ connectedMailboxes { nodes { id } } }",
        "{ rooms { nodes { id } } }",
        "{ bookings { nodes { id } } }",
        "{ campaigns { nodes { id } } }",
        "{ runs { nodes { id } } }",
        "{ workflows { name } }",
        "{ tenants { nodes { id } } }",
        "{ apiKeys { nodes { id } } }",
        "{ integrations { nodes { connectedMailboxes { nodes { address } } } } }",
    ] {
        assert_eq!(setup.code(&connector, query, json!({})).await, "FORBIDDEN", "{query}");
    }
    let seen = setup.ask(&connector, "{ integrations { nodes { name state } } }", json!({})).await;
    assert_eq!(seen["integrations"]["nodes"], json!([{ "name": "Office", "state": "ACTIVE" }]));
    let invite = "mutation { inviteAdministrator(input: {email: \"it@acme.example\"}) { url } }";
    assert_eq!(setup.code(&connector, invite, json!({})).await, "FORBIDDEN");
}

#[tokio::test]
async fn s3_2_the_feature_works_only_when_staff_switched_it_on() {
    let setup = Setup::new().await;
    let staff = setup.staff();
    let create = "mutation { createTenant(input: {name: \"Acme\", plan: BASIC}) { tenant { id features } } }";
    let made = setup.ask(&staff, create, json!({})).await;
    let id = made["createTenant"]["tenant"]["id"].clone();
    assert_eq!(made["createTenant"]["tenant"]["features"], json!([]));
    let tenant = id.as_str().unwrap().parse().unwrap();
    let admin = setup.user(tenant, StandardRole::Administrator).await;
    let refused = setup.ask(&admin, CREATE, office()).await;
    assert_eq!(refused["createIntegration"]["userErrors"][0]["code"], "FEATURE_NOT_IN_PLAN");
    let switch = "mutation($id: ID!) {
        setFeature(input: {tenantId: $id, feature: SERVICE_ACCOUNT, on: true}) {
            tenant { features } userErrors { code path }
        }
    }";
    let lacks = setup.ask(&staff, switch, json!({ "id": id })).await;
    let lacks = &lacks["setFeature"]["userErrors"][0];
    assert_eq!(*lacks, json!({ "code": "PLAN_LACKS_FEATURE", "path": ["input", "feature"] }));
    let plan = "mutation($id: ID!) { setPlan(input: {tenantId: $id, plan: PLUS}) { tenant { plan } } }";
    assert_eq!(setup.code(&admin, plan, json!({ "id": id })).await, "FORBIDDEN");
    setup.ask(&staff, plan, json!({ "id": id })).await;
    let off = setup.ask(&admin, CREATE, office()).await;
    assert_eq!(off["createIntegration"]["userErrors"][0]["code"], "FEATURE_OFF");
    assert_eq!(setup.code(&admin, switch, json!({ "id": id })).await, "FORBIDDEN");
    let on = setup.ask(&staff, switch, json!({ "id": id })).await;
    assert_eq!(on["setFeature"]["tenant"]["features"], json!(["SERVICE_ACCOUNT"]));
    let made = setup.ask(&admin, CREATE, office()).await;
    assert_eq!(made["createIntegration"]["userErrors"], json!([]));
}

#[tokio::test]
async fn s1_4_the_prerequisites_are_shown_before_starting() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let query = "query($provider: ProviderKind!) {
        connectPrerequisites(provider: $provider) { name met hint guide }
    }";
    let met = async |caller: &Caller, provider: &str| {
        let shown = setup.ask(caller, query, json!({ "provider": provider })).await;
        let shown = shown["connectPrerequisites"].as_array().unwrap().clone();
        shown
            .into_iter()
            .map(|one| (one["name"].as_str().unwrap().to_owned(), one["met"].as_bool()))
            .collect()
    };
    let connector = setup.user(tenant, StandardRole::CalendarConnector).await;
    let told: Vec<(String, Option<bool>)> = met(&connector, "MICROSOFT_365").await;
    let expected = [
        ("FEATURE", Some(true)),
        ("PERMISSION", Some(true)),
        ("PROVIDER", Some(true)),
        ("REACHABLE", None),
        ("CREDENTIALS", None),
    ];
    assert_eq!(told, expected.map(|(name, met)| (name.to_owned(), met)));
    let nobody_special = setup.with(tenant, &[Permission::BookingView]).await;
    let told: Vec<(String, Option<bool>)> = met(&nobody_special, "GOOGLE_WORKSPACE").await;
    assert_eq!(
        (told[1].1, told[2].1),
        (Some(false), Some(false)),
        "neither the permission nor the connector"
    );
}

#[tokio::test]
async fn s2_2_who_may_connect_reads_the_guide_as_markdown() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let connector = setup.user(tenant, StandardRole::CalendarConnector).await;
    let query = "query($of: ProviderKind!) { guide(provider: $of) { title language markdown url } }";
    let shown = setup.ask(&connector, query, json!({ "of": "MICROSOFT_365" })).await["guide"].clone();
    assert_eq!((&shown["title"], &shown["language"]), (&json!("Microsoft 365"), &json!("en")));
    let markdown = shown["markdown"].as_str().unwrap();
    assert!(markdown.starts_with("# Microsoft 365\n\n## What you need\n"), "{markdown}");
    assert!(shown["url"].as_str().unwrap().ends_with("/guides/microsoft-365"), "{shown}");
    // Nothing is said of a system for which the operator has registered no application.
    let shown = setup.ask(&connector, query, json!({ "of": "GOOGLE_WORKSPACE" })).await["guide"].clone();
    let markdown = shown["markdown"].as_str().unwrap();
    assert!(markdown.contains("is not set up for Google Workspace yet"), "{markdown}");
    assert!(!markdown.contains("{{"), "{markdown}");
}

#[tokio::test]
async fn s4_18_only_who_may_change_the_service_account_changes_it() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let change = "mutation($id: ID!) {
        setServiceMailbox(input: {integrationId: $id, mailbox: \"service@acme.example\"}) {
            run { workflow status subjectId } userErrors { code }
        }
    }";
    let id = json!({ "id": integration });
    for role in [StandardRole::HumanResources, StandardRole::CalendarConnector] {
        let caller = setup.user(tenant, role).await;
        assert_eq!(setup.code(&caller, change, id.clone()).await, "FORBIDDEN", "{role}");
    }
    let admin = setup.user(tenant, StandardRole::Administrator).await;
    let ordered = setup.ask(&admin, change, id).await;
    let run = &ordered["setServiceMailbox"]["run"];
    assert_eq!(run["workflow"], "verify_integration");
    assert_eq!((&run["status"], &run["subjectId"]), (&json!("ORDERED"), &json!(integration)));
}

#[tokio::test]
async fn a_tenant_that_floods_stops_no_other() {
    let setup = Setup::new().await;
    let [flooding, quiet] = [setup.tenant("acme").await, setup.tenant("globex").await];
    let quotas = setup.services.quotas();
    let all_of_one = setup.services.settings.quotas.caller.unwrap().units;
    let may_spend = async |caller: &Caller| {
        quotas.charge(Anyone, QuotaSubject::Caller(caller), all_of_one).await.refused_for.is_none()
    };
    let mut users = Vec::new();
    for _ in 0..4 {
        users.push(setup.user(flooding, StandardRole::CalendarConnector).await);
    }
    assert!(may_spend(&users[0]).await);
    assert!(!may_spend(&users[0]).await, "a user has spent what it has");
    for user in &users[1..] {
        assert!(may_spend(user).await, "another one has not");
    }
    let vendor = setup.vendor(flooding);
    let charge = quotas.charge(Anyone, QuotaSubject::Caller(&vendor), all_of_one).await;
    assert!(charge.refused_for.is_some(), "but the tenant has: {charge:?}");
    let names: Vec<&str> = charge.accounts.iter().map(|account| account.name).collect();
    assert_eq!(names, ["caller", "tenant"]);
    assert!(may_spend(&setup.vendor(quiet)).await, "the same key may go on for another tenant");
    assert!(may_spend(&setup.user(quiet, StandardRole::CalendarConnector).await).await);
    assert!(may_spend(&setup.staff()).await, "and for none");
}
