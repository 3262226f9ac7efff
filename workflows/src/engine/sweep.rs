//! Finds jobs for which no hint arrived: timers that are due, and jobs whose hint was lost.

use std::time::Duration;

use domain::Hint;
use tokio_util::sync::CancellationToken;

use super::{Engine, worker_context::WorkerContext};

/// Time after which a hint without effect counts as lost.
const SWEEP: Duration = Duration::from_secs(5);
/// Maximum number of jobs offered per sweep, and the number offered if the queue is full, with tenants taking
/// turns.
const OFFERED_AT_ONCE: u32 = 2000;
const OFFERED_TO_A_FULL_LANE: u32 = 100;
/// Number of waiting hints that keep every node busy until the next sweep: the queue is full.
const FULL_LANE_HINTS: usize = 2000;
/// Number of waiting hints above which lost hints are assumed only after a longer time.
const CROWD: usize = 10_000;

impl Engine {
    /// Offers due jobs: those of timers at once, and from time to time those whose hint seems lost. Sleeps until
    /// the next timer is due.
    pub(super) async fn run_sweeper(self, worker: WorkerContext, stop: CancellationToken) {
        let (services, clock) = (self.services(), &*self.services().clock);
        let mut looked = None::<Duration>;
        // While a sweep finds as many as it may offer.
        let mut is_behind = false;
        while !stop.is_cancelled() {
            let now = clock.steady();
            let is_time = looked.is_none_or(|at| now.saturating_sub(at) >= SWEEP / 5);
            let waiting = match is_time || is_behind {
                true => services.queue.hints.waiting().await.ok(),
                false => Some(0),
            };
            let again = is_time.then(|| lost_after(waiting));
            if is_time {
                looked = Some(now);
            }
            let is_full = waiting.is_some_and(|waiting| waiting > FULL_LANE_HINTS);
            let most = if is_full { OFFERED_TO_A_FULL_LANE } else { OFFERED_AT_ONCE };
            is_behind = match runs::sweep(services.store.engine(), clock, again, most).await {
                Ok(hints) => {
                    if let (false, Err(error)) = (hints.is_empty(), services.queue.hints.push(&hints).await) {
                        tracing::debug!(%error, "the lane is away; working from the database");
                        self.work_directly(&hints, &worker).await;
                    }
                    hints.len() == most as usize
                }
                Err(error) => {
                    tracing::warn!(%error, "the sweep failed");
                    false
                }
            };
            let nap = match runs::next_due(services.store.engine(), clock, SWEEP / 5).await {
                _ if is_behind && !is_full => Duration::from_millis(5),
                Ok(nap) => nap.max(Duration::from_millis(20)),
                Err(_) => SWEEP / 5,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Works on due jobs without the queue of hints, as many at a time as there are free permits.
    async fn work_directly(&self, mut hints: &[Hint], worker: &WorkerContext) {
        while !hints.is_empty() {
            let (now, later) = hints.split_at(worker.free_permits().await.clamp(1, hints.len()));
            let admitted = worker.tenant_quota.admit(now, self.tenant_limit());
            let Some(permits) = worker.acquire(admitted.len()).await else { return };
            if let Err(error) = self.claim_and_dispatch(&admitted, permits, worker).await {
                return tracing::warn!(%error, "jobs could not be claimed");
            }
            hints = later;
        }
    }
}

/// Time after which a hint without effect counts as lost. It is longer if many hints are waiting: a hint may then
/// not have had its turn yet, and offering all of them again would only lengthen the queue.
fn lost_after(waiting: Option<usize>) -> Duration {
    match waiting {
        Some(waiting) if waiting > CROWD => SWEEP * 12,
        Some(_) => SWEEP,
        // The lane is away: nobody was told of anything.
        None => SWEEP / 5,
    }
}
