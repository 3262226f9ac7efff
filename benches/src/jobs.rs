//! Benchmark of the queue: hints, durable jobs, large backlogs, and the delay until a job begins.

use std::time::{Duration, Instant};

use runs::NewRun;
use tokio::process::Command;

use crate::{
    BenchArgs, Result, Setup, bench_workflows, counts, lane, load,
    node::Node,
    peers,
    rounds::{self, Ratio, Round},
};

const LIMIT_ADD: &str = "limit: XADD in pipelines of 100, entries/s";
const LIMIT_DRAIN: &str = "limit: XREADGROUP + XACK + XDEL in batches of 100, entries/s";
const LANE_PUSH: &str = "hint lane: pushed in batches of 100, hints/s";
const LANE_DRAIN: &str = "hint lane: read and acknowledged in batches of 100, hints/s";
const BULL_ADD: &str = "BullMQ: added in bulk, jobs/s";
const BULL_DRAIN: &str = "BullMQ: drained at concurrency 100, jobs/s";
const APALIS_ADD: &str = "apalis-redis: added in bulk, jobs/s";
const APALIS_DRAIN: &str = "apalis-redis: drained at its best settings, jobs/s";
const ORDER: &str = "durable queue: enqueued in batches of 100, jobs/s";
const DRAIN: &str = "durable queue: claimed, executed and committed, jobs/s";
const SMALL: &str = "durable queue at a steady backlog of 1,000, jobs/s";
const GREAT: &str = "durable queue at a steady large backlog, jobs/s";
const DUE: &str = "durable queue, all due in one second, jobs/s";
const RAW_WAKE: &str = "XADD to blocked XREADGROUP: p50 ms";
const LANE_WAKE: &str = "push to waiting reader: p50 ms";
const STEP_WAKE: &str = "enqueue (including its commit) to step: p50 ms";
const STEP_WAKE_99: &str = "enqueue (including its commit) to step: p99 ms";

const RATIOS: &[Ratio] = &[
    ratio("hint lane / limit", LANE_DRAIN, LIMIT_DRAIN, ">= 0.65"),
    ratio("hint lane / BullMQ", LANE_DRAIN, BULL_DRAIN, ">= 10"),
    ratio("hint lane, push / XADD", LANE_PUSH, LIMIT_ADD, "-"),
    ratio("durable queue / BullMQ", DRAIN, BULL_DRAIN, ">= 2"),
    ratio("durable queue / apalis-redis", DRAIN, APALIS_DRAIN, "-"),
    ratio("durable queue, enqueue / BullMQ, add", ORDER, BULL_ADD, "-"),
    ratio("large backlog / backlog of 1,000", GREAT, SMALL, ">= 0.9, at 1,000,000"),
    ratio("push to reader / XADD to XREADGROUP", LANE_WAKE, RAW_WAKE, "<= 1.5"),
];

const fn ratio(what: &'static str, over: &'static str, under: &'static str, reach: &'static str) -> Ratio {
    Ratio { what, over, under: [under, under], less: false, times: 1.0, reach }
}

/// Number of jobs for apalis, whose script for due jobs fails with more than about 8,000 jobs.
const APALIS_JOBS: usize = 6_000;

/// Number of concurrent steps of the node that processes jobs.
const AT_ONCE: usize = 256;

/// Runs the benchmark rounds and prints the result.
pub async fn bench(setup: &Setup, size: &BenchArgs) -> Result<()> {
    let mut all = Vec::new();
    for number in 1..=size.rounds {
        let began = Instant::now();
        let round = round(setup, size).await?;
        eprintln!("round {number} of {} took {:.0} s", size.rounds, began.elapsed().as_secs_f64());
        for (name, value) in &round {
            eprintln!("  {name}: {value:.2}");
        }
        all.push(round);
    }
    println!("{}", rounds::format_tables(&all, LIMIT_DRAIN, RATIOS));
    Ok(())
}

async fn round(setup: &Setup, size: &BenchArgs) -> Result<Round> {
    let mut round = Round::new();
    let many = if size.short { 20_000 } else { 100_000 };
    let (added, drained) = lane::measure_redis_throughput(&setup.redis, many).await?;
    round.extend([(LIMIT_ADD, added), (LIMIT_DRAIN, drained)]);
    if size.includes("lane") {
        setup.create("lane").await?;
        let node = Node::new(&setup.database("lane"), &setup.redis, "lane", 10).await?;
        let (pushed, drained) = lane::measure_lane_throughput(&node, many).await?;
        round.extend([(LANE_PUSH, pushed), (LANE_DRAIN, drained)]);
        let iterations = if size.short { 100 } else { 500 };
        round.insert(
            RAW_WAKE,
            load::percentile(&lane::measure_redis_wake(&setup.redis, iterations).await?, 50),
        );
        round.insert(LANE_WAKE, load::percentile(&lane::measure_lane_wake(&node, iterations).await?, 50));
        node.start(AT_ONCE);
        let took = step_wake(&node, iterations).await?;
        round.insert(STEP_WAKE, load::percentile(&took, 50));
        round.insert(STEP_WAKE_99, load::percentile(&took, 99));
        node.stop().await;
    }
    if size.includes("bullmq") {
        let mut command = Command::new("node");
        command.arg("bullmq.mjs");
        let (added, drained) = peer(setup, "bullmq", command, many / 5).await?;
        round.extend([(BULL_ADD, added), (BULL_DRAIN, drained)]);
    }
    if size.includes("apalis") {
        let (added, drained) = peer(setup, "apalis", Command::new(&setup.apalis), APALIS_JOBS).await?;
        round.extend([(APALIS_ADD, added), (APALIS_DRAIN, drained)]);
    }
    if size.includes("durable") {
        let (ordered, drained) = durable(setup, many / 5).await?;
        round.extend([(ORDER, ordered), (DRAIN, drained)]);
    }
    if size.includes("backlog") {
        let great = match (size.full, size.short) {
            (true, _) => 1_000_000,
            (_, true) => 20_000,
            _ => 100_000,
        };
        for (name, backlog) in [(SMALL, 1_000), (GREAT, great)] {
            round.insert(name, steady(setup, backlog, size.time()).await?);
        }
    }
    if size.includes("due") {
        let many = if size.full { 100_000 } else { many / 5 };
        round.insert(DUE, due(setup, many).await?);
    }
    Ok(round)
}

/// Times from enqueuing a run, including the commit, to the start of its step on an idle node, in sorted
/// microseconds.
async fn step_wake(node: &Node, iterations: usize) -> Result<Vec<u64>> {
    let mut took = Vec::new();
    for _ in 0..iterations {
        tokio::time::sleep(Duration::from_millis(3)).await;
        let run = node.new_run("timed");
        let (id, began) = (run.id, Instant::now());
        node.enqueue(run).await?;
        took.push((bench_workflows::wait_for_last_step(id).await? - began).as_micros() as u64);
    }
    took.sort_unstable();
    Ok(took)
}

/// Runs a peer program that takes a Redis URL and a number of jobs, and prints jobs added and jobs processed per
/// second.
async fn peer(setup: &Setup, name: &str, mut command: Command, many: usize) -> Result<(f64, f64)> {
    command.current_dir(&setup.peers).args([&setup.redis, &many.to_string()]);
    let printed = peers::run_command(setup, name, command).await?;
    let mut numbers = printed.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(added), Some(drained)) => Ok((added?, drained?)),
        _ => Err(format!("{name} said {printed}").into()),
    }
}

/// Enqueues jobs, then processes them.
async fn durable(setup: &Setup, many: usize) -> Result<(f64, f64)> {
    setup.create("durable").await?;
    let node = Node::new(&setup.database("durable"), &setup.redis, "durable", 10).await?;
    let runs: Vec<NewRun> = (0..many).map(|_| node.new_run("single")).collect();
    let began = Instant::now();
    for runs in runs.chunks(100) {
        node.enqueue_runs(runs).await?;
    }
    let ordered = many as f64 / began.elapsed().as_secs_f64();
    let (before, began) = (bench_workflows::executed_jobs(), Instant::now());
    node.start(AT_ONCE);
    // Counted here for as long as it goes: to ask the database every few milliseconds took a tenth of its time.
    while bench_workflows::executed_jobs() - before < many as u64 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    until_idle(setup, "durable").await?;
    let drained = many as f64 / began.elapsed().as_secs_f64();
    node.stop().await;
    counts::count_rows(setup, "durable").await?.check_counts(many as u64, 1)?;
    Ok((ordered, drained))
}

async fn until_idle(setup: &Setup, database: &str) -> Result<()> {
    let until = Instant::now() + Duration::from_mins(5);
    while counts::query_number(setup, database, "SELECT count(*) FROM (SELECT FROM job LIMIT 1) j").await? > 0
    {
        if Instant::now() > until {
            return Err("jobs are left after five minutes".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Enqueues one job per tenant and copies it in the tables until there are `many` jobs, as if all their hints were
/// lost.
async fn fill(setup: &Setup, database: &str, node: &Node, many: usize, due: &str) -> Result<()> {
    node.enqueue_runs(&[node.new_run("single")]).await?;
    let tenants: Vec<String> = node.tenants.iter().map(|id| format!("'{}'", id.uuid())).collect();
    let (tenants, count) = (tenants.join(", "), tenants.len());
    let sql = format!(
        "UPDATE job SET offered_at = NULL, due_at = {due};
        WITH ids AS (SELECT gen_random_uuid() AS id, (ARRAY[{tenants}]::uuid[])[1 + n % {count}] AS tenant
            FROM generate_series(2, {many}) n),
        runs AS (INSERT INTO run SELECT r.* FROM ids CROSS JOIN (SELECT run AS t FROM run) one,
            LATERAL jsonb_populate_record(t, jsonb_build_object('id', id, 'tenant_id', tenant, 'business_key', id,
                'subject', id)) r RETURNING id, tenant_id)
        INSERT INTO job SELECT j.* FROM runs CROSS JOIN (SELECT job AS t FROM job) one,
            LATERAL jsonb_populate_record(t, jsonb_build_object('run_id', id, 'tenant_id', tenant_id)) j;
        ANALYZE"
    );
    setup.execute(database, &sql).await
}

/// Jobs per second with a constant backlog: each completed job is replaced by a new one.
async fn steady(setup: &Setup, backlog: usize, time: Duration) -> Result<f64> {
    setup.create("backlog").await?;
    let node = Node::new(&setup.database("backlog"), &setup.redis, &format!("backlog-{backlog}"), 10).await?;
    fill(setup, "backlog", &node, backlog, "now()").await?;
    let before = bench_workflows::executed_jobs();
    node.start(AT_ONCE);
    let (mut ordered, began) = (0, Instant::now());
    let (mut at_begin, mut measured) = (0, began);
    loop {
        let done = bench_workflows::executed_jobs() - before;
        let now = Instant::now();
        if at_begin == 0 && now - began >= time / 5 {
            (at_begin, measured) = (done.max(1), now);
        }
        if now - began >= time / 5 + time {
            let rate = (done - at_begin) as f64 / (now - measured).as_secs_f64();
            node.stop().await;
            return Ok(rate);
        }
        let missing = (done as usize).saturating_sub(ordered).min(500);
        if missing > 0 {
            let runs: Vec<NewRun> = (0..missing).map(|_| node.new_run("single")).collect();
            node.enqueue_runs(&runs).await?;
            ordered += missing;
        } else {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Jobs per second if all are due at the same second, from that second until the last job has ended.
async fn due(setup: &Setup, many: usize) -> Result<f64> {
    setup.create("due").await?;
    let node = Node::new(&setup.database("due"), &setup.redis, "due", 10).await?;
    fill(setup, "due", &node, many, "now() + interval '1 hour'").await?;
    node.start(AT_ONCE);
    tokio::time::sleep(Duration::from_secs(1)).await;
    if counts::count_rows(setup, "due").await?.done != 0 {
        return Err("a job ran before its time".into());
    }
    let sql = "UPDATE job SET due_at = now() + random() * interval '1 second'";
    setup.execute("due", sql).await?;
    let began = Instant::now();
    until_idle(setup, "due").await?;
    let rate = many as f64 / began.elapsed().as_secs_f64();
    node.stop().await;
    counts::count_rows(setup, "due").await?.check_counts(many as u64, 1)?;
    Ok(rate)
}
