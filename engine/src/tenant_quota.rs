//! Limits the number of concurrently executed runs of one tenant, so that no tenant uses all permits of a node.
//!
//! Any run may wait for a calendar system that never responds. Bulk runs of a tenant have a limit for all nodes
//! together, which is divided by the number of nodes; on one node, they also use at most a quarter of its permits.
//! Background runs of a tenant have an eighth of that limit, and those of all tenants use at most half of the node's
//! permits. Interactive runs, for which a person is waiting, are delayed only if their tenant uses an eighth of the
//! node's permits. Runs above a limit are queued until another run of the tenant ends; when the queue is full, further
//! runs are dropped and offered again by the sweep.
//!
//! A run that has waited long for an external server steps aside: it releases its permit to another run and continues
//! without one. So even many unresponsive servers, of many tenants, do not block the runs of other tenants. Such runs
//! have limits of their own. An interactive run that steps aside no longer counts among those of its tenant, whose
//! other servers may respond normally; bulk and background runs still count, because their limits also protect the
//! calendar systems.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{Id, JobHint, ids, state::Lane};

/// Maximum number of hints in the queue.
const CAPACITY: usize = 20_000;

/// Lower bound of a tenant's quota for a kind of run, however few permits the node has.
const FEWEST: usize = 4;

/// How many runs of each kind a node may execute concurrently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunLimits {
    interactive: usize,
    bulk: usize,
    background: usize,
    all_background: usize,
    aside: usize,
    all_aside: usize,
}

impl RunLimits {
    /// Computes the run limits of a node from the number of its permits and the limit for the bulk runs of one tenant.
    pub(crate) fn new(permits: usize, bulk: usize) -> Self {
        Self {
            interactive: permits.div_ceil(8).max(FEWEST),
            bulk: bulk.min(permits.div_ceil(4).max(FEWEST)).max(1),
            background: bulk.div_ceil(8),
            all_background: permits.div_ceil(2),
            aside: permits.div_ceil(4).max(FEWEST),
            all_aside: 4 * permits,
        }
    }

    const fn of(&self, class: Class) -> usize {
        match class {
            Class::Interactive => self.interactive,
            Class::Bulk => self.bulk,
            Class::Background => self.background,
        }
    }
}

/// The kinds of runs that share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Class {
    Interactive,
    Bulk,
    Background,
}

/// The runs of one tenant that share a limit.
type Share = (Id<ids::Tenant>, Class);

fn share(hint: &JobHint) -> Share {
    let class = match hint.lane {
        Lane::Interactive => Class::Interactive,
        Lane::Bulk => Class::Bulk,
        Lane::Background => Class::Background,
    };
    (hint.tenant, class)
}

/// The tenant quotas of a node; see the module documentation. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct TenantQuota(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    at_work: HashMap<Share, usize>,
    background: usize,
    /// Runs that released their permit while waiting for external servers.
    aside: HashMap<Share, usize>,
    waiting: HashMap<Share, VecDeque<JobHint>>,
    /// The shares with queued hints, in round-robin order.
    turns: VecDeque<Share>,
    runs: HashSet<Id<ids::Run>>,
}

impl TenantQuota {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the hints that may be claimed now; the others are queued.
    pub(crate) fn admit(&self, hints: &[JobHint], limits: RunLimits) -> Vec<JobHint> {
        let mut inner = self.inner();
        let mut admitted = Vec::with_capacity(hints.len());
        for hint in hints {
            // Behind those of its share that wait already.
            let waits = inner.waiting.contains_key(&share(hint));
            if !waits && inner.try_admit(share(hint), limits) {
                admitted.push(*hint);
            } else {
                inner.wait(*hint);
            }
        }
        admitted
    }

    /// Up to `max` queued hints whose tenants are below their limits again, with tenants taking turns.
    pub(crate) fn next_ready_hints(&self, max: usize, limits: RunLimits) -> Vec<JobHint> {
        let mut inner = self.inner();
        let mut ready = Vec::new();
        let mut refused = 0;
        while ready.len() < max && refused < inner.turns.len() {
            let Some(share) = inner.turns.pop_front() else { break };
            if !inner.try_admit(share, limits) {
                inner.turns.push_back(share);
                refused += 1;
                continue;
            }
            refused = 0;
            ready.extend(inner.next_of(share));
        }
        ready
    }

    /// How long a worker may wait for other hints: no time if a queued hint may be claimed now, and only a short time
    /// if one is queued because of its tenant's limit.
    pub(crate) fn max_wait(&self, limits: RunLimits) -> Duration {
        let inner = self.inner();
        match inner.turns.is_empty() {
            true => Duration::from_secs(1),
            false if inner.turns.iter().any(|share| inner.has_room(*share, limits)) => Duration::ZERO,
            false => Duration::from_millis(2),
        }
    }

    /// Records that an admitted run was released or could not be claimed.
    pub(crate) fn release(&self, hint: &JobHint) {
        self.inner().release(share(hint));
    }

    /// Lets an admitted run step aside if the limits allow one more; [`Self::release_waiting_run`] must then be
    /// called in place of [`Self::release`].
    pub(crate) fn try_step_aside(&self, hint: &JobHint, limits: RunLimits) -> bool {
        self.inner().try_step_aside(share(hint), limits)
    }

    /// Records that a run that had stepped aside was released.
    pub(crate) fn release_waiting_run(&self, hint: &JobHint) {
        self.inner().release_waiting_run(share(hint));
    }
}

impl Inner {
    fn has_room(&self, share: Share, limits: RunLimits) -> bool {
        let (_, class) = share;
        let at_work = self.at_work.get(&share).copied().unwrap_or_default();
        at_work < limits.of(class) && (class != Class::Background || self.background < limits.all_background)
    }

    fn try_admit(&mut self, share: Share, limits: RunLimits) -> bool {
        let has_room = self.has_room(share, limits);
        if has_room {
            *self.at_work.entry(share).or_default() += 1;
            self.background += usize::from(share.1 == Class::Background);
        }
        has_room
    }

    fn release(&mut self, share: Share) {
        if subtract(&mut self.at_work, share) && share.1 == Class::Background {
            self.background -= 1;
        }
    }

    fn try_step_aside(&mut self, share: Share, limits: RunLimits) -> bool {
        let of_share = self.aside.get(&share).copied().unwrap_or_default();
        let has_room = of_share < limits.aside && self.aside.values().sum::<usize>() < limits.all_aside;
        if has_room {
            *self.aside.entry(share).or_default() += 1;
            match share.1 {
                Class::Interactive => self.release(share),
                Class::Background => self.background -= 1,
                Class::Bulk => {}
            }
        }
        has_room
    }

    fn release_waiting_run(&mut self, share: Share) {
        subtract(&mut self.aside, share);
        if share.1 != Class::Interactive {
            // Of the background runs of all tenants it was taken when it stepped aside.
            subtract(&mut self.at_work, share);
        }
    }

    fn wait(&mut self, hint: JobHint) {
        if self.runs.len() < CAPACITY && self.runs.insert(hint.run) {
            let line = self.waiting.entry(share(&hint)).or_default();
            if line.is_empty() {
                self.turns.push_back(share(&hint));
            }
            line.push_back(hint);
        }
    }

    fn next_of(&mut self, share: Share) -> Option<JobHint> {
        let line = self.waiting.get_mut(&share)?;
        let hint = line.pop_front()?;
        if line.is_empty() {
            self.waiting.remove(&share);
        } else {
            self.turns.push_back(share);
        }
        self.runs.remove(&hint.run);
        Some(hint)
    }
}

/// Subtracts one from a count; returns whether the count was positive.
fn subtract(counts: &mut HashMap<Share, usize>, share: Share) -> bool {
    let Some(count) = counts.get_mut(&share) else { return false };
    *count -= 1;
    if *count == 0 {
        counts.remove(&share);
    }
    true
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn hint(tenant: u128, run: u128, lane: Lane) -> JobHint {
        let (run, tenant) = (Uuid::from_u128(run), Uuid::from_u128(tenant));
        JobHint { run: Id::from_uuid(run), tenant: Id::from_uuid(tenant), lane }
    }

    /// The limits of a node with many permits.
    fn limits(bulk: usize) -> RunLimits {
        RunLimits::new(1_000, bulk)
    }

    fn runs(hints: &[JobHint]) -> Vec<u128> {
        hints.iter().map(|hint| hint.run.uuid().as_u128()).collect()
    }

    #[test]
    fn a_tenant_works_on_no_more_than_its_share_and_the_rest_waits_in_order() {
        let tenant_quota = TenantQuota::default();
        let many: Vec<JobHint> = (0..5).map(|run| hint(1, run, Lane::Bulk)).collect();
        assert_eq!(runs(&tenant_quota.admit(&many, limits(2))), [0, 1]);
        assert_eq!(tenant_quota.next_ready_hints(10, limits(2)), []);
        let others = [hint(2, 10, Lane::Bulk), hint(1, 11, Lane::Bulk), hint(1, 12, Lane::Interactive)];
        assert_eq!(
            runs(&tenant_quota.admit(&others, limits(2))),
            [10, 12],
            "others and what somebody waits for go on"
        );
        tenant_quota.release(&many[0]);
        assert_eq!(runs(&tenant_quota.next_ready_hints(10, limits(2))), [2]);
        tenant_quota.release(&others[2]);
        assert_eq!(
            tenant_quota.next_ready_hints(10, limits(2)),
            [],
            "interactive runs have no part in the share"
        );
        tenant_quota.release(&many[1]);
        tenant_quota.release(&many[2]);
        assert_eq!(runs(&tenant_quota.next_ready_hints(1, limits(2))), [3], "as many as were asked for");
        assert_eq!(runs(&tenant_quota.next_ready_hints(10, limits(2))), [4]);
        assert_eq!(tenant_quota.max_wait(limits(2)), Duration::from_millis(2), "for its share");
        tenant_quota.release(&many[3]);
        assert_eq!(tenant_quota.max_wait(limits(2)), Duration::ZERO, "it has its share");
        assert_eq!(runs(&tenant_quota.next_ready_hints(10, limits(2))), [11]);
        assert_eq!(tenant_quota.max_wait(limits(2)), Duration::from_secs(1), "nobody waits");
    }

    #[test]
    fn waiting_tenants_take_turns_and_a_run_waits_once() {
        let tenant_quota = TenantQuota::default();
        for tenant in 1..=2 {
            let first = [hint(tenant, 100 + tenant, Lane::Bulk)];
            assert_eq!(tenant_quota.admit(&first, limits(1)).len(), 1);
            let more: Vec<JobHint> = (0..2).map(|n| hint(tenant, 10 * tenant + n, Lane::Bulk)).collect();
            assert!(
                tenant_quota.admit(&more, limits(1)).is_empty()
                    && tenant_quota.admit(&more, limits(1)).is_empty()
            );
        }
        assert_eq!(runs(&tenant_quota.next_ready_hints(10, limits(3))), [10, 20, 11, 21]);
        assert_eq!(tenant_quota.next_ready_hints(10, limits(3)), []);
    }

    #[test]
    fn interactive_runs_of_one_tenant_leave_permits_to_all_others() {
        let (quota, limits) = (TenantQuota::default(), RunLimits::new(32, 64));
        let many: Vec<JobHint> = (0..9).map(|run| hint(1, run, Lane::Interactive)).collect();
        assert_eq!(runs(&quota.admit(&many, limits)), [0, 1, 2, 3]);
        assert_eq!(runs(&quota.admit(&[hint(2, 20, Lane::Interactive)], limits)), [20]);
        quota.release(&many[0]);
        assert_eq!(runs(&quota.next_ready_hints(9, limits)), [4]);
    }

    #[test]
    fn background_runs_have_little_of_their_tenants_share_and_half_of_the_permits() {
        let (quota, limits) = (TenantQuota::default(), RunLimits::new(16, 24));
        let of = |tenant: u128| -> Vec<JobHint> {
            (0..5).map(|run| hint(tenant, 10 * tenant + run, Lane::Background)).collect()
        };
        assert_eq!(runs(&quota.admit(&of(1), limits)), [10, 11, 12], "an eighth of 24");
        assert_eq!(runs(&quota.admit(&of(2), limits)), [20, 21, 22]);
        assert_eq!(runs(&quota.admit(&of(3), limits)), [30, 31], "half of 16 for all tenants");
        assert_eq!(runs(&quota.admit(&[hint(1, 1, Lane::Bulk)], limits)), [1]);
        quota.release(&of(1)[0]);
        assert_eq!(runs(&quota.next_ready_hints(9, limits)), [13], "whoever waits longest");
    }

    #[test]
    fn who_steps_aside_leaves_its_place_within_limits() {
        let (quota, limits) = (TenantQuota::default(), RunLimits::new(16, 64));
        let of = |run| hint(1, run, Lane::Interactive);
        let admit = |run| quota.admit(&[of(run)], limits).len();
        for run in 0..4 {
            assert_eq!((admit(run), quota.try_step_aside(&of(run), limits)), (1, true));
        }
        assert!(admit(4) == 1 && !quota.try_step_aside(&of(4), limits), "a quarter of the permits");
        quota.release_waiting_run(&of(0));
        assert!(quota.try_step_aside(&of(4), limits));
        let stepped = |tenant| {
            let other = hint(tenant, tenant, Lane::Interactive);
            assert_eq!(quota.admit(&[other], limits).len(), 1);
            quota.try_step_aside(&other, limits)
        };
        assert_eq!((100..200).filter(|tenant| stepped(*tenant)).count(), 4 * 16 - 4, "of all tenants");
    }

    #[test]
    fn bulk_and_background_runs_that_step_aside_count_among_their_tenants() {
        let (quota, limits) = (TenantQuota::default(), RunLimits::new(16, 8));
        let background = |tenant| hint(tenant, tenant, Lane::Background);
        for tenant in 0..8 {
            assert_eq!(quota.admit(&[background(tenant)], limits).len(), 1);
        }
        assert!(quota.admit(&[background(8)], limits).is_empty(), "half of the permits");
        assert!(quota.try_step_aside(&background(0), limits));
        assert_eq!(quota.next_ready_hints(16, limits), [background(8)]);
        assert!(quota.admit(&[background(0)], limits).is_empty(), "its tenant has its one");
        quota.release_waiting_run(&background(0));
        for tenant in 1..=8 {
            quota.release(&background(tenant));
        }
        assert_eq!(quota.next_ready_hints(16, limits), [background(0)]);
        quota.release(&background(0));
        let inner = quota.inner();
        assert!(inner.at_work.is_empty() && inner.aside.is_empty() && inner.background == 0);
    }
}
