//! Subscriptions: the present state first, then every change, with the permissions of the moment.

use domain::{
    Id, Permission, StandardRole, ids,
    state::{BookingState, ConnectionState, IntegrationState, RunStatus},
};
use futures::StreamExt;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use serde_json::json;
use services::{
    Change, PageArgs,
    change::{BookingChange, ConnectionChange},
    events::topic,
    roles::RoleChange,
};

use crate::graphql::setup::{Setup, at, text};

#[tokio::test]
async fn an_integration_is_told_as_it_stands_and_whenever_it_changes() {
    let setup = Setup::new().await;
    let (tenant, other) = (setup.tenant("acme").await, setup.tenant("other").await);
    let integration = setup.integration(tenant).await;
    let listener = setup.user(tenant, StandardRole::Administrator).await;
    let document = "subscription($id: ID!) { integrationStatus(id: $id) { state } }";
    let mut told = setup.listen(&listener, document, json!({ "id": integration }));
    assert_eq!(told.next().await.unwrap(), json!({ "integrationStatus": { "state": "ACTIVE" } }));
    setup.integration(tenant).await;
    setup.become_(tenant, integration, IntegrationState::Failing).await;
    assert_eq!(told.next().await.unwrap(), json!({ "integrationStatus": { "state": "FAILING" } }));
    let stranger = setup.user(other, StandardRole::Administrator).await;
    let mut refused = setup.listen(&stranger, document, json!({ "id": integration }));
    assert_eq!(refused.next().await.unwrap(), json!({ "code": "NOT_FOUND" }));
    assert_eq!(refused.next().await, None, "a subscription that may not be is over");
}

#[tokio::test]
async fn a_role_that_is_taken_away_ends_a_subscription() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let listener = setup.user(tenant, StandardRole::HumanResources).await;
    let document = "subscription($id: ID!) { integrationStatus(id: $id) { state } }";
    let mut told = setup.listen(&listener, document, json!({ "id": integration }));
    assert_eq!(told.next().await.unwrap(), json!({ "integrationStatus": { "state": "ACTIVE" } }));
    let domain::CallerKind::User(user) = listener.kind() else { panic!("the listener is a user") };
    let roles = setup.services.roles().of_users(setup.services.tenant_scope(tenant), &[user]).await.unwrap();
    let role = roles[&user][0].id;
    setup.services.roles().unassign(&setup.allowed(tenant).allow().unwrap(), user, &[role]).await.unwrap();
    setup.become_(tenant, integration, IntegrationState::Failing).await;
    assert_eq!(told.next().await.unwrap(), json!({ "code": "FORBIDDEN" }));
    assert_eq!(told.next().await, None);
}

#[tokio::test]
async fn the_fields_of_an_event_have_the_permissions_of_its_moment() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let both = [Permission::ConnectionView, Permission::CalendarConnect];
    let listener = setup.with(tenant, &both).await;
    let document = "subscription($id: ID!) { integrationStatus(id: $id) { serviceAccounts { id } } }";
    let mut told = setup.listen(&listener, document, json!({ "id": integration }));
    let seen = json!({ "integrationStatus": { "serviceAccounts": [] } });
    assert_eq!(told.next().await.unwrap(), seen);
    let domain::CallerKind::User(user) = listener.kind() else { panic!("the listener is a user") };
    let role = setup.role_of(tenant, user).await;
    let permissions = Some([Permission::CalendarConnect].into());
    let change = RoleChange { permissions, ..RoleChange::default() };
    setup.services.roles().update(&setup.allowed(tenant).allow().unwrap(), role, change).await.unwrap();
    for state in [IntegrationState::Failing, IntegrationState::Active] {
        setup.become_(tenant, integration, state).await;
        let answer = told.next().await.expect("the subscription goes on");
        assert_eq!(answer, json!({ "code": "FORBIDDEN" }), "the field is refused");
    }
}

#[tokio::test]
async fn connections_are_told_all_at_first_and_then_each_that_changes() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let (one, two) = (setup.integration(tenant).await, setup.integration(tenant).await);
    for n in 0..3 {
        setup.person(tenant, one, &format!("one{n}")).await;
    }
    let elsewhere = setup.person(tenant, two, "two").await;
    let listener = setup.user(tenant, StandardRole::Administrator).await;
    let document = "subscription($of: ID) { connectionStatus(integrationId: $of) { address state } }";
    let mut told = setup.listen(&listener, document, json!({ "of": one }));
    for n in 0..3 {
        let first = told.next().await.unwrap();
        assert_eq!(first["connectionStatus"]["address"], format!("one{n}@acme.example"));
    }
    let rows = setup
        .services
        .connections()
        .of_holders(setup.services.tenant_scope(tenant), &[elsewhere.any()])
        .await
        .unwrap();
    let lost = |id| {
        let state = Some(ConnectionState::Unreachable);
        Change::Connection(ConnectionChange { id, state, ..ConnectionChange::default() })
    };
    setup.change(tenant, vec![lost(rows[0].id)]).await;
    let all = services::connections::ConnectionFilter { integration: Some(one), ..Default::default() };
    let page = setup
        .services
        .connections()
        .list(&setup.allowed(tenant).allow().unwrap(), &all, PageArgs::default())
        .await
        .unwrap();
    setup.change(tenant, vec![lost(page.items[1].id)]).await;
    let changed = json!({ "connectionStatus": { "address": "one1@acme.example", "state": "UNREACHABLE" } });
    assert_eq!(told.next().await.unwrap(), changed, "the other integration's mailbox is not told");
}

#[tokio::test]
async fn a_booking_and_its_run_are_told_to_whoever_made_it() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let anna = setup.person(tenant, integration, "anna").await;
    let hr = setup.user(tenant, StandardRole::HumanResources).await;
    let create = "mutation($input: CreateBookingInput!) { createBooking(input: $input) { booking { id } run { id } } }";
    let input = json!({
        "organiserId": anna, "title": "Interview", "start": text(at(9)), "end": text(at(10)),
        "timeZone": "UTC", "idempotencyKey": "k",
    });
    let mut everything = setup.listen(&hr, "subscription { bookingChanged { title state } }", json!({}));
    // Polled once, so that it listens before there is anything; nothing is booked yet.
    assert!(futures::poll!(everything.next()).is_pending());
    let made = setup.ask(&hr, create, json!({ "input": input })).await["createBooking"].clone();
    let first = everything.next().await.unwrap();
    assert_eq!(first["bookingChanged"]["title"], "Interview");
    let one = "subscription($id: ID!) { bookingChanged(id: $id) { state } }";
    let mut told = setup.listen(&hr, one, json!({ "id": made["booking"]["id"] }));
    assert!(told.next().await.unwrap()["bookingChanged"]["state"].is_string());
    let id = made["booking"]["id"].as_str().unwrap().parse::<Id<ids::Booking>>().unwrap();
    let state = Some(BookingState::Confirmed);
    let change = BookingChange { id, state, ..BookingChange::default() };
    setup.change(tenant, vec![Change::Booking(change)]).await;
    assert_eq!(told.next().await.unwrap(), json!({ "bookingChanged": { "state": "CONFIRMED" } }));
    let run = "subscription($id: ID!) { runProgress(id: $id) { status workflow } }";
    let mut mine = setup.listen(&hr, run, json!({ "id": made["run"]["id"] }));
    let status = json!({ "runProgress": { "status": "ORDERED", "workflow": "write_booking" } });
    assert_eq!(mine.next().await.unwrap(), status, "who asked for a run may watch it");
    let colleague = setup.user(tenant, StandardRole::HumanResources).await;
    let mut theirs = setup.listen(&colleague, run, json!({ "id": made["run"]["id"] }));
    assert_eq!(theirs.next().await.unwrap(), json!({ "code": "FORBIDDEN" }));
}

#[tokio::test]
async fn parked_runs_are_told_to_those_who_look_after_runs() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let admin = setup.user(tenant, StandardRole::Administrator).await;
    let start = "mutation($id: ID!) { startCampaign(input: {integrationId: $id}) { campaign { id } } }";
    setup.ask(&admin, start, json!({ "id": integration })).await;
    let runs = setup.ask(&admin, "{ runs(first: 1) { nodes { id } } }", json!({})).await;
    let run: Id<ids::Run> = runs["runs"]["nodes"][0]["id"].as_str().unwrap().parse().unwrap();
    let parked = "subscription { runParked { id status } }";
    let mut told = setup.listen(&admin, parked, json!({}));
    assert!(futures::poll!(told.next()).is_pending(), "a run that lives is not parked");
    let mut tx = setup.services.begin(tenant).await.unwrap();
    tx.add_event(topic::RUN_PARKED, run);
    tx.commit().await.unwrap();
    assert!(futures::poll!(told.next()).is_pending(), "it was, and somebody has retried it");
    let txn = setup.services.store.write(tenant).await.unwrap();
    let row = entity::run::by_id(tenant, run).one(&txn).await.unwrap().unwrap();
    let mut row = row.into_active_model();
    row.status = Set(RunStatus::Quarantined.into());
    row.update(&txn).await.unwrap();
    txn.commit().await.unwrap();
    let mut tx = setup.services.begin(tenant).await.unwrap();
    tx.add_event(topic::RUN_PARKED, run);
    tx.commit().await.unwrap();
    let it = json!({ "runParked": { "id": run.to_string(), "status": "QUARANTINED" } });
    assert_eq!(told.next().await.unwrap(), it);
    let hr = setup.user(tenant, StandardRole::HumanResources).await;
    assert_eq!(setup.listen(&hr, parked, json!({})).next().await.unwrap(), json!({ "code": "FORBIDDEN" }));
}

#[tokio::test]
async fn a_campaign_tells_its_progress() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let admin = setup.user(tenant, StandardRole::Administrator).await;
    let start = "mutation($id: ID!) { startCampaign(input: {integrationId: $id}) { campaign { id } } }";
    let made = setup.ask(&admin, start, json!({ "id": integration })).await;
    let id = made["startCampaign"]["campaign"]["id"].clone();
    let document = "subscription($id: ID!) { campaignProgress(id: $id) { state progress { total } } }";
    let mut told = setup.listen(&admin, document, json!({ "id": id }));
    let first = told.next().await.unwrap();
    assert_eq!(first["campaignProgress"], json!({ "state": "RUNNING", "progress": { "total": 0 } }));
    let row = id.as_str().unwrap().parse::<Id<ids::Campaign>>().unwrap();
    setup.change(tenant, vec![Change::CampaignFinished(row)]).await;
    assert_eq!(told.next().await.unwrap()["campaignProgress"]["state"], "FINISHED");
    let preview = "query($id: ID!) { campaignPreview(integrationId: $id) { users rooms active excluded } }";
    let shown = setup.ask(&admin, preview, json!({ "id": integration })).await;
    let none = json!({ "users": 0, "rooms": 0, "active": 0, "excluded": 0 });
    assert_eq!(shown["campaignPreview"], none);
}
