//! Work that kills its workers, or cannot be undone, is parked, and told.

use domain::state::RunStatus;

use crate::bench::{Bench, PARKED};

pub async fn what_crashes_three_workers_is_quarantined_and_its_writer_hears_of_it(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "").await;
    for _ in 0..3 {
        let dead = bench.engine.claim(&bench.sweep().await).await.unwrap();
        assert_eq!(dead.len(), 1);
        bench.clock.advance(chrono::Duration::seconds(16));
    }
    bench.engine.run_until_idle().await.unwrap();
    let row = bench.run(run).await;
    assert_eq!(
        (row.status.as_str(), row.reason.unwrap()["code"].clone()),
        ("QUARANTINED", "RUN_QUARANTINED".into())
    );
    assert_eq!(bench.notes(run).await, [PARKED], "its writer hears of it");
    assert!(bench.node.revive(bench.tenant, run).await);
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!((bench.run(run).await.status.as_str(), bench.notes(run).await.len()), ("WAITING", 1));
}

pub async fn a_run_parked_while_undoing_goes_on_undoing(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "stuck").await;
    bench.engine.run_until_idle().await.unwrap();
    let row = bench.run(run).await;
    let code = |row: &runs::Run| row.reason.clone().unwrap()["code"].clone();
    assert_eq!((row.status.as_str(), code(&row), row.undoing), ("QUARANTINED", "TOY_STUCK".into(), true));
    assert!(bench.node.revive(bench.tenant, run).await);
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!(bench.run(run).await.status, RunStatus::Quarantined, "its step was not done once more");
    let txn = bench.node.store.read(bench.tenant).await.unwrap();
    let history = entity::run_history::of(bench.tenant).all(&txn).await.unwrap();
    let steps: Vec<_> = history.iter().map(|line| line.outcome.as_str()).collect();
    assert_eq!(steps, ["FAILED", "QUARANTINED", "REVIVED", "QUARANTINED"]);
}

pub async fn crashes_that_lie_days_apart_park_nothing(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "").await;
    for _ in 0..4 {
        assert_eq!(bench.engine.claim(&bench.sweep().await).await.unwrap().len(), 1, "and its worker dies");
        bench.clock.advance(chrono::Duration::hours(40));
    }
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!(bench.run(run).await.status, RunStatus::Waiting);
}
