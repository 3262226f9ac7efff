//! Who sees what, and whose.

use domain::{Caller, Permission, StandardRole};
use serde_json::json;
use services::quotas::Charged;

use crate::world::World;

const CREATE: &str = "mutation($input: CreateIntegrationInput!) {
    createIntegration(input: $input) { integration { id state } userErrors { code path } }
}";

fn office() -> serde_json::Value {
    json!({ "input": { "provider": "MICROSOFT_365", "name": "Office", "accessLevel": "FULL" } })
}

#[tokio::test]
async fn somebody_elses_is_not_found() {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let integration = world.integration(acme).await;
    let user = world.person(acme, integration, "anna").await;
    let ids = json!({ "ids": [acme, user, integration, "usr_1", "nonsense"] });
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let own = world.ask(&world.user(acme, StandardRole::Administrator).await, nodes, ids.clone()).await;
    let kinds: Vec<_> =
        own["nodes"].as_array().unwrap().iter().map(|node| node["__typename"].clone()).collect();
    assert_eq!(json!(kinds), json!(["Tenant", "User", "Integration", null, null]));
    let theirs = world.ask(&world.user(other, StandardRole::Administrator).await, nodes, ids).await;
    assert_eq!(theirs["nodes"], json!([null, null, null, null, null]));
    let change =
        "mutation($id: ID!) { deleteUser(input: {id: $id}) { deletedUserId userErrors { code path } } }";
    let stranger = world.user(other, StandardRole::Administrator).await;
    let refused = world.ask(&stranger, change, json!({ "id": user })).await;
    assert_eq!(refused["deleteUser"]["userErrors"][0]["code"], "NOT_FOUND");
    let read = "query($id: ID!) { user(id: $id) { name } }";
    let still = world.ask(&world.vendor(acme), read, json!({ "id": user })).await;
    assert_eq!(still["user"]["name"], "anna");
}

#[tokio::test]
async fn nobody_known_gets_codes_and_no_data() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let nobody = Caller::anonymous();
    let who =
        world.ask(&nobody, "{ viewer { kind permissions user { id } tenant { id } } }", json!({})).await;
    assert_eq!(
        who["viewer"],
        json!({ "kind": "ANONYMOUS", "permissions": [], "user": null, "tenant": null })
    );
    for query in ["{ users { nodes { id } } }", "{ tenants { nodes { id } } }", "{ tenant { id } }"] {
        assert_eq!(world.code(&nobody, query, json!({})).await, "UNAUTHENTICATED", "{query}");
    }
    assert_eq!(world.code(&nobody, CREATE, office()).await, "UNAUTHENTICATED");
    let users = "{ users { nodes { id } } }";
    assert_eq!(world.code(&world.staff(), users, json!({})).await, "TENANT_MISSING");
    world.ask(&world.vendor(tenant), users, json!({})).await;
}

#[tokio::test]
async fn s1_3_whoever_may_do_everything_with_users_or_connects_calendars_may_connect() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let all = [Permission::UserView, Permission::UserEdit, Permission::UserCreate, Permission::UserDelete];
    for role in [
        StandardRole::Administrator,
        StandardRole::HumanResources,
        StandardRole::PlatformAdministration,
        StandardRole::CalendarConnector,
    ] {
        let made = world.ask(&world.user(tenant, role).await, CREATE, office()).await;
        assert_eq!(made["createIntegration"]["integration"]["state"], "DRAFT", "{role}");
    }
    let made = world.ask(&world.with(tenant, &all).await, CREATE, office()).await;
    assert_eq!(made["createIntegration"]["userErrors"], json!([]));
    for missing in all {
        let some: Vec<_> = all.into_iter().filter(|one| *one != missing).collect();
        let caller = world.with(tenant, &some).await;
        assert_eq!(world.code(&caller, CREATE, office()).await, "FORBIDDEN", "without {missing}");
    }
}

#[tokio::test]
async fn s2_7_the_calendar_connector_connects_and_sees_nothing_else() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let integration = world.integration(tenant).await;
    world.person(tenant, integration, "anna").await;
    let connector = world.user(tenant, StandardRole::CalendarConnector).await;
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
        assert_eq!(world.code(&connector, query, json!({})).await, "FORBIDDEN", "{query}");
    }
    let seen = world.ask(&connector, "{ integrations { nodes { name state } } }", json!({})).await;
    assert_eq!(seen["integrations"]["nodes"], json!([{ "name": "Office", "state": "ACTIVE" }]));
    let invite = "mutation { inviteAdministrator(input: {email: \"it@acme.example\"}) { url } }";
    assert_eq!(world.code(&connector, invite, json!({})).await, "FORBIDDEN");
}

#[tokio::test]
async fn s3_2_the_feature_works_only_when_staff_switched_it_on() {
    let world = World::new().await;
    let staff = world.staff();
    let create = "mutation { createTenant(input: {name: \"Acme\", plan: BASIC}) { tenant { id features } } }";
    let made = world.ask(&staff, create, json!({})).await;
    let id = made["createTenant"]["tenant"]["id"].clone();
    assert_eq!(made["createTenant"]["tenant"]["features"], json!([]));
    let tenant = id.as_str().unwrap().parse().unwrap();
    let admin = world.user(tenant, StandardRole::Administrator).await;
    let refused = world.ask(&admin, CREATE, office()).await;
    assert_eq!(refused["createIntegration"]["userErrors"][0]["code"], "FEATURE_NOT_IN_PLAN");
    let switch = "mutation($id: ID!) {
        setFeature(input: {tenantId: $id, feature: SERVICE_ACCOUNT, on: true}) {
            tenant { features } userErrors { code path }
        }
    }";
    let lacks = world.ask(&staff, switch, json!({ "id": id })).await;
    let lacks = &lacks["setFeature"]["userErrors"][0];
    assert_eq!(*lacks, json!({ "code": "PLAN_LACKS_FEATURE", "path": ["input", "feature"] }));
    let plan = "mutation($id: ID!) { setPlan(input: {tenantId: $id, plan: PLUS}) { tenant { plan } } }";
    assert_eq!(world.code(&admin, plan, json!({ "id": id })).await, "FORBIDDEN");
    world.ask(&staff, plan, json!({ "id": id })).await;
    let off = world.ask(&admin, CREATE, office()).await;
    assert_eq!(off["createIntegration"]["userErrors"][0]["code"], "FEATURE_OFF");
    assert_eq!(world.code(&admin, switch, json!({ "id": id })).await, "FORBIDDEN");
    let on = world.ask(&staff, switch, json!({ "id": id })).await;
    assert_eq!(on["setFeature"]["tenant"]["features"], json!(["SERVICE_ACCOUNT"]));
    let made = world.ask(&admin, CREATE, office()).await;
    assert_eq!(made["createIntegration"]["userErrors"], json!([]));
}

#[tokio::test]
async fn s1_4_the_prerequisites_are_shown_before_starting() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let query = "query($provider: ProviderKind!) {
        connectPrerequisites(provider: $provider) { name met hint guide }
    }";
    let met = async |caller: &Caller, provider: &str| {
        let shown = world.ask(caller, query, json!({ "provider": provider })).await;
        let shown = shown["connectPrerequisites"].as_array().unwrap().clone();
        shown
            .into_iter()
            .map(|one| (one["name"].as_str().unwrap().to_owned(), one["met"].as_bool()))
            .collect()
    };
    let connector = world.user(tenant, StandardRole::CalendarConnector).await;
    let told: Vec<(String, Option<bool>)> = met(&connector, "MICROSOFT_365").await;
    let expected = [
        ("FEATURE", Some(true)),
        ("PERMISSION", Some(true)),
        ("PROVIDER", Some(true)),
        ("REACHABLE", None),
        ("CREDENTIALS", None),
    ];
    assert_eq!(told, expected.map(|(name, met)| (name.to_owned(), met)));
    let nobody_special = world.with(tenant, &[Permission::BookingView]).await;
    let told: Vec<(String, Option<bool>)> = met(&nobody_special, "GOOGLE_WORKSPACE").await;
    assert_eq!(
        (told[1].1, told[2].1),
        (Some(false), Some(false)),
        "neither the permission nor the connector"
    );
}

#[tokio::test]
async fn s4_18_only_who_may_change_the_service_account_changes_it() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let integration = world.integration(tenant).await;
    let change = "mutation($id: ID!) {
        setServiceMailbox(input: {integrationId: $id, mailbox: \"service@acme.example\"}) {
            run { workflow status subjectId } userErrors { code }
        }
    }";
    let id = json!({ "id": integration });
    for role in [StandardRole::HumanResources, StandardRole::CalendarConnector] {
        let caller = world.user(tenant, role).await;
        assert_eq!(world.code(&caller, change, id.clone()).await, "FORBIDDEN", "{role}");
    }
    let admin = world.user(tenant, StandardRole::Administrator).await;
    let ordered = world.ask(&admin, change, id).await;
    let run = &ordered["setServiceMailbox"]["run"];
    assert_eq!(run["workflow"], "verify_integration");
    assert_eq!((&run["status"], &run["subjectId"]), (&json!("ORDERED"), &json!(integration)));
}

#[tokio::test]
async fn a_tenant_that_floods_stops_no_other() {
    let world = World::new().await;
    let [flooding, quiet] = [world.tenant("acme").await, world.tenant("globex").await];
    let quotas = world.services.quotas();
    let all_of_one = world.services.settings.quotas.caller.unwrap().units;
    let may_spend = async |caller: &Caller| {
        quotas.charge(Charged::Caller(caller), all_of_one).await.refused_for.is_none()
    };
    let mut users = Vec::new();
    for _ in 0..4 {
        users.push(world.user(flooding, StandardRole::CalendarConnector).await);
    }
    assert!(may_spend(&users[0]).await);
    assert!(!may_spend(&users[0]).await, "a user has spent what it has");
    for user in &users[1..] {
        assert!(may_spend(user).await, "another one has not");
    }
    let vendor = world.vendor(flooding);
    let charge = quotas.charge(Charged::Caller(&vendor), all_of_one).await;
    assert!(charge.refused_for.is_some(), "but the tenant has: {charge:?}");
    let names: Vec<&str> = charge.accounts.iter().map(|account| account.name).collect();
    assert_eq!(names, ["caller", "tenant"]);
    assert!(may_spend(&world.vendor(quiet)).await, "the same key may go on for another tenant");
    assert!(may_spend(&world.user(quiet, StandardRole::CalendarConnector).await).await);
    assert!(may_spend(&world.staff()).await, "and for none");
}
