//! The record of what was done: nodes add to it, the owner prunes it.

use std::sync::Arc;

use domain::{Id, Ids, SystemClock, ids};
use entity::Logins;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::{
    nodes,
    postgres::on_a_database,
    roles::{as_role, environment, hand_back, owned_by_a_plain_role},
    row_level_security::{Filled, filled, migrated},
};

#[tokio::test]
async fn a_node_adds_to_the_record_and_never_takes_from_it() {
    on_a_database(async |url| {
        let Filled { owner, store, ours, .. } = filled(&url).await;
        fill(&owner, ours, 0).await;
        let line = format!(
            "INSERT INTO audit (id, tenant_id, actor, action, subject, details, at)
             SELECT gen_random_uuid(), '{}', 'a', 'b', 'c', '{{}}', now() FROM audit",
            ours.uuid()
        );
        let txn = store.write(ours).await.unwrap();
        assert_eq!(
            txn.execute_unprepared(&line).await.unwrap().rows_affected(),
            1,
            "it reads one and adds one"
        );
        txn.commit().await.unwrap();
        let txn = store.write(ours).await.unwrap();
        let moved = txn.execute_unprepared("UPDATE audit_chain SET seq = seq + 1").await.unwrap();
        assert_eq!(moved.rows_affected(), 1, "it moves the end of the tenant's chain");
        drop(txn);
        for taking in [
            "UPDATE audit SET actor = 'x'",
            "DELETE FROM audit",
            "TRUNCATE audit",
            "DELETE FROM audit_chain",
            "TRUNCATE audit_chain",
            "DELETE FROM erasure_receipt",
            "UPDATE erasure_receipt SET audit_seq = 1",
            "INSERT INTO erasure_receipt (id, requested_by, requested_at, tables, audit_seq)
                VALUES (gen_random_uuid(), 'a', now(), '{}', 1)",
            "UPDATE audit_key SET seed = ''",
            "DELETE FROM audit_key",
        ] {
            let txn = store.write(ours).await.unwrap();
            let refused = txn.execute_unprepared(taking).await.unwrap_err().to_string();
            assert!(refused.contains("permission denied"), "{taking}: {refused}");
        }
        let txn = store.write(ours).await.unwrap();
        let erase = format!("SELECT erase_audit_chain('{}')", ours.uuid());
        let refused = txn.execute_unprepared(&erase).await.unwrap_err().to_string();
        assert!(refused.contains("only the audit chain of a tenant that is being erased"), "{refused}");
        drop(txn);
        for statement in ["SELECT 1 FROM audit", "DELETE FROM audit", "SELECT 1 FROM audit_chain"] {
            let refused =
                store.engine_connection().execute_unprepared(statement).await.unwrap_err().to_string();
            assert!(refused.contains("permission denied"), "the engine, {statement}: {refused}");
        }
    })
    .await;
}

/// Inserts the tenant, and an entry for each of the last `days` days, as a version without chains wrote them.
async fn fill(server: &DatabaseConnection, tenant: Id<ids::Tenant>, days: u32) {
    let tenant = tenant.uuid();
    let sql = format!(
        "INSERT INTO tenant (id, name, plan, return_urls, data_key, version, created_at)
             VALUES ('{tenant}', 'Acme', 'PLUS', '[]', '', 1, now());
         INSERT INTO audit (id, tenant_id, actor, action, subject, details, at)
             SELECT (lpad(to_hex(100000 - d), 8, '0') || right('{}', 24))::uuid, '{tenant}', 'a', 'b', 'c', '{{}}',
                 now() - make_interval(days => d)
             FROM generate_series(1, {days}) d",
        tenant.simple()
    );
    server.execute_unprepared(&sql).await.unwrap();
}

/// How many lines of a tenant there are, and which of its acts the operator's are.
async fn lines(server: &DatabaseConnection, tenant: Id<ids::Tenant>) -> (i64, Vec<String>) {
    let tenant = tenant.uuid();
    let sql = format!(
        "SELECT count(*) AS n, coalesce(string_agg(action, ',' ORDER BY seq) FILTER (WHERE actor = 'operator'), '') AS acts
         FROM audit WHERE tenant_id = '{tenant}'"
    );
    let statement = Statement::from_string(server.get_database_backend(), sql);
    let row = server.query_one_raw(statement).await.unwrap().unwrap();
    let acts: String = row.try_get("", "acts").unwrap();
    (row.try_get("", "n").unwrap(), acts.split_terminator(',').map(str::to_owned).collect())
}

/// As an owner whom row-level security holds, as it does in production.
#[tokio::test]
async fn the_owner_prunes_the_record_and_that_is_recorded() {
    on_a_database(async |url| {
        let (server, role) = owned_by_a_plain_role(&url).await;
        let owner = as_role(&url, &role);
        migrated(&owner).await.close().await.unwrap();
        let ids = Ids::random(Arc::new(SystemClock));
        let (acme, other) = (ids.make(), ids.make());
        fill(&server, acme, 1200).await;
        fill(&server, other, 20).await;
        let operator = environment(&Logins::from_url(&url).app, &owner);
        let said = async |arguments: &[&str]| nodes::said(arguments, &operator).await;
        let (fine, told) = said(&["audit", "verify"]).await;
        assert!(!fine && told.contains("audit key is missing"), "{told}");
        let (fine, told) = said(&["migrate"]).await;
        assert!(fine, "{told}");
        assert_eq!(
            lines(&server, acme).await,
            (1201, vec!["audit.adopt".to_owned()]),
            "all have a place now"
        );
        let (fine, told) = said(&["audit", "verify"]).await;
        assert!(fine && told.contains("entries 1 to 1201"), "{told}");
        let prune = async |days: &str, tenant: Option<Id<ids::Tenant>>| {
            let tenant = tenant.map(|tenant| tenant.to_string());
            let mut arguments = vec!["audit", "prune", "--older-than-days", days];
            arguments.extend(tenant.iter().flat_map(|tenant| ["--tenant", tenant.as_str()]));
            let (fine, said) = nodes::said(&arguments, &operator).await;
            assert!(fine, "{said}");
            said
        };
        assert!(prune("100", None).await.contains("1101 entries removed"), "more than one batch");
        let both = vec!["audit.adopt".to_owned(), "audit.prune".to_owned()];
        assert_eq!(lines(&server, acme).await, (101, both));
        assert_eq!(
            lines(&server, other).await,
            (21, vec!["audit.adopt".to_owned()]),
            "of whom nothing is old, nothing is recorded"
        );
        prune("0", Some(acme)).await;
        assert_eq!(
            lines(&server, acme).await,
            (1, vec!["audit.prune".to_owned()]),
            "that it was erased is left"
        );
        assert_eq!(lines(&server, other).await.0, 21, "of the other tenant nothing went");
        let (fine, told) = said(&["audit", "verify"]).await;
        assert!(fine, "{told}");
        // Whoever owns the database changes what was recorded.
        server.execute_unprepared("UPDATE audit SET actor = 'x' WHERE seq = 7").await.unwrap();
        let (fine, told) = said(&["audit", "verify"]).await;
        let name = other;
        assert!(!fine && told.contains(&format!("BROKEN  {name}: entry 7 was changed")), "{told}");
        let mut node = operator.clone();
        node.insert("MUSTER_MIGRATION_URL".to_owned(), Logins::from_url(&url).app);
        let (fine, said) = nodes::said(&["audit", "prune", "--older-than-days", "0"], &node).await;
        assert!(!fine && said.contains("migration_url"), "a node's role does not prune: {said}");
        hand_back(&server, &role).await;
    })
    .await;
}
