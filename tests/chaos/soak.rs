//! Every disaster, by chance, under one load: `scripts/soak` for minutes, the suite for seconds.
//!
//! The first round goes through every kind of disaster in a drawn order; what follows is drawn. In a long soak the
//! leases of the dead run out by themselves. The tally says how often each danger was really met; one that never was
//! fails the soak.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{Id, Ids, SharedClock, SystemClock, ids};
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    cluster::{Cluster, Role, Size},
    database::Database,
    judge::{Verdict, accepted, judge},
    load::{Load, MIXED},
    servers::{self, Lane},
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Disaster {
    KillWorker,
    KillServer,
    StopWorker,
    FlushRedis,
    EmptyRedis,
    PauseRedis,
    CrashPostgres,
    CrashProvider,
    Outage,
    CutAnswers,
    Throttle,
}

use Disaster as D;

const EVERY: [Disaster; 11] = [
    D::KillWorker,
    D::KillServer,
    D::StopWorker,
    D::FlushRedis,
    D::EmptyRedis,
    D::PauseRedis,
    D::CrashPostgres,
    D::CrashProvider,
    D::Outage,
    D::CutAnswers,
    D::Throttle,
];

/// What is drawn after the first round: kills and cut answers more often than the rest.
const DRAWN: [Disaster; 18] = [
    D::KillWorker,
    D::KillWorker,
    D::KillWorker,
    D::KillWorker,
    D::KillWorker,
    D::KillServer,
    D::KillServer,
    D::StopWorker,
    D::FlushRedis,
    D::FlushRedis,
    D::EmptyRedis,
    D::PauseRedis,
    D::CrashPostgres,
    D::CrashPostgres,
    D::CrashProvider,
    D::Outage,
    D::CutAnswers,
    D::CutAnswers,
];

/// How long a due run may stand still after Redis has come back.
const CAUGHT_UP: Duration = Duration::from_secs(30);
/// How long dispatch over Redis may take to begin again after it has come back.
const RESUMED: Duration = Duration::from_secs(5);
/// How long everything may take to be quiet once the disasters have ended.
const QUIET: Duration = Duration::from_mins(5);

/// What a soak is asked to do.
#[derive(Debug, Clone, Copy)]
struct Plan {
    seed: u64,
    /// How long disasters go on; absent for one round of them.
    lasts: Option<Duration>,
    /// How many runs there must have been at least.
    runs: u64,
    /// Kills that must have met a step between the provider's acceptance and our commit.
    hits: usize,
}

impl Plan {
    fn read(ids: &Ids) -> Self {
        let seed = testing::number("MUSTER_TEST_SOAK_SEED").unwrap_or_else(|| ids.random_below(1_000_000));
        let minutes = testing::number("MUSTER_TEST_SOAK_MINUTES");
        let runs =
            testing::number("MUSTER_TEST_SOAK_RUNS").unwrap_or(minutes.map_or(60, |minutes| 500 * minutes));
        let hits = minutes.map_or(1, |minutes| 5 * minutes as usize);
        Self { seed, lasts: minutes.map(|minutes| Duration::from_secs(60 * minutes)), runs, hits }
    }

    /// More work than this is not ordered ahead.
    fn ahead(self) -> u64 {
        if self.lasts.is_some() { 150 } else { 40 }
    }

    fn size(self) -> Size {
        match self.lasts {
            Some(_) => Size { users: 24, rooms: 6, workers: 2, steps_at_once: 8 },
            None => Size { users: 8, rooms: 2, workers: 2, steps_at_once: 4 },
        }
    }
}

/// Kind of failure.
#[derive(Debug, Default)]
struct Tally {
    disasters: BTreeMap<Disaster, u64>,
    /// How often the danger of a disaster was met.
    met: BTreeMap<Disaster, u64>,
    /// From Redis's return until hints were read again, and until every run that was due then had moved on.
    resumed: Vec<Duration>,
    caught_up: Vec<Duration>,
    violations: Vec<String>,
}

impl Tally {
    fn meet(&mut self, disaster: Disaster, times: u64) {
        *self.met.entry(disaster).or_default() += times;
    }
}

/// What was measured after Redis had come back.
#[derive(Debug)]
struct Return {
    /// Kills and crashes before it.
    blows: u64,
    resumed: Option<Duration>,
    caught_up: Option<Duration>,
}

struct Soak {
    cluster: Cluster,
    load: Load,
    draw: Ids,
    plan: Plan,
    tally: Tally,
    /// When Redis goes on, while it stands still.
    paused_until: Option<Instant>,
    /// Kills and crashes so far: what they hit waits for its lease to run out.
    blows: u64,
    returns: JoinSet<Return>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_of_every_disaster_by_chance_loses_and_doubles_nothing() {
    let clock: SharedClock = Arc::new(SystemClock);
    let plan = Plan::read(&Ids::random(clock.clone()));
    println!("seed {}", plan.seed);
    let cluster = Cluster::set(plan.size()).await;
    let callers = if plan.lasts.is_some() { 10 } else { 5 };
    let load = Load::start(&cluster, plan.seed, callers, u64::MAX, MIXED);
    let draw = Ids::seeded(clock, plan.seed);
    let (tally, returns) = (Tally::default(), JoinSet::new());
    let mut soak = Soak { cluster, load, draw, plan, tally, paused_until: None, blows: 0, returns };
    soak.cluster.sandbox.fault(slow()).await;
    soak.disasters().await;
    soak.end().await;
}

/// The provider answers a while after it has acted: in between is the danger.
fn slow() -> serde_json::Value {
    json!({ "match": { "path_contains": "/events" }, "times": 4_000_000_000_u32, "action": "slow", "ms": 60 })
}

impl Soak {
    async fn disasters(&mut self) {
        let began = Instant::now();
        let mut first: Vec<Disaster> = EVERY.to_vec();
        loop {
            let pause = match self.plan.lasts {
                Some(_) => 500 + self.draw.random_below(4_000),
                None => 300,
            };
            self.wait(Duration::from_millis(pause)).await;
            let disaster = match (first.len() as u64, self.plan.lasts) {
                (0, None) => break,
                (0, Some(lasts)) if began.elapsed() >= lasts => break,
                (0, Some(_)) => DRAWN[self.draw.random_below(DRAWN.len() as u64) as usize],
                (left, _) => first.swap_remove(self.draw.random_below(left) as usize),
            };
            self.strike(disaster).await;
        }
        while self.load.orders() < self.plan.runs {
            self.wait(Duration::from_millis(200)).await;
        }
    }

    /// Lets time pass, keeps the load in bounds, wakes Redis when it is time.
    async fn wait(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            self.load.hold_back(self.cluster.database.open_jobs().await > self.plan.ahead());
            assert!(!self.load.is_over(), "the callers have ended");
            let fallen = self.cluster.fallen();
            assert!(fallen.is_empty(), "{fallen:?}");
            if self.paused_until.is_some_and(|at| Instant::now() >= at) {
                self.wake_redis().await;
            }
            if Instant::now() >= until {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100).min(time)).await;
        }
    }

    async fn wake_redis(&mut self) {
        if self.paused_until.take().is_some() {
            self.cluster.redis.resume();
            self.redis_is_back().await;
        }
    }

    /// Measures what happens after Redis has come back.
    async fn redis_is_back(&mut self) {
        let due = due(&self.cluster.database).await;
        let (lane, database) = (Lane::of(&self.cluster.redis), Arc::clone(&self.cluster.database));
        self.returns.spawn(after_return(lane, database, due, self.blows));
    }

    fn collect(&mut self, measured: Result<Return, tokio::task::JoinError>) {
        let measured = measured.unwrap();
        let undisturbed = measured.blows == self.blows;
        match measured.resumed {
            Some(after) => self.tally.resumed.push(after),
            // The suite promises no times.
            None if self.plan.lasts.is_none() => {}
            None => {
                self.tally.violations.push(format!("no hint was read within {RESUMED:?} of Redis's return"));
            }
        }
        match measured.caught_up {
            Some(after) => self.tally.caught_up.push(after),
            None if undisturbed && self.plan.lasts.is_some() => {
                self.tally
                    .violations
                    .push(format!("due runs stood still {CAUGHT_UP:?} after Redis's return"));
            }
            None => {}
        }
    }

    async fn strike(&mut self, disaster: Disaster) {
        *self.tally.disasters.entry(disaster).or_default() += 1;
        while let Some(ended) = self.returns.try_join_next() {
            self.collect(ended);
        }
        let met = match disaster {
            D::KillWorker => self.kill(Role::Worker).await,
            D::KillServer => self.kill(Role::Serve).await,
            D::StopWorker => self.stop_worker().await,
            D::FlushRedis | D::EmptyRedis | D::PauseRedis => self.lose_redis(disaster).await,
            D::CrashPostgres => {
                let held = self.under_way().await;
                self.blows += 1;
                self.cluster.postgres.crash(Duration::from_millis(100 + self.draw.random_below(2_000))).await;
                held
            }
            D::CrashProvider => {
                let held = self.under_way().await;
                self.cluster.sandbox.crash(Duration::from_millis(100 + self.draw.random_below(2_000))).await;
                self.cluster.sandbox.fault(slow()).await;
                held
            }
            D::Outage => {
                self.fault(json!({ "times": 5 + self.draw.random_below(20), "action": "outage" })).await
            }
            D::CutAnswers => {
                let most = 2 + self.draw.random_below(8);
                let fault = |method: &str| {
                    json!({ "match": { "method": method, "path_contains": "/events" },
                    "times": most, "action": "drop_after" })
                };
                self.fault(fault("POST")).await + self.fault(fault("PATCH")).await
            }
            D::Throttle => {
                let times = 2 + self.draw.random_below(5);
                self.fault(
                    json!({ "match": { "path_contains": "/events" }, "times": times, "action": "throttle",
                    "retry_after": 1 }),
                )
                .await
            }
        };
        self.tally.meet(disaster, met);
    }

    /// Waits a moment until steps are under way; returns how many.
    async fn under_way(&mut self) -> u64 {
        for _ in 0..40 {
            let held = self.cluster.database.held("true").await.len();
            if held > 0 {
                return held as u64;
            }
            self.wait(Duration::from_millis(50)).await;
        }
        0
    }

    /// Kills a node; returns how many of its steps the provider had accepted.
    async fn kill(&mut self, role: Role) -> u64 {
        let of_role = |(index, node): (usize, &super::cluster::Node)| (node.role == role).then_some(index);
        let indices: Vec<usize> = self.cluster.nodes.iter().enumerate().filter_map(of_role).collect();
        let index = indices[self.draw.random_below(indices.len() as u64) as usize];
        // In a single round the danger is looked for; in a long one it is met often enough.
        for _ in 0..if self.plan.lasts.is_none() { 400 } else { 0 } {
            let held = self.cluster.database.held_by(&self.cluster.nodes[index].mark()).await;
            if accepted(&held, &self.cluster.sandbox.journal()) > 0 {
                break;
            }
            self.wait(Duration::from_millis(10)).await;
        }
        self.blows += 1;
        let mark = self.cluster.kill(index);
        // The provider may still be at what the node had asked for last.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let held = self.cluster.database.held_by(&mark).await;
        let met = accepted(&held, &self.cluster.sandbox.journal());
        if self.plan.lasts.is_none() {
            self.cluster.database.bury(&mark).await;
        }
        self.cluster.replace(index);
        met as u64
    }

    /// Asks a worker to end; it must leave nothing behind that has to run out. Returns how many steps it was at.
    async fn stop_worker(&mut self) -> u64 {
        let index = self.cluster.nodes.iter().position(|node| node.role == Role::Worker).unwrap();
        let mark = self.cluster.nodes[index].mark();
        let mut held = 0;
        for _ in 0..40 {
            held = self.cluster.database.held_by(&mark).await.len();
            if held > 0 {
                break;
            }
            self.wait(Duration::from_millis(50)).await;
        }
        self.cluster.nodes[index].process.signal("TERM");
        let ended = self.cluster.nodes[index].process.end(Duration::from_secs(30)).await;
        if !ended.is_some_and(|status| status.success()) {
            self.tally.violations.push(format!("a worker that was asked to end ended as {ended:?}"));
        }
        let left = self.cluster.database.held_by(&mark).await;
        if !left.is_empty() {
            self.tally.violations.push(format!("a worker that ended left leases: {left:?}"));
        }
        self.cluster.replace(index);
        held as u64
    }

    /// Answers how many hints were lost, or lay still.
    async fn lose_redis(&mut self, disaster: Disaster) -> u64 {
        self.wake_redis().await;
        // What is being measured is over: Redis goes away again.
        self.returns.shutdown().await;
        for _ in 0..40 {
            if Lane::of(&self.cluster.redis).hints() > 0 {
                break;
            }
            self.wait(Duration::from_millis(50)).await;
        }
        match disaster {
            D::FlushRedis => {
                let lost = servers::flush(&self.cluster.redis);
                self.redis_is_back().await;
                lost
            }
            D::EmptyRedis => {
                let away = Duration::from_millis(200 + self.draw.random_below(3_000));
                let lost = servers::restart_empty(&mut self.cluster.redis, away).await;
                self.redis_is_back().await;
                lost
            }
            _ => {
                let still = Lane::of(&self.cluster.redis).hints();
                let most = if self.plan.lasts.is_some() { 60 } else { 3 };
                self.cluster.redis.suspend();
                self.paused_until =
                    Some(Instant::now() + Duration::from_secs(2 + self.draw.random_below(most - 1)));
                still
            }
        }
    }

    /// Plants a fault before the standing one; returns how often it hit within a moment.
    async fn fault(&mut self, fault: serde_json::Value) -> u64 {
        let before = self.faulty();
        self.cluster.sandbox.clear_faults().await;
        self.cluster.sandbox.fault(fault).await;
        self.cluster.sandbox.fault(slow()).await;
        for _ in 0..60 {
            let planted = self.cluster.sandbox.get("/control/faults").await;
            if planted.as_array().is_some_and(|planted| planted.len() == 1) {
                break;
            }
            self.wait(Duration::from_millis(50)).await;
        }
        self.faulty() - before
    }

    /// Requests that met a fault so far.
    fn faulty(&self) -> u64 {
        let is_faulty = |entry: &&super::cluster::Entry| match entry.outcome.as_str() {
            "outage" | "throttled" => true,
            "created" | "updated" | "cancelled" => entry.status == 0,
            _ => false,
        };
        self.cluster.sandbox.journal().iter().filter(is_faulty).count() as u64
    }

    async fn end(mut self) {
        self.wake_redis().await;
        self.cluster.sandbox.clear_faults().await;
        self.load.stop();
        let orders = self.load.orders();
        let ledger = self.load.ledger().await;
        let ended = Instant::now();
        // What waits for an answer of a room, too.
        let quiet = async |cluster: &Cluster| cluster.database.jobs().await == 0;
        self.cluster.until_within("all is quiet", QUIET, quiet).await;
        let quiet_after = ended.elapsed();
        let retried = retry_parked(&mut self.cluster).await;
        while let Some(measured) = self.returns.join_next().await {
            let Return { resumed, caught_up, .. } = measured.unwrap();
            // At the end nothing may be left to be read.
            self.tally.resumed.extend(resumed);
            self.tally.caught_up.extend(caught_up);
        }
        let mut verdict = judge(&self.cluster, &ledger).await;
        verdict.violations.append(&mut self.tally.violations);
        print!("{}", report(&self.tally, &verdict, retried, quiet_after));
        let met = |kind: &Disaster| self.tally.met.get(kind).copied().unwrap_or_default();
        if self.plan.lasts.is_some() {
            let kills = met(&D::KillWorker) + met(&D::KillServer);
            let never: Vec<_> = EVERY.iter().filter(|kind| met(kind) == 0).collect();
            assert!(never.is_empty(), "these dangers were never met: {never:?}");
            assert!(kills >= self.plan.hits as u64, "only {kills} kills came between acceptance and commit");
        } else {
            // One blow of each kind may miss; that each danger is met is for the tests of the single disasters.
            assert!(EVERY.iter().any(|kind| met(kind) > 0), "no danger was met");
        }
        assert!(orders >= self.plan.runs, "only {orders} runs");
        verdict.is_clean();
    }
}

/// Runs that were due, with the revision they stood at.
async fn due(database: &Database) -> Vec<(Id<ids::Run>, i64)> {
    let sql = "SELECT r.id, r.revision FROM job j JOIN run r ON r.id = j.run_id WHERE j.due_at <= now()";
    let read =
        |row: &sea_orm::QueryResult| (row.try_get("", "id").unwrap(), row.try_get("", "revision").unwrap());
    database.rows(sql).await.iter().map(read).collect()
}

/// How long it takes until hints are read, and until every run that was due has moved on.
async fn after_return(
    lane: Lane,
    database: Arc<Database>,
    mut due: Vec<(Id<ids::Run>, i64)>,
    blows: u64,
) -> Return {
    let (began, read) = (Instant::now(), lane.read());
    let (mut resumed, mut caught_up) = (None, None);
    while began.elapsed() < CAUGHT_UP && (resumed.is_none() || caught_up.is_none()) {
        if resumed.is_none() && lane.read() != read {
            resumed = Some(began.elapsed());
        }
        if caught_up.is_none() {
            let list: Vec<String> =
                due.iter().map(|(run, at)| format!("('{}'::uuid, {at}::bigint)", run.uuid())).collect();
            if !list.is_empty() {
                let sql = format!(
                    "SELECT r.id, r.revision FROM run r JOIN (VALUES {}) AS d (id, revision)
                     ON d.id = r.id AND d.revision = r.revision",
                    list.join(", ")
                );
                let rows = database.rows(&sql).await;
                due = rows
                    .iter()
                    .map(|row| (row.try_get("", "id").unwrap(), row.try_get("", "revision").unwrap()))
                    .collect();
            }
            if due.is_empty() {
                caught_up = Some(began.elapsed());
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Return { blows, resumed: resumed.filter(|after| *after <= RESUMED), caught_up }
}

/// An administrator looks at what is parked and retries it. Returns how many there were.
async fn retry_parked(cluster: &mut Cluster) -> usize {
    let parked = cluster.database.rows("SELECT id FROM run WHERE status = 'QUARANTINED'").await;
    for row in &parked {
        let id: domain::Id<domain::ids::Run> = row.try_get("", "id").unwrap();
        cluster.api.change("retryRun", "run { id }", json!({ "id": id })).await;
    }
    cluster.until("all is quiet again", async |cluster| cluster.database.jobs().await == 0).await;
    parked.len()
}

fn report(tally: &Tally, verdict: &Verdict, retried: usize, quiet_after: Duration) -> String {
    let mut text = String::from("\nruns by end\n");
    for (end, count) in &verdict.ends {
        let _ = writeln!(text, "  {end:<32} {count:>6}");
    }
    let _ = writeln!(text, "  {:<32} {retried:>6}", "parked, then retried");
    let _ = writeln!(text, "\n{:<16} {:>6} {:>10}", "disaster", "times", "danger met");
    for (disaster, times) in &tally.disasters {
        let met = tally.met.get(disaster).copied().unwrap_or_default();
        let _ = writeln!(text, "{:<16} {times:>6} {met:>10}", format!("{disaster:?}"));
    }
    let _ = writeln!(
        text,
        "\nevents written {}, answered as written already {}",
        verdict.written, verdict.repeated
    );
    for (what, times) in [("hints read again", &tally.resumed), ("all due runs moved on", &tally.caught_up)] {
        let mut sorted = times.clone();
        sorted.sort_unstable();
        if let (Some(least), Some(most)) = (sorted.first(), sorted.last()) {
            let median = sorted[sorted.len() / 2];
            let times = sorted.len();
            let _ = writeln!(
                text,
                "after {times} returns of Redis, {what} within {least:.1?} / {median:.1?} / {most:.1?} (least, median, most)"
            );
        }
    }
    let _ = writeln!(text, "quiet {quiet_after:.1?} after the last order");
    let _ = writeln!(text, "violations {}", verdict.violations.len());
    text
}
