//! The kinds of disaster, how each is caused, and how often it met the situation that it is meant for.

use std::time::{Duration, Instant};

use Disaster as D;
use serde_json::json;

use super::{
    super::{
        cluster::Role,
        judge::accepted,
        servers::{self, Lane},
    },
    Soak,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Disaster {
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

pub(super) const EVERY: [Disaster; 11] = [
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
pub(super) const DRAWN: [Disaster; 18] = [
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

/// The provider answers a while after it has acted: in between is the danger.
pub(super) fn slow() -> serde_json::Value {
    json!({ "match": { "path_contains": "/events" }, "times": 4_000_000_000_u32, "action": "slow", "ms": 60 })
}

impl Soak {
    pub(super) async fn strike(&mut self, disaster: Disaster) {
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
        let of_role = |(index, node): (usize, &crate::cluster::Node)| (node.role == role).then_some(index);
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
        let ended = self.cluster.nodes[index].process.wait_for_exit(Duration::from_secs(30)).await;
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
        let is_faulty = |entry: &&crate::cluster::Entry| match entry.outcome.as_str() {
            "outage" | "throttled" => true,
            "created" | "updated" | "cancelled" => entry.status == 0,
            _ => false,
        };
        self.cluster.sandbox.journal().iter().filter(is_faulty).count() as u64
    }
}
