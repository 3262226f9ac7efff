//! A tenant that has one of everything, all of it marked.

use std::collections::BTreeMap;

use domain::{Id, Permission, StandardRole, ids};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use serde_json::{Value, json};
use services::{links::NewInvitation, roles::NewRole};

use crate::graphql::setup::{Setup, at, text};

/// What stands in every text of the victim's.
pub const MARK: &str = "mark7f3";
/// What stands in the name of the tenant, which every member of it may see.
pub const TENANT: &str = "tenant5c9";

pub struct Victim {
    pub tenant: Id<ids::Tenant>,
    /// An id of every kind.
    pub ids: Vec<String>,
}

impl Victim {
    pub async fn new(setup: &Setup) -> Self {
        let tenant = setup.tenant(TENANT).await;
        let by = setup.allowed(tenant);
        let integration = setup.integration_named(tenant, MARK).await;
        let user = setup.person(tenant, integration, MARK).await;
        let room = setup.room(tenant, integration, &format!("room-{MARK}")).await;
        let new = NewRole { name: MARK.to_owned(), permissions: [Permission::BookingView].into() };
        let role = setup.services.roles().create(&by.allow().unwrap(), new).await.unwrap();
        let invitation = NewInvitation {
            email: format!("it-{MARK}@acme.example"),
            return_url: None,
            integration: Some(integration),
            roles: Vec::new(),
        };
        let (link, _) = setup.services.links().invite(&by.allow().unwrap(), invitation).await.unwrap();
        let administrator = setup.user(tenant, StandardRole::Administrator).await;
        let made = booking(setup, &administrator, user, &[room], MARK).await;
        let connections = "{ connectedMailboxes { nodes { id } } }";
        let seen = setup.ask(&administrator, connections, json!({})).await;
        let campaign = campaign(setup, &administrator, integration).await;
        let token = setup.services.access().issue(&setup.staff, tenant, user, None).await.unwrap();
        let issuer = setup.issuer(tenant, user, MARK).await;
        let id = |value: &Value| value.as_str().map(str::to_owned);
        let mut ids = vec![
            tenant.to_string(),
            user.to_string(),
            integration.to_string(),
            room.to_string(),
            role.id.to_string(),
            link.id.to_string(),
            token.id.to_string(),
            issuer.to_string(),
        ];
        let booking = &made["booking"]["id"];
        let members = [booking, &made["run"]["id"], &seen["connectedMailboxes"]["nodes"][0]["id"], &campaign];
        ids.extend(members.into_iter().map(|value| id(value).expect("the victim has one of everything")));
        Self { tenant, ids }
    }

    /// Every row of the victim's, by table.
    pub async fn rows(&self, setup: &Setup) -> BTreeMap<String, Vec<String>> {
        let txn = setup.services.store.read(self.tenant).await.unwrap();
        let all = async |sql: String| {
            let statement = Statement::from_string(DatabaseBackend::Sqlite, sql);
            txn.query_all_raw(statement).await.unwrap()
        };
        let tables = all("SELECT name FROM sqlite_master WHERE type = 'table'".to_owned()).await;
        let mut rows = BTreeMap::new();
        for table in tables.iter().map(|row| row.try_get::<String>("", "name").unwrap()) {
            let columns = all(format!("SELECT name FROM pragma_table_info('{table}')")).await;
            let columns: Vec<String> = columns.iter().map(|row| row.try_get("", "name").unwrap()).collect();
            let own = if table == "tenant" { "id" } else { "tenant_id" };
            if !columns.iter().any(|column| column == own) {
                continue;
            }
            let quoted: Vec<_> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
            let tenant = self.tenant.uuid().simple();
            let sql = format!(
                "SELECT {} AS line FROM {table} WHERE lower(hex({own})) = '{tenant}' ORDER BY 1",
                quoted.join(" || '|' || ")
            );
            let lines = all(sql).await;
            rows.insert(table, lines.iter().map(|row| row.try_get("", "line").unwrap()).collect());
        }
        assert!(
            rows.values().filter(|rows: &&Vec<String>| !rows.is_empty()).count() > 10,
            "there is much to touch"
        );
        rows
    }
}

/// Makes a booking; returns it with its run.
pub async fn booking(
    setup: &Setup,
    by: &services::Caller,
    organiser: Id<ids::User>,
    rooms: &[Id<ids::Room>],
    title: &str,
) -> Value {
    let create = "mutation($input: CreateBookingInput!) { createBooking(input: $input) { booking { id } run { id } } }";
    let input = json!({ "input": {
        "organiserId": organiser, "title": title, "start": text(at(9)), "end": text(at(10)),
        "timeZone": "Europe/Berlin", "roomIds": rooms, "idempotencyKey": title,
    } });
    setup.ask(by, create, input).await["createBooking"].clone()
}

async fn campaign(setup: &Setup, by: &services::Caller, integration: Id<ids::Integration>) -> Value {
    let start = "mutation($id: ID!) { startCampaign(input: {integrationId: $id}) { campaign { id } userErrors { code } } }";
    setup.ask(by, start, json!({ "id": integration })).await["startCampaign"]["campaign"]["id"].clone()
}
