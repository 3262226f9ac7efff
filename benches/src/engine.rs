//! Benchmark of the engine: runs of three steps that do nothing, over HTTP, compared with Restate, DBOS and
//! PostgreSQL's limits.

use std::{fmt::Write, time::Duration};

use crate::{
    BenchArgs, Result, Setup, aged, counts, load,
    node::Node,
    peers::{self, DatabaseLimit},
    rounds::{self, Ratio, Round},
};

/// A number of concurrent requests, with the names of its measurements: rate, median and 99th percentile.
struct Level {
    clients: usize,
    muster: [&'static str; 3],
    restate_4: [&'static str; 3],
    restate_24: [&'static str; 3],
    dbos: [&'static str; 3],
}

macro_rules! levels {
    ($($clients:literal)*) => { [$(Level {
        clients: $clients,
        muster: names!("Muster", $clients),
        restate_4: names!("Restate, 4 partitions", $clients),
        restate_24: names!("Restate, 24 partitions", $clients),
        dbos: names!("DBOS", $clients),
    }),*] };
}

macro_rules! names {
    ($who:literal, $clients:literal) => {
        [
            concat!($who, ", ", $clients, " in flight: runs/s"),
            concat!($who, ", ", $clients, " in flight: p50 ms"),
            concat!($who, ", ", $clients, " in flight: p99 ms"),
        ]
    };
}

const LEVELS: [Level; 3] = levels!(1 32 128);
const LIMIT_1: &str = "limit: transitions/s, 1 per commit";
const LIMIT_100: &str = "limit: transitions/s, 100 per commit";

const fn ratio(
    what: &'static str,
    over: &'static str,
    under: [&'static str; 2],
    reach: &'static str,
) -> Ratio {
    Ratio { what, over, under, less: false, times: 1.0, reach }
}

const RATIOS: &[Ratio] = &[
    ratio(
        "runs/s at 32, Muster / Restate (best)",
        "Muster, 32 in flight: runs/s",
        ["Restate, 4 partitions, 32 in flight: runs/s", "Restate, 24 partitions, 32 in flight: runs/s"],
        ">= 5",
    ),
    ratio(
        "runs/s at 128, Muster / Restate (best)",
        "Muster, 128 in flight: runs/s",
        ["Restate, 4 partitions, 128 in flight: runs/s", "Restate, 24 partitions, 128 in flight: runs/s"],
        ">= 5",
    ),
    ratio(
        "runs/s at 32, Muster / DBOS",
        "Muster, 32 in flight: runs/s",
        ["DBOS, 32 in flight: runs/s", "DBOS, 32 in flight: runs/s"],
        ">= 20",
    ),
    ratio(
        "runs/s at 128, Muster / DBOS",
        "Muster, 128 in flight: runs/s",
        ["DBOS, 128 in flight: runs/s", "DBOS, 128 in flight: runs/s"],
        ">= 20",
    ),
    Ratio {
        less: true,
        ..ratio(
            "p50 at 1, Muster / Restate (best)",
            "Muster, 1 in flight: p50 ms",
            ["Restate, 4 partitions, 1 in flight: p50 ms", "Restate, 24 partitions, 1 in flight: p50 ms"],
            "<= 0.6",
        )
    },
    Ratio {
        less: true,
        ..ratio(
            "p50 at 32, Muster / Restate (best)",
            "Muster, 32 in flight: p50 ms",
            ["Restate, 4 partitions, 32 in flight: p50 ms", "Restate, 24 partitions, 32 in flight: p50 ms"],
            "<= 0.25",
        )
    },
    Ratio {
        less: true,
        ..ratio(
            "p50 at 128, Muster / Restate (best)",
            "Muster, 128 in flight: p50 ms",
            ["Restate, 4 partitions, 128 in flight: p50 ms", "Restate, 24 partitions, 128 in flight: p50 ms"],
            "<= 0.25",
        )
    },
    Ratio {
        times: 3.0,
        ..ratio(
            "steps/s at 128 / limit, 1 per commit",
            "Muster, 128 in flight: runs/s",
            [LIMIT_1, LIMIT_1],
            "-",
        )
    },
    Ratio {
        times: 3.0,
        ..ratio(
            "steps/s at 128 / limit, 100 per commit",
            "Muster, 128 in flight: runs/s",
            [LIMIT_100, LIMIT_100],
            "-",
        )
    },
];

/// Runs the benchmark rounds and prints the result.
pub async fn bench(setup: &Setup, size: &BenchArgs) -> Result<()> {
    setup.create("limits").await?;
    peers::prepare_limits(setup).await?;
    let mut all = Vec::new();
    for number in 1..=size.rounds {
        let began = std::time::Instant::now();
        let round = round(setup, size).await?;
        eprintln!("round {number} of {} took {:.0} s", size.rounds, began.elapsed().as_secs_f64());
        for (name, value) in &round {
            eprintln!("  {name}: {value:.2}");
        }
        all.push(round);
    }
    println!("{}", rounds::format_tables(&all, LIMIT_1, RATIOS));
    spendings(setup, size).await?;
    waiting(setup, size).await?;
    aged::bench(setup, size).await
}

async fn round(setup: &Setup, size: &BenchArgs) -> Result<Round> {
    let time = size.time();
    let mut round = Round::new();
    round.insert(LIMIT_1, peers::measure_limit(setup, DatabaseLimit::One, time).await?);
    round.insert(LIMIT_100, peers::measure_limit(setup, DatabaseLimit::Hundred, time).await?);
    if size.includes("muster") {
        setup.create("muster").await?;
        setup.flush_writes().await?;
        let server = peers::start_muster(setup, "muster", &[]).await?;
        let mut answers = 0;
        for level in &LEVELS {
            let load = load::measure_throughput(server.address, "/three", level.clients, time).await?;
            answers += load.answers;
            note(&mut round, &level.muster, &load);
        }
        server.stop().await?;
        counts::count_rows(setup, "muster").await?.check_counts(answers, 3)?;
    }
    for (name, partitions) in [("restate-4", 4), ("restate-24", 24)] {
        if size.includes(name) {
            setup.flush_writes().await?;
            let server = peers::start_restate(setup, partitions).await?;
            for level in &LEVELS {
                let load = load::measure_throughput(server.address, "/Three/go", level.clients, time).await?;
                note(&mut round, if partitions == 4 { &level.restate_4 } else { &level.restate_24 }, &load);
            }
        }
    }
    if size.includes("dbos") {
        setup.create("dbos").await?;
        setup.flush_writes().await?;
        let server = peers::start_dbos(setup, "dbos").await?;
        for level in &LEVELS {
            note(
                &mut round,
                &level.dbos,
                &load::measure_throughput(server.address, "/", level.clients, time).await?,
            );
        }
        server.stop().await?;
    }
    Ok(round)
}

fn note(round: &mut Round, names: &[&'static str; 3], load: &load::LoadReport) {
    round.insert(names[0], load.per_second);
    round.insert(names[1], load.percentile(50));
    round.insert(names[2], load.percentile(99));
}

/// The cost of each load level by statement; measured separately, because counting takes time too.
async fn spendings(setup: &Setup, size: &BenchArgs) -> Result<()> {
    println!(
        "| in flight | runs | statements per step | commits per step | processor microseconds per step: PostgreSQL | Muster | Redis |\n\
         |---|---|---|---|---|---|---|"
    );
    let mut dearest = String::new();
    for level in &LEVELS {
        setup.create("muster").await?;
        let server = peers::start_muster(setup, "muster", &[]).await?;
        counts::reset_counters(setup).await?;
        let used = || -> Result<[f64; 3]> {
            Ok([
                counts::processor_seconds(setup.postgres_pid, true)?,
                counts::processor_seconds(server.pid()?, false)?,
                counts::processor_seconds(setup.redis_pid, false)?,
            ])
        };
        let before = used()?;
        let load = load::measure_throughput(server.address, "/three", level.clients, size.time()).await?;
        let after = used()?;
        let spent = counts::read_costs(setup, "muster").await?;
        server.stop().await?;
        counts::count_rows(setup, "muster").await?.check_counts(load.answers, 3)?;
        let steps = load.answers as f64 * 3.0;
        let [postgres, muster, redis] = [0, 1, 2].map(|at| (after[at] - before[at]) * 1e6 / steps);
        println!(
            "| {} | {} | {:.2} | {:.3} | {postgres:.0} | {muster:.0} | {redis:.0} |",
            level.clients,
            load.answers,
            spent.statements / steps,
            spent.commits / steps
        );
        // Writing to a String cannot fail.
        let _written = writeln!(
            dearest,
            "\nat {} in flight: calls per step, microseconds per step of planning and of execution, variants, statement",
            level.clients
        );
        for (calls, planned, took, texts, query) in spent.dearest.iter().take(12) {
            let (planned, took) = (planned * 1000.0 / steps, took * 1000.0 / steps);
            let calls = calls / steps;
            let _written = writeln!(dearest, "  {calls:7.3} {planned:7.1} {took:7.1} {texts:4}  {query}");
        }
    }
    println!("{dearest}");
    Ok(())
}

/// Measures what waiting runs cost a node, and how fast a signal wakes one of them.
async fn waiting(setup: &Setup, size: &BenchArgs) -> Result<()> {
    let many: usize = if size.short { 5_000 } else { 100_000 };
    setup.create("waiting").await?;
    let server = peers::start_muster(setup, "waiting", &[]).await?;
    let full = load::measure_throughput(server.address, "/three", 32, size.time()).await?;
    server.stop().await?;
    let server = peers::start_muster(setup, "waiting", &[]).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = server.resident_bytes()?;
    server.stop().await?;

    let node = Node::new(&setup.database("waiting"), &setup.redis, "waiting", 10).await?;
    node.start(128);
    let runs: Vec<_> = (0..many).map(|_| node.new_run("bell")).collect();
    for runs in runs.chunks(500) {
        node.enqueue_runs(runs).await?;
    }
    while counts::query_number(setup, "waiting", "SELECT count(*) FROM run WHERE status = 'WAITING'").await?
        < many as i64
    {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    node.stop().await;

    let server = peers::start_muster(setup, "waiting", &[]).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = server.resident_bytes()?;
    let rate = (full.per_second / 10.0).max(1.0);
    let took = load::send_at_rate(server.address, "/bell", rate, size.time() * 4).await?;
    let woken = took.len() as i64;
    // The last commits follow their steps.
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.stop().await?;
    let done = "SELECT count(*) FROM run WHERE workflow = 'bell' AND status = 'DONE'";
    let left = "SELECT count(*) FROM job";
    let (done, left) = (
        counts::query_number(setup, "waiting", done).await?,
        counts::query_number(setup, "waiting", left).await?,
    );
    if done != woken || left != many as i64 - woken {
        return Err(format!("{woken} were woken, {done} are done, {left} of {many} wait").into());
    }
    println!(
        "{many} waiting runs: resident memory {:.1} MB, without them {:.1} MB\n\
         signal to step at {rate:.0} signals/s (10 % of {:.0} runs/s), {woken} signals: p50 {:.1} ms, p99 {:.1} ms\n",
        after as f64 / 1e6,
        before as f64 / 1e6,
        full.per_second,
        load::percentile(&took, 50),
        load::percentile(&took, 99),
    );
    Ok(())
}
