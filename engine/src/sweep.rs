//! Finds jobs for which no hint arrived: jobs with due timers, and jobs whose hint was lost.

use std::time::Duration;

use domain::JobHint;

use crate::{Context, Engine, resources::Resources};

/// Time after which the hint for an unclaimed job counts as lost.
const SWEEP: Duration = Duration::from_secs(5);
/// Maximum interval between two sweeps.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Minimum pause between two sweeps, and the pause after a sweep that found the maximum number of jobs.
const SHORTEST_NAP: Duration = Duration::from_millis(20);
const NAP_WHEN_BEHIND: Duration = Duration::from_millis(5);
/// Maximum number of jobs offered per sweep; also the number offered if the queue is full, with tenants taking turns.
const OFFERED_AT_ONCE: u32 = 2000;
const OFFERED_TO_A_FULL_LANE: u32 = 100;
/// Number of pending hints that keep every node busy until the next sweep: the queue counts as full.
const FULL_LANE_HINTS: usize = 2000;
/// Number of pending hints above which a hint counts as lost only after a longer time.
const CROWD: usize = 10_000;

impl<C: Context> Engine<C> {
    /// Offers due jobs: those of timers immediately, and from time to time those whose hint seems lost. Sleeps until
    /// the next timer is due.
    pub(crate) async fn run_sweeper(self, resources: Resources<C>) {
        let mut looked = None::<Duration>;
        // While a sweep finds as many as it may offer.
        let mut is_behind = false;
        while !resources.stop.is_cancelled() {
            let now = self.clock().steady();
            let is_time = looked.is_none_or(|at| now.saturating_sub(at) >= LOOK_EVERY);
            let waiting = match is_time || is_behind {
                true => self.hints().waiting().await.ok(),
                false => Some(0),
            };
            let again = is_time.then(|| lost_after(waiting));
            if is_time {
                looked = Some(now);
            }
            let is_full = waiting.is_some_and(|waiting| waiting > FULL_LANE_HINTS);
            let most = if is_full { OFFERED_TO_A_FULL_LANE } else { OFFERED_AT_ONCE };
            is_behind = self.offer(again, most, &resources).await == most as usize;
            let nap = match self.storage().next_due(LOOK_EVERY).await {
                _ if is_behind && !is_full => NAP_WHEN_BEHIND,
                Ok(nap) => nap.max(SHORTEST_NAP),
                Err(_) => LOOK_EVERY,
            };
            tokio::select! {
                () = resources.stop.cancelled() => return,
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Offers due jobs to the lane, or executes them directly if the lane is unreachable. Returns the number of jobs.
    async fn offer(&self, again: Option<Duration>, most: u32, resources: &Resources<C>) -> usize {
        match self.storage().sweep(again, most).await {
            Ok(hints) => {
                if let (false, Err(error)) = (hints.is_empty(), self.hints().push(&hints).await) {
                    tracing::debug!(%error, "the lane is away; working from the database");
                    self.work_directly(&hints, resources).await;
                }
                hints.len()
            }
            Err(error) => {
                tracing::warn!(%error, "the sweep failed");
                0
            }
        }
    }

    /// Executes due jobs without the queue of hints, as many concurrently as there are free permits.
    async fn work_directly(&self, mut hints: &[JobHint], resources: &Resources<C>) {
        while !hints.is_empty() {
            let (now, later) = hints.split_at(resources.permits.wait_for_free().await.clamp(1, hints.len()));
            let admitted = resources.tenant_quota.admit(now, self.limits(resources.permits.total()));
            let Some(permits) = resources.permits.acquire(admitted.len()).await else { return };
            if let Err(error) = self.claim_and_dispatch(&admitted, permits, resources).await {
                return tracing::warn!(%error, "jobs could not be claimed");
            }
            hints = later;
        }
    }
}

/// Time after which the hint for an unclaimed job counts as lost. The time is longer if many hints are pending: a hint
/// may then not have been received yet, and offering all of them again would only lengthen the queue.
fn lost_after(waiting: Option<usize>) -> Duration {
    match waiting {
        Some(waiting) if waiting > CROWD => SWEEP * 12,
        Some(_) => SWEEP,
        // The lane is away: nobody was told of anything.
        None => LOOK_EVERY,
    }
}
