//! A tenant is erased, and nothing is left of it in any table but its receipt and what staff did (S6.8).

use chrono::Duration;
use domain::{Id, ids};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement};
use serde_json::{Value, json};
use services::audit::{
    AuditKeyProvider, INSTALLATION_CHAIN, create_checkpoints,
    verify::{SavedCheckpoints, list_chains, verify_chain},
};

use crate::harness::{Org, TestApp};

const RECEIPT: &str = "tenantId requestedBy requestedAt keysDestroyedAt finishedAt auditPosition auditHash \
                       tables { table rows }";

async fn erase(app: &TestApp, org: &Org, name: &str) -> Value {
    let input = json!({ "tenantId": org.tenant, "name": name });
    app.vendor().mutate("eraseTenant", &format!("receipt {{ {RECEIPT} }}"), input).await
}

async fn receipt(app: &TestApp, org: &Org) -> Value {
    let query = format!("query($id: ID!) {{ erasureReceipt(tenantId: $id) {{ {RECEIPT} }} }}");
    app.vendor().query(&query, json!({ "id": org.tenant })).await["erasureReceipt"].clone()
}

/// The owner's connection, which sees every row.
async fn owner(app: &TestApp) -> DatabaseConnection {
    entity::Store::connect_as_owner(app.database_url()).await.unwrap()
}

/// The tables in which one of the texts or the id appears, with the number of such rows.
async fn mentions(owner: &DatabaseConnection, id: Option<uuid::Uuid>, text: &str) -> Vec<(String, i64)> {
    let backend = owner.get_database_backend();
    let tables = match backend {
        DatabaseBackend::Postgres => {
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        }
        _ => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1",
    };
    let forms =
        id.map(|id| [id.to_string(), id.simple().to_string(), Id::<ids::Tenant>::from_uuid(id).to_string()]);
    let texts: Vec<String> = forms.into_iter().flatten().chain([text.to_owned()]).collect();
    let mut found = Vec::new();
    for row in owner.query_all_raw(Statement::from_string(backend, tables)).await.unwrap() {
        let table: String = row.try_get("", "name").unwrap();
        let any = match backend {
            DatabaseBackend::Postgres => {
                texts.iter().map(|text| format!("t::text LIKE '%{text}%'")).collect()
            }
            _ => in_sqlite(owner, &table, id, &texts).await,
        };
        let sql = format!("SELECT count(*) AS n FROM \"{table}\" t WHERE {}", any.join(" OR "));
        let row = owner.query_one_raw(Statement::from_string(backend, sql)).await.unwrap().unwrap();
        let count: i64 = row.try_get("", "n").unwrap();
        if count > 0 {
            found.push((table, count));
        }
    }
    found
}

/// Conditions that look into every column: ids are blobs.
async fn in_sqlite(
    owner: &DatabaseConnection,
    table: &str,
    id: Option<uuid::Uuid>,
    texts: &[String],
) -> Vec<String> {
    let sql = format!("SELECT name FROM pragma_table_info('{table}')");
    let columns = owner.query_all_raw(Statement::from_string(DatabaseBackend::Sqlite, sql)).await.unwrap();
    let mut any = Vec::new();
    for row in columns {
        let column: String = row.try_get("", "name").unwrap();
        let bytes = id.map(|id| id.simple().to_string().to_uppercase());
        any.extend(bytes.map(|bytes| format!("instr(hex(\"{column}\"), '{bytes}') > 0")));
        any.extend(texts.iter().map(|text| format!("instr(CAST(\"{column}\" AS text), '{text}') > 0")));
    }
    any
}

async fn s6_8_nothing_of_an_erased_tenant_is_left_but_its_receipt(app: TestApp) {
    let org = app.with_tenant("Gone", 4, 2).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let room = app.room_ids(&org).await.into_values().next().unwrap();
    app.book(&org, &users[org.insider()], "one", json!({ "roomIds": [room] })).await;
    let beside = app.with_tenant("Stays", 3, 1).await;
    app.with_users(&beside, 3).await;
    app.connect(&beside).await;
    let before = app.remains(&beside).await;
    let user = app.user(&org.tenant, &users[0]).await;
    let link = app.invite(&org).await;
    let domain = org.admin().split('@').nth(1).unwrap().to_owned();
    let owner = owner(&app).await;
    let there = mentions(&owner, Some(org.id().uuid()), &domain).await;
    assert!(there.len() > 15, "the search finds what is there: {there:?}");

    let wrong = json!({ "tenantId": org.tenant, "name": "x" });
    assert_eq!(app.vendor().refused("eraseTenant", "__typename", wrong).await, "NAME_MISMATCH");
    let begun = erase(&app, &org, "Gone").await;
    assert_eq!(
        (&begun["userErrors"], &begun["receipt"]["finishedAt"]),
        (&json!([]), &Value::Null),
        "{begun}"
    );
    let refused = user.ask("{ me { id } }", json!({})).await;
    assert!(refused["errors"].is_array(), "its tokens end at once: {refused}");
    let opened = app.open(&mut app.browser(&org), &link).await.page().unwrap();
    assert!(opened.code.is_some(), "and its links: {}", opened.text);
    let acting =
        app.vendor_for(&org.tenant).ask("{ integrations { edges { node { id } } } }", json!({})).await;
    assert!(acting["errors"].is_array(), "nobody acts within it: {acting}");
    for _ in 0..6 {
        app.run_jobs().await;
        app.advance(Duration::seconds(70)).await;
    }
    let receipt = receipt(&app, &org).await;
    assert!(receipt["finishedAt"].is_string() && receipt["keysDestroyedAt"].is_string(), "{receipt}");
    assert!(
        receipt["keysDestroyedAt"].as_str() <= receipt["finishedAt"].as_str(),
        "the keys first: {receipt}"
    );
    let counted = |table: &str| {
        let rows = receipt["tables"].as_array().unwrap().iter().find(|row| row["table"] == table);
        rows.map_or(0, |row| row["rows"].as_i64().unwrap())
    };
    assert_eq!((counted("tenant"), counted("booking")), (1, 1), "{receipt}");
    assert!(counted("tenant_user") > 3 && counted("run") > 5 && counted("audit") > 10, "{receipt}");
    let left = mentions(&owner, Some(org.id().uuid()), &domain).await;
    let names: Vec<_> = left.iter().map(|(table, _)| table.as_str()).collect();
    assert_eq!(names, ["audit", "erasure_receipt"], "{left:?}");
    assert_eq!(mentions(&owner, None, &domain).await, [], "no person's address is left");
    assert_eq!(app.remains(&beside).await, before, "its neighbour is as it was");
    owner.close().await.unwrap();
    app.finish().await;
}

/// A checkpoint from before the erasure agrees with the receipt, and the installation's chain is whole.
async fn s6_8_the_audit_log_still_verifies_after_an_erasure(app: TestApp) {
    let org = app.with_tenant("Gone", 3, 1).await;
    app.with_users(&org, 2).await;
    let owner = owner(&app).await;
    let vault = app.node.services.vault.clone();
    let key =
        AuditKeyProvider::new(vault, app.node.services.ids.clone()).find(&owner).await.unwrap().unwrap();
    let (kept, _) = create_checkpoints(&owner, &key, app.now()).await.unwrap();
    let lines: Vec<String> = kept.iter().map(services::audit::Checkpoint::to_json_line).collect();
    erase(&app, &org, "Gone").await;
    for _ in 0..4 {
        app.run_jobs().await;
        app.advance(Duration::seconds(70)).await;
    }
    assert!(receipt(&app, &org).await["auditHash"].is_string());
    let kept = SavedCheckpoints::parse(&lines.join("\n"), &key);
    let chains = list_chains(&owner, &kept).await.unwrap();
    assert!(chains.contains(&org.id()) && chains.contains(&INSTALLATION_CHAIN), "{chains:?}");
    for chain in chains {
        let verdict = verify_chain(&owner, &key, chain, &kept).await.unwrap();
        assert_eq!(verdict.broken, None, "{verdict:?}");
    }
    owner.close().await.unwrap();
    app.finish().await;
}

/// Only the vendor's staff erase, and read receipts.
async fn s6_8_only_staff_erase_a_tenant(app: TestApp) {
    let org = app.with_tenant("Safe", 2, 1).await;
    let users = app.with_users(&org, 1).await;
    app.give_role(&org, &users[0], "Administrator").await;
    let user = app.user(&org.tenant, &users[0]).await;
    let query = "mutation($input: EraseTenantInput!) { eraseTenant(input: $input) { receipt { tenantId } } }";
    let input = json!({ "input": { "tenantId": org.tenant, "name": "Safe" } });
    let answer = user.ask(query, input).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
    let query = "query($id: ID!) { erasureReceipt(tenantId: $id) { tenantId } }";
    let answer = user.ask(query, json!({ "id": org.tenant })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
    assert_eq!(receipt(&app, &org).await, Value::Null, "it is not erased");
    app.finish().await;
}

both! {
    s6_8_nothing_of_an_erased_tenant_is_left_but_its_receipt,
    s6_8_the_audit_log_still_verifies_after_an_erasure,
    s6_8_only_staff_erase_a_tenant,
}
