//! A run that is quarantined is told of, and can be retried.

use domain::AnyId;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::records::bench::Bench;

pub async fn work_that_kills_three_workers_is_parked(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "").await;
    for _ in 0..3 {
        assert_eq!(bench.claim().await.len(), 1);
        bench.clock.advance(chrono::Duration::seconds(16));
    }
    bench.engine.run_until_idle().await.unwrap();
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
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!((bench.run(run).await.status.as_str(), alerts().await.len()), ("WAITING", 1));
}
