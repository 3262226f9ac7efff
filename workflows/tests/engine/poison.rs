//! Work that kills its workers, or cannot be undone, is parked, and told.

use domain::{AnyId, state::RunStatus};
use sea_orm::{ColumnTrait, QueryFilter};

use crate::bench::Bench;

pub async fn work_that_kills_three_workers_is_parked(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "").await;
    for _ in 0..3 {
        let dead = bench.engine.claim(&bench.sweep().await).await.unwrap();
        assert_eq!(dead.len(), 1);
        bench.clock.advance(chrono::Duration::seconds(16));
    }
    bench.engine.drain().await.unwrap();
    let row = bench.run(run).await;
    assert_eq!(
        (row.status.as_str(), row.reason.unwrap()["code"].clone()),
        ("QUARANTINED", "RUN_QUARANTINED".into())
    );
    let alerts = async || {
        // From the table: a reader of the log may have to wait for what other databases of the server write.
        let txn = bench.services.store.read(bench.tenant).await.unwrap();
        let parked = entity::event_log::Column::Topic.eq(services::events::topic::RUN_PARKED.as_str());
        entity::event_log::of(bench.tenant).filter(parked).all(&txn).await.unwrap()
    };
    let told: Vec<AnyId> = alerts().await.iter().map(|event| event.subject).collect();
    assert_eq!(told, [run], "somebody is told");
    bench.services.runs().retry(&bench.admin().allow().unwrap(), run).await.unwrap();
    bench.engine.drain().await.unwrap();
    assert_eq!((bench.run(run).await.status.as_str(), alerts().await.len()), ("WAITING", 1));
}

pub async fn a_run_parked_while_undoing_goes_on_undoing(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "stuck").await;
    bench.engine.drain().await.unwrap();
    let row = bench.run(run).await;
    let code = |row: &entity::run::Model| row.reason.clone().unwrap()["code"].clone();
    assert_eq!((row.status.as_str(), code(&row), row.undoing), ("QUARANTINED", "TOY_STUCK".into(), true));
    bench.services.runs().retry(&bench.admin().allow().unwrap(), run).await.unwrap();
    bench.engine.drain().await.unwrap();
    assert_eq!(bench.run(run).await.status, RunStatus::Quarantined, "its step was not done once more");
    let txn = bench.services.store.read(bench.tenant).await.unwrap();
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
    bench.engine.drain().await.unwrap();
    assert_eq!(bench.run(run).await.status, RunStatus::Waiting);
}
