//! The second wall between tenants: row-level security, as the real PostgreSQL keeps it.
//!
//! The tables are asked of the database itself, so a table of a later migration is held to the same rules on the
//! day it is made.

use std::{collections::BTreeSet, sync::Arc};

use domain::{Id, Ids, SystemClock, ids};
use entity::{Logins, Store};
use sea_orm::{ConnectionTrait, DatabaseConnection, FromQueryResult, Statement};

use crate::postgres::on_a_database;

/// What is found before its tenant is known: vendor keys, which belong to the installation although one may act for one
/// tenant alone, and of which a digest is kept; and what tells the tenant of a digest or of a provider's name for a channel.
const FOUND_FIRST: &[&str] = &["api_key", "tenant_lookup"];

/// What the engine's role may see and change: every tenant's runs and jobs, and nothing else.
const ENGINE: &[&str] = &["run", "run_history", "job", "signal", "schedule"];

/// What no node changes or takes from, see `audit.rs` beside this file.
const RECORD: [&str; 2] = ["audit", "audit_chain"];

/// What it may add to.
const TOLD: &str = "event_log";

#[derive(Debug, FromQueryResult)]
struct Table {
    name: String,
    of_tenant: bool,
    secured: bool,
    forced: bool,
    walled: bool,
    engine: bool,
    engine_adds: bool,
}

const TABLES: &str = "
SELECT c.relname::text AS name,
       EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') AS of_tenant,
       c.relrowsecurity AS secured, c.relforcerowsecurity AS forced,
       EXISTS (SELECT 1 FROM pg_policies p WHERE p.tablename = c.relname AND 'muster_app' = ANY (p.roles)
               AND p.qual LIKE '%app.tenants%' AND p.with_check LIKE '%app.tenants%') AS walled,
       has_table_privilege('muster_engine', c.oid, 'SELECT, UPDATE, DELETE, TRUNCATE') AS engine,
       has_table_privilege('muster_engine', c.oid, 'INSERT') AS engine_adds
FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1";

/// Writes a row for each tenant into every walled table, past foreign keys: only the walls are looked at here.
const FILL: &str = "
DO $$
DECLARE walled record; tenant uuid; columns text; filled text;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOREACH tenant IN ARRAY ARRAY['{a}', '{b}']::uuid[] LOOP
        FOR walled IN SELECT oid, relname FROM pg_class WHERE relrowsecurity LOOP
            SELECT string_agg(quote_ident(attname), ', '), string_agg(CASE
                       WHEN attname = 'tenant_id' THEN quote_literal(tenant)
                       WHEN format_type(atttypid, NULL) = 'uuid' THEN 'gen_random_uuid()'
                       WHEN format_type(atttypid, NULL) = 'jsonb' THEN '''{}'''
                       WHEN format_type(atttypid, NULL) = 'bytea' THEN 'decode(md5(random()::text), ''hex'')'
                       WHEN format_type(atttypid, NULL) = 'text' THEN 'md5(random()::text)'
                       WHEN format_type(atttypid, NULL) = 'boolean' THEN 'false'
                       WHEN format_type(atttypid, NULL) LIKE 'timestamp%' THEN 'now()'
                       ELSE '''1''' END, ', ')
              INTO columns, filled
              FROM pg_attribute
             WHERE attrelid = walled.oid AND attnum > 0 AND attnotnull AND NOT attisdropped;
            EXECUTE format('INSERT INTO %I (%s) VALUES (%s)', walled.relname, columns, filled);
        END LOOP;
    END LOOP;
END $$";

async fn tables(owner: &DatabaseConnection) -> Vec<Table> {
    let statement = Statement::from_string(owner.get_database_backend(), TABLES);
    let tables = Table::find_by_statement(statement).all(owner).await.unwrap();
    tables.into_iter().filter(|table| table.name != "seaql_migrations").collect()
}

/// The tenants whose rows of a table a connection sees.
async fn seen(through: &impl ConnectionTrait, table: &str) -> Vec<Id<ids::Tenant>> {
    let sql = format!("SELECT tenant_id FROM {table} ORDER BY 1");
    let rows =
        through.query_all_raw(Statement::from_string(through.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "tenant_id").unwrap()).collect()
}

pub async fn migrated(url: &str) -> DatabaseConnection {
    let owner = Store::connect_as_owner(url).await.unwrap();
    migration::up(&owner).await.unwrap();
    owner
}

/// A database with a row of two tenants in every walled table.
pub struct Filled {
    pub owner: DatabaseConnection,
    pub store: Store,
    pub ours: Id<ids::Tenant>,
    pub theirs: Id<ids::Tenant>,
}

pub async fn filled(url: &str) -> Filled {
    let owner = migrated(url).await;
    let ids = Ids::random(Arc::new(SystemClock));
    let (ours, theirs) = (ids.make(), ids.make());
    let fill = FILL.replace("{a}", &ours.uuid().to_string()).replace("{b}", &theirs.uuid().to_string());
    owner.execute_unprepared(&fill).await.unwrap();
    let store = Store::connect(&Logins::from_url(url), 2).await.unwrap();
    Filled { owner, store, ours, theirs }
}

#[tokio::test]
async fn every_table_of_a_tenant_is_walled() {
    on_a_database(async |url| {
        let tables = tables(&migrated(&url).await).await;
        let open: BTreeSet<_> = tables
            .iter()
            .filter(|table| table.of_tenant && !table.secured)
            .map(|table| table.name.as_str())
            .collect();
        assert_eq!(open, FOUND_FIRST.iter().copied().collect(), "tables that no wall stands around");
        let walled: Vec<_> = tables.iter().filter(|table| table.secured).collect();
        assert!(walled.len() > 20, "the walls are looked for in the right place: {walled:?}");
        for table in walled {
            assert!(table.forced, "{}: its owner passes the wall", table.name);
            assert!(table.walled, "{}: requests pass the wall", table.name);
        }
    })
    .await;
}

#[tokio::test]
async fn a_tenant_sees_its_own_rows_and_nobody_elses() {
    on_a_database(async |url| {
        let Filled { owner, store, ours, theirs } = filled(&url).await;
        for table in tables(&owner).await.iter().filter(|table| table.secured) {
            let name = &table.name;
            assert_eq!(seen(&owner, name).await.len(), 2, "{name} has a row of each tenant");
            assert_eq!(seen(&store.read(ours).await.unwrap(), name).await, [ours], "{name}");
            assert_eq!(seen(&store.read(theirs).await.unwrap(), name).await, [theirs], "{name}");
            assert_eq!(seen(&store.write(ours).await.unwrap(), name).await, [ours], "{name}");
            let both = store.write_many(&[ours, theirs]).await.unwrap();
            assert_eq!(seen(&both, name).await, [ours, theirs], "{name}: a committer's batch");
            assert!(
                seen(store.installation_connection(), name).await.is_empty(),
                "{name} is seen without a tenant"
            );
            let nobody = store.write_installation().await.unwrap();
            assert!(seen(&nobody, name).await.is_empty(), "{name} is seen without a tenant");
        }
    })
    .await;
}

#[tokio::test]
async fn a_tenants_transaction_cannot_write_into_another_tenant() {
    on_a_database(async |url| {
        let Filled { owner, store, ours, theirs } = filled(&url).await;
        let changed = |table: &&Table| table.secured && !RECORD.contains(&table.name.as_str());
        for table in tables(&owner).await.iter().filter(changed) {
            let name = &table.name;
            let txn = store.write(ours).await.unwrap();
            let theirs = theirs.uuid();
            let touched =
                txn.execute_unprepared(&format!("DELETE FROM {name} WHERE tenant_id = '{theirs}'")).await;
            assert_eq!(touched.unwrap().rows_affected(), 0, "{name}");
            let handed = format!("UPDATE {name} SET tenant_id = '{theirs}'");
            let refusal = txn.execute_unprepared(&handed).await.unwrap_err().to_string();
            assert!(refusal.contains("row-level security"), "{name}: {refusal}");
        }
        assert_eq!(seen(&owner, "booking").await, [ours, theirs], "nothing was changed");
    })
    .await;
}

#[tokio::test]
async fn the_engines_role_sees_the_engines_tables_of_all_tenants_and_no_others() {
    on_a_database(async |url| {
        let Filled { owner, store, ours, theirs } = filled(&url).await;
        let tables = tables(&owner).await;
        let named = |may: fn(&Table) -> bool| -> BTreeSet<&str> {
            tables.iter().filter(|table| may(table)).map(|table| table.name.as_str()).collect()
        };
        let mut open: BTreeSet<&str> = ENGINE.iter().copied().collect();
        assert_eq!(named(|table| table.engine), open);
        open.insert(TOLD);
        assert_eq!(named(|table| table.engine_adds), open);
        assert_eq!(seen(store.engine_connection(), "job").await, [ours, theirs]);
        for forbidden in ["booking", "consent_grant", "signing_key"] {
            let sql = format!("SELECT 1 FROM {forbidden}");
            let refusal = store.engine_connection().execute_unprepared(&sql).await.unwrap_err().to_string();
            assert!(refusal.contains("permission denied"), "{forbidden}: {refusal}");
        }
    })
    .await;
}
