//! Measures the cost of many finished runs for unfinished ones, and the cost of pruning them.

use std::time::{Duration, Instant};

use services::System;
use workflows::reconcile::Reconciler;

use crate::{
    BenchArgs, Result, Setup, counts,
    load::{self, LoadReport},
    node::Node,
    peers, rounds,
};

/// SQL that copies one finished run with its history until there are `many`, as after a year. The copies ended 40 days
/// ago, so that they may be pruned.
fn fill(many: usize) -> String {
    format!(
        "SET session_replication_role = replica;
        CREATE TEMP TABLE one AS SELECT * FROM run WHERE status = 'DONE' LIMIT 1;
        CREATE TEMP TABLE lines AS SELECT h.* FROM run_history h JOIN one ON one.id = h.run_id;
        CREATE TEMP TABLE ids AS SELECT gen_random_uuid() AS id, n FROM generate_series(1, {many}) n;
        INSERT INTO run SELECT r.* FROM ids CROSS JOIN (SELECT one AS t FROM one) o,
            LATERAL jsonb_populate_record(t, jsonb_build_object('id', id, 'business_key', id, 'subject', id,
                'finished_at', now() - interval '40 days' - n * interval '1 second')) r;
        INSERT INTO run_history SELECT h.* FROM ids CROSS JOIN (SELECT lines AS t FROM lines) o,
            LATERAL jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'run_id', ids.id)) h;
        ANALYZE"
    )
}

/// Measures runs without and with many finished runs in the database, in turn, and while these are being pruned.
pub async fn bench(setup: &Setup, size: &BenchArgs) -> Result<()> {
    let many: usize = match (size.full, size.short) {
        (true, _) => 1_000_000,
        (_, true) => 20_000,
        _ => 200_000,
    };
    for database in ["fresh", "aged"] {
        setup.create(database).await?;
        press(setup, database, Duration::from_millis(500)).await?;
    }
    setup.execute("aged", &fill(many)).await?;
    let mut ratios = Vec::new();
    for _ in 0..size.rounds {
        let fresh = press(setup, "fresh", size.time()).await?;
        let aged = press(setup, "aged", size.time()).await?;
        ratios.push([aged.per_second / fresh.per_second, aged.percentile(99) / fresh.percentile(99)]);
    }
    let [rate, slowest] = [0, 1].map(|at| {
        let mut column: Vec<f64> = ratios.iter().map(|ratios| ratios[at]).collect();
        // It sorts them as well.
        let middle = rounds::median(&mut column);
        (middle, column[0], column[column.len() - 1])
    });
    println!(
        "{many} finished runs in the database, relative to none, at 32 in flight: runs/s {:.2} ({:.2} to {:.2}), p99 {:.2} ({:.2} to {:.2})",
        rate.0, rate.1, rate.2, slowest.0, slowest.1, slowest.2
    );
    let alone = press(setup, "aged", size.time()).await?;
    let node = Node::new(&setup.database("aged"), &setup.redis, "pruning", 10).await?;
    let (pruned, beside) = tokio::join!(prune(&node.services), press(setup, "aged", size.time()));
    let (took, beside) = (pruned?, beside?);
    node.stop().await;
    let left = "SELECT count(*) FROM run WHERE finished_at < now() - interval '30 days'";
    let gone = many as i64 - counts::query_number(setup, "aged", left).await?;
    println!(
        "pruned {gone} of them in {:.1} s; meanwhile runs/s {:.2}, p99 {:.2} of the values without pruning\n",
        took.as_secs_f64(),
        beside.per_second / alone.per_second,
        beside.percentile(99) / alone.percentile(99),
    );
    Ok(())
}

async fn prune(services: &System) -> Result<Duration> {
    let began = Instant::now();
    Reconciler::Retention.run_round(services).await?;
    Ok(began.elapsed())
}

async fn press(setup: &Setup, database: &str, time: Duration) -> Result<LoadReport> {
    let server = peers::start_muster(setup, database, &[]).await?;
    let load = load::measure_throughput(server.address, "/three", 32, time).await?;
    server.stop().await?;
    Ok(load)
}
