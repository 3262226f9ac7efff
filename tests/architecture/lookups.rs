//! What tells the tenant of what is found first: the database keeps it, and nodes read it only.

use std::sync::Arc;

use domain::{Id, Ids, SystemClock, ids};
use entity::{
    Logins, Store,
    tenant_lookup::{Kind, tenant_of},
};
use sea_orm::{ConnectionTrait, Statement, Value};

use crate::{postgres::on_a_database, row_level_security::migrated};

/// A tenant with one of everything that is looked up. `$1` is the tenant and every id, `$2` every digest.
const WRITTEN: &[&str] = &[
    "INSERT INTO tenant (id, name, plan, return_urls, data_key, version, created_at)
     VALUES ($1, 'Acme', 'PLUS', '[]', $2, 1, '2026-01-01T00:00:00Z')",
    "INSERT INTO integration (id, tenant_id, provider, name, state, since, access_level, created_by, created_at, version)
     VALUES ($1, $1, 'P', 'N', 'S', '2026-01-01T00:00:00Z', 'A', 'B', '2026-01-01T00:00:00Z', 1)",
    "INSERT INTO connection (id, tenant_id, integration_id, address, state, since, route, capabilities, version)
     VALUES ($1, $1, $1, 'a', 'S', '2026-01-01T00:00:00Z', 'R', '{}', 1)",
    "INSERT INTO channel (id, tenant_id, connection_id, external_id, secret, expires_at)
     VALUES ($1, $1, $1, 'first|behind', $2, '2026-01-01T00:00:00Z')",
    "INSERT INTO connect_link (id, tenant_id, token_hash, email, created_by, created_at, expires_at)
     VALUES ($1, $1, $2, 'e', 'b', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')",
    "INSERT INTO connect_session (id, tenant_id, integration_id, cookie_hash, purpose, step, created_at, expires_at)
     VALUES ($1, $1, $1, $2, 'p', 's', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')",
];

const DIGEST: &[u8] = &[7; 32];

async fn execute(store: &Store, tenant: Id<ids::Tenant>, sql: &str) {
    let txn = store.write(tenant).await.unwrap();
    let digest = sql.contains("$2").then(|| Value::from(DIGEST.to_vec()));
    let values: Vec<Value> = [Some(tenant.into()), digest].into_iter().flatten().collect();
    txn.execute_raw(Statement::from_sql_and_values(store.backend(), sql, values)).await.unwrap();
    txn.commit().await.unwrap();
}

async fn a_lookup_leads_to_its_tenant(url: &str) {
    migrated(url).await.close().await.unwrap();
    let store = Store::connect(&Logins::from_url(url), 2).await.unwrap();
    let tenant = Ids::random(Arc::new(SystemClock)).make();
    for sql in WRITTEN {
        execute(&store, tenant, sql).await;
    }
    let leads = async |kind, key: &[u8]| tenant_of(&store, kind, key).await.unwrap() == Some(tenant);
    assert!(leads(Kind::ConnectLink, DIGEST).await);
    assert!(leads(Kind::ConnectSession, DIGEST).await);
    assert!(leads(Kind::Channel, b"first").await, "by what a notice carries of its id");
    assert!(!leads(Kind::Channel, DIGEST).await, "a key of one kind is none of another");
    execute(&store, tenant, "UPDATE channel SET external_id = 'second' WHERE tenant_id = $1").await;
    assert!(leads(Kind::Channel, b"second").await && !leads(Kind::Channel, b"first").await);
    execute(&store, tenant, "DELETE FROM connection WHERE tenant_id = $1").await;
    assert!(!leads(Kind::Channel, b"second").await, "it goes with its connection");
    execute(&store, tenant, "DELETE FROM integration WHERE tenant_id = $1").await;
    assert!(!leads(Kind::ConnectSession, DIGEST).await, "it goes with its integration");
    assert!(leads(Kind::ConnectLink, DIGEST).await);
}

#[tokio::test]
async fn a_lookup_leads_to_its_tenant_and_goes_with_its_row_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("m.db").display());
    a_lookup_leads_to_its_tenant(&url).await;
}

#[tokio::test]
async fn a_lookup_leads_to_its_tenant_and_goes_with_its_row_on_postgres() {
    on_a_database(async |url| a_lookup_leads_to_its_tenant(&url).await).await;
}

#[tokio::test]
async fn no_node_leads_a_lookup_to_another_tenant() {
    on_a_database(async |url| {
        migrated(&url).await.close().await.unwrap();
        let node = Store::connect_as_owner(&Logins::from_url(&url).app).await.unwrap();
        node.execute_unprepared("CREATE TEMP TABLE mine (external_id text, tenant_id uuid)").await.unwrap();
        for attempt in [
            "INSERT INTO tenant_lookup VALUES ('channel', '', gen_random_uuid())",
            "UPDATE tenant_lookup SET tenant_id = gen_random_uuid()",
            "DELETE FROM tenant_lookup",
            "CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION channel_lookup()",
        ] {
            let refused = node.execute_unprepared(attempt).await.unwrap_err().to_string();
            assert!(refused.contains("permission denied"), "{attempt}: {refused}");
        }
    })
    .await;
}
