//! What the committer spends, counted.

use std::sync::atomic::Ordering;

use entity::Store;
use futures::future::join_all;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement, TransactionTrait};
use serde_json::json;

/// What a step costs where many are committed together: counts, which no machine changes. Steps that want nothing else
/// written are one statement, which is its own transaction.
#[tokio::test]
async fn a_batch_of_plain_steps_is_one_statement() {
    let bench = crate::bench(true).await;
    for size in [1, 32, 128] {
        for _ in 0..size {
            bench.enqueue(bench.tenant, "").await;
        }
        let works = bench.engine.claim(&bench.sweep().await).await.unwrap();
        let transition = join_all(works.iter().map(|work| bench.engine.execute_step(work))).await;
        assert_eq!(transition.len(), size);
        let before = bench.statements.load(Ordering::Relaxed);
        let written = bench.engine.commit(transition).await;
        let statements = bench.statements.load(Ordering::Relaxed) - before;
        assert!(written.iter().all(|(_, written)| *written));
        assert_eq!(statements, 1, "for {size} steps");
        bench.engine.run_until_idle().await.unwrap();
    }
}

/// A plan that is made while the tables are nearly empty is kept for long: it has to go by the keys even then, for the
/// committer's own role and behind the walls between tenants.
#[tokio::test]
async fn a_batch_goes_by_the_keys_on_tables_without_statistics() {
    let bench = crate::bench(true).await;
    bench.enqueue(bench.tenant, "").await;
    let alone = bench.node.store.engine_key_connection().begin().await.unwrap();
    let walled = bench.node.store.write_many(&[bench.tenant]).await.unwrap();
    for txn in [alone, walled] {
        let sql = runs::commit_sql();
        let parameters = (1..100).take_while(|number| sql.contains(&format!("${number}"))).count();
        assert!(parameters > 30, "{sql}");
        let values = vec!["NULL"; parameters].join(", ");
        txn.execute_unprepared(&format!("PREPARE move AS {sql}")).await.unwrap();
        let explain =
            Statement::from_string(DatabaseBackend::Postgres, format!("EXPLAIN EXECUTE move ({values})"));
        let rows = txn.query_all_raw(explain).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.try_get("", "QUERY PLAN").unwrap()).collect();
        let reads: Vec<&String> =
            plan.iter().filter(|line| line.contains("Scan using") || line.contains("Seq Scan")).collect();
        assert!(reads.len() >= 6, "{plan:#?}");
        for read in reads {
            let by_key = ["run_pkey", "job_pkey", "signal_pkey"].iter().any(|key| read.contains(key));
            assert!(by_key, "{read}\n{plan:#?}");
        }
    }
}

#[tokio::test]
async fn orders_of_any_number_are_one_statement() {
    let bench = crate::bench(true).await;
    for size in [1, 7, 128] {
        let run = |_| {
            let id = bench.node.ids.make();
            crate::bench::wanted(id, bench.tenant, "toy", id.to_string(), json!({}))
        };
        let runs: Vec<_> = (0..size).map(run).collect();
        let txn = bench.node.store.write(bench.tenant).await.unwrap();
        let before = bench.statements.load(Ordering::Relaxed);
        let hints = runs::enqueue(&txn, &runs, bench.node.now()).await.unwrap();
        assert_eq!(bench.statements.load(Ordering::Relaxed) - before, 1, "for {size} runs");
        assert_eq!(hints.len(), size);
        assert!(hints.iter().zip(&runs).all(|(hint, run)| hint.run == run.id && hint.tenant == run.tenant));
        txn.commit().await.unwrap();
    }
}

/// What PostgreSQL asks for a foreign key it asks with a plan that it keeps, made when the tables were nearly empty.
#[tokio::test]
async fn a_run_is_found_by_its_id_on_tables_without_statistics() {
    let bench = crate::bench(true).await;
    bench.enqueue(bench.tenant, "").await;
    let owner: DatabaseConnection = Store::connect_as_owner(&bench.url).await.unwrap();
    owner
        .execute_unprepared(
            "PREPARE ask(uuid, uuid) AS SELECT 1 FROM ONLY run x WHERE tenant_id = $1 AND id = $2 FOR KEY SHARE OF x",
        )
        .await
        .unwrap();
    for mode in ["force_generic_plan", "force_custom_plan"] {
        owner.execute_unprepared(&format!("SET plan_cache_mode = {mode}")).await.unwrap();
        let id = bench.tenant.uuid();
        let explain = format!("EXPLAIN EXECUTE ask ('{id}', '{id}')");
        let rows =
            owner.query_all_raw(Statement::from_string(DatabaseBackend::Postgres, explain)).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.try_get("", "QUERY PLAN").unwrap()).collect();
        let by_key = ["run_pkey", "run_tenant_id_id_key"].iter().any(|key| plan[1].contains(key));
        assert!(by_key, "{plan:#?}");
    }
}
