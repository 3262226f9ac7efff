//! Every disaster, by chance, under one load: `scripts/soak` for minutes, the suite for seconds.
//!
//! The first round goes through every kind of disaster in a drawn order; what follows is drawn. In a long soak the
//! leases of the dead run out by themselves. The tally says how often each danger was really met; one that never was
//! fails the soak.

mod disasters;
mod report;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{Id, Ids, SharedClock, SystemClock, ids};
use serde_json::json;
use tokio::task::JoinSet;

use self::{
    disasters::{DRAWN, Disaster, Disaster as D, EVERY, slow},
    report::{Tally, report},
};
use super::{
    cluster::{Cluster, Size},
    database::Database,
    judge::judge,
    load::{Load, MIXED},
    servers::Lane,
};

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
        let seed =
            testing::number_from_env("MUSTER_TEST_SOAK_SEED").unwrap_or_else(|| ids.random_below(1_000_000));
        let minutes = testing::number_from_env("MUSTER_TEST_SOAK_MINUTES");
        let runs = testing::number_from_env("MUSTER_TEST_SOAK_RUNS")
            .unwrap_or(minutes.map_or(60, |minutes| 500 * minutes));
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
