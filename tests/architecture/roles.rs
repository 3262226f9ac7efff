//! The roles that nodes log in as: nothing that is said on their connections leads out of row-level security, and a
//! node refuses any other role.

use std::sync::Arc;

use domain::{Id, Ids, SystemClock, ids};
use entity::{
    Logins, Store, StoreError,
    store::{APP_ROLE, LoginRole},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, TransactionTrait};

use crate::{
    nodes::{self, Environment},
    postgres::on_a_database,
    row_level_security::{Filled, filled, migrated},
};

/// What somebody who can speak on a connection may try. `{owner}` is the owner of the database.
const ATTEMPTS: &[&str] = &[
    "RESET ROLE",
    "SET ROLE NONE",
    "SET ROLE {owner}",
    "SET ROLE muster_engine",
    "SET SESSION AUTHORIZATION {owner}",
    "SET SESSION AUTHORIZATION DEFAULT",
    "SET LOCAL row_security = off",
    "SET LOCAL session_replication_role = replica",
    "ALTER TABLE booking DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE booking OWNER TO muster_app",
    "DROP POLICY tenant_wall ON booking",
    "ALTER POLICY tenant_wall ON booking USING (true)",
    "CREATE POLICY mine ON booking USING (true)",
    "GRANT {owner} TO muster_app",
    "ALTER ROLE muster_app BYPASSRLS",
    "CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "COPY booking TO PROGRAM 'true'",
];

const NOBODY: [Id<ids::Tenant>; 0] = [];

/// The tenants whose rows of a table a connection sees; none where it is refused.
async fn seen(through: &impl ConnectionTrait, table: &str) -> Vec<Id<ids::Tenant>> {
    let sql = format!("SELECT tenant_id FROM {table} ORDER BY 1");
    let rows = through.query_all_raw(Statement::from_string(through.get_database_backend(), sql)).await;
    rows.unwrap_or_default().iter().map(|row| row.try_get("", "tenant_id").unwrap()).collect()
}

/// The attempts after which a transaction of one tenant sees the other's bookings, or for which it was not even
/// refused although nothing but the owner may do them.
async fn ways_out(
    connection: &DatabaseConnection,
    enter: &str,
    tenants: [Id<ids::Tenant>; 2],
) -> Vec<&'static str> {
    let mut ways = Vec::new();
    for attempt in ATTEMPTS {
        let txn = connection.begin().await.unwrap();
        txn.execute_unprepared(enter).await.unwrap();
        let confine = format!("SELECT set_config('app.tenants', '{}', true)", tenants[0].uuid());
        txn.execute_unprepared(&confine).await.unwrap();
        assert_eq!(seen(&txn, "booking").await, [tenants[0]], "what a node sees before {attempt}");
        let done = txn.execute_unprepared(&attempt.replace("{owner}", "postgres")).await;
        let is_definition =
            ["ALTER", "CREATE", "DROP", "GRANT", "COPY"].iter().any(|word| attempt.starts_with(word));
        if seen(&txn, "booking").await.contains(&tenants[1]) || (is_definition && done.is_ok()) {
            ways.push(*attempt);
        }
        txn.rollback().await.unwrap();
    }
    ways
}

#[tokio::test]
async fn nothing_that_a_node_says_leads_out_of_row_level_security() {
    on_a_database(async |url| {
        let Filled { owner, ours, theirs, .. } = filled(&url).await;
        let node = Store::connect_as_owner(&Logins::from_url(&url).app).await.unwrap();
        assert_eq!(ways_out(&node, "SELECT 1", [ours, theirs]).await, [""; 0]);
        // As nodes logged in before: as the owner, who takes the role. The attempts do lead out of that.
        let ways = ways_out(&owner, "SET LOCAL ROLE muster_app", [ours, theirs]).await;
        for way in ["RESET ROLE", "SET ROLE NONE", "SET ROLE {owner}", "SET SESSION AUTHORIZATION {owner}"] {
            assert!(ways.contains(&way), "{way} is seen where it leads out: {ways:?}");
        }
    })
    .await;
}

/// A role of this test alone: roles belong to the whole server.
async fn new_role(owner: &DatabaseConnection, rights: &str) -> String {
    let name = format!("t_{}", Ids::random(Arc::new(SystemClock)).uuid().simple());
    owner.execute_unprepared(&format!("CREATE ROLE {name} LOGIN {rights}")).await.unwrap();
    name
}

pub fn as_role(url: &str, role: &str) -> String {
    let mut url: url::Url = url.parse().unwrap();
    url.set_username(role).unwrap();
    url.into()
}

#[tokio::test]
async fn a_node_refuses_a_role_that_could_leave_row_level_security() {
    on_a_database(async |url| {
        let owner = migrated(&url).await;
        for (rights, then, fault) in [
            ("", "", ""),
            ("SUPERUSER", "", "is a superuser"),
            ("BYPASSRLS", "", "has BYPASSRLS"),
            ("CREATEROLE", "", "may make roles (CREATEROLE)"),
            ("REPLICATION", "", "may copy the database (REPLICATION)"),
            ("NOINHERIT", "GRANT muster_app TO {role}", "is a member of muster_app"),
            ("", "CREATE SCHEMA {role} AUTHORIZATION {role}", "owns objects of this database"),
        ] {
            let role = new_role(&owner, rights).await;
            owner.execute_unprepared(&then.replace("{role}", &role)).await.unwrap();
            let connection = Store::connect_as_owner(&as_role(&url, &role)).await.unwrap();
            let found = LoginRole::of_connection(&connection).await.unwrap();
            assert_eq!(found.find_faults(&role).join(", "), fault);
            assert_eq!(found.find_faults(APP_ROLE)[0], "is not muster_app");
            connection.close().await.unwrap();
            owner.execute_unprepared(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
        }
        for logins in [Logins::new(&url, None), Logins::new(&Logins::from_url(&url).app, Some(&url))] {
            let refused = Store::connect(&logins, 2).await.unwrap_err();
            assert_eq!(refused.code(), "DATABASE_ROLE_UNSAFE", "{refused}");
            assert!(matches!(refused, StoreError::RoleUnsafe { role, .. } if role == "postgres"));
        }
        Store::connect(&Logins::from_url(&url), 2).await.unwrap();
    })
    .await;
}

pub fn environment(database: &str, owner: &str) -> Environment {
    let ids = Ids::random(Arc::new(SystemClock));
    [
        ("MUSTER_DATABASE_URL", database.to_owned()),
        ("MUSTER_MIGRATION_URL", owner.to_owned()),
        ("MUSTER_PUBLIC_URL", "http://127.0.0.1:1".to_owned()),
        ("MUSTER_LISTEN", "127.0.0.1:0".to_owned()),
        ("MUSTER_MASTER_KEY", ids.random_secret()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[tokio::test]
async fn the_doctor_says_who_logs_in_and_fails_for_an_owner() {
    on_a_database(async |owner| {
        let node = environment(&Logins::from_url(&owner).app, &owner);
        let (migrated, said) = nodes::said(&["migrate"], &node).await;
        assert!(migrated, "{said}");
        let (sound, said) = nodes::said(&["doctor"], &node).await;
        assert!(sound, "{said}");
        for role in ["muster_app", "muster_engine", "postgres"] {
            assert!(said.contains(&format!("logs in as {role}, ")), "{role}: {said}");
        }
        let mut node = node;
        node.insert("MUSTER_QUEUE_URL".to_owned(), "redis://:made-up@127.0.0.1:1/".to_owned());
        let (sound, said) = nodes::said(&["doctor"], &node).await;
        assert!(!sound && said.contains("FAILED  queue: Redis is away"), "{said}");
        assert!(!said.contains("made-up"), "{said}");
        let node = environment(&owner, &owner);
        for command in ["doctor", "serve"] {
            let (sound, said) = nodes::said(&[command], &node).await;
            assert!(!sound && said.contains("DATABASE_ROLE_UNSAFE"), "{command}: {said}");
            assert!(said.contains("is a superuser"), "{command}: {said}");
        }
        let mut node = environment(&Logins::from_url(&owner).app, &owner);
        node.remove("MUSTER_MIGRATION_URL");
        let (migrated, said) = nodes::said(&["migrate"], &node).await;
        assert!(!migrated && said.contains("migration_url"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn an_owner_who_is_no_superuser_migrates_and_nodes_work() {
    on_a_database(async |url| {
        let (server, role) = owned_by_a_plain_role(&url).await;
        let owner = migrated(&as_role(&url, &role)).await;
        let store = Store::connect(&Logins::from_url(&url), 2).await.unwrap();
        let tenant = Ids::random(Arc::new(SystemClock)).make();
        let txn = store.write(tenant).await.unwrap();
        for sql in WRITTEN {
            txn.execute_unprepared(&sql.replace("{tenant}", &tenant.uuid().to_string())).await.unwrap();
        }
        txn.commit().await.unwrap();
        let node = store.read(tenant).await.unwrap();
        assert_eq!(seen(&node, "tenant_user").await, [tenant]);
        assert_eq!(seen(&node, "user_role").await, NOBODY, "it went with its role");
        assert_eq!(seen(&owner, "tenant_user").await, NOBODY, "row-level security holds the owner too");
        // What it has seen would be held against its change of hands.
        drop(node);
        owner.close().await.unwrap();
        hand_back(&server, &role).await;
    })
    .await;
}

/// Makes a role that is no superuser the owner of the database; the server's own connection, and the role.
pub async fn owned_by_a_plain_role(url: &str) -> (DatabaseConnection, String) {
    let server = migrated_roles(url).await;
    let role = new_role(&server, "").await;
    let name = url.rsplit('/').next().unwrap();
    server.execute_unprepared(&format!("ALTER DATABASE {name} OWNER TO {role}")).await.unwrap();
    (server, role)
}

/// Gives everything back, so that the role can go.
pub async fn hand_back(server: &DatabaseConnection, role: &str) {
    let sql = format!("REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}");
    server.execute_unprepared(&sql).await.unwrap();
}

/// The server's own connection, once the roles of nodes are made: this owner may not make them.
async fn migrated_roles(url: &str) -> DatabaseConnection {
    let server = Store::connect_as_owner(url).await.unwrap();
    migration::roles::create_roles(&server).await.unwrap();
    server
}

/// Rows that refer to each other, so that what PostgreSQL checks by itself is checked as this owner.
const WRITTEN: &[&str] = &[
    "INSERT INTO tenant (id, name, plan, return_urls, data_key, version, created_at)
     VALUES ('{tenant}', 'Acme', 'PLUS', '[]', '', 1, now())",
    "INSERT INTO tenant_user (id, tenant_id, email, name, version, created_at)
     VALUES ('{tenant}', '{tenant}', 'a@acme.example', 'A', 1, now())",
    "INSERT INTO role (id, tenant_id, name, standard, permissions, created_at)
     VALUES ('{tenant}', '{tenant}', 'R', true, '[]', now())",
    "INSERT INTO user_role (tenant_id, user_id, role_id) VALUES ('{tenant}', '{tenant}', '{tenant}')",
    "DELETE FROM role WHERE tenant_id = '{tenant}'",
];
