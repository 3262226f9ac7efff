//! What the committer spends, counted.

use std::sync::atomic::Ordering;

use futures::future::join_all;
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement, TransactionTrait};
use workflows::engine::commit;

/// What a step costs where many are committed together: counts, which no machine changes. Steps that want nothing else
/// written are one statement, which is its own transaction.
#[tokio::test]
async fn a_batch_of_plain_steps_is_one_statement() {
    let bench = crate::bench(true).await;
    for size in [1, 32, 128] {
        for _ in 0..size {
            bench.order(bench.tenant, "").await;
        }
        let works = bench.engine.claim(&bench.sweep().await).await.unwrap();
        let settled = join_all(works.iter().map(|work| bench.engine.work(work))).await;
        assert_eq!(settled.len(), size);
        let before = bench.statements.load(Ordering::Relaxed);
        let written = commit(&bench.services, "here", settled).await;
        let statements = bench.statements.load(Ordering::Relaxed) - before;
        assert!(written.iter().all(|(_, written)| *written));
        assert_eq!(statements, 1, "for {size} steps");
        bench.engine.drain().await.unwrap();
    }
}

/// A plan that is made while the tables are nearly empty is kept for long: it has to go by the keys even then, for the
/// committer's own role and behind the walls between tenants.
#[tokio::test]
async fn a_batch_goes_by_the_keys_on_tables_without_statistics() {
    let bench = crate::bench(true).await;
    bench.order(bench.tenant, "").await;
    let alone = bench.services.store.by_key().begin().await.unwrap();
    let walled = bench.services.store.write_many(&[bench.tenant]).await.unwrap();
    for txn in [alone, walled] {
        let values = vec!["NULL"; 32].join(", ");
        txn.execute_unprepared(&format!("PREPARE move AS {}", workflows::engine::TOGETHER)).await.unwrap();
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
