//! Limits the number of runs of one tenant that are executed at a time, so that bulk work cannot use all permits.
//!
//! The limit applies to all nodes together; each node enforces its share, by the number of nodes. Runs above a
//! tenant's share wait here, up to a limit, until another run of the tenant ends; further ones are dropped and
//! offered again by the sweep. Interactive runs are never delayed, because somebody is waiting for them.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{Hint, Id, ids, state::Lane};

/// Maximum number of waiting hints.
const CAPACITY: usize = 20_000;

/// The quotas of a node; see the module documentation. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct TenantQuota(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    at_work: HashMap<Id<ids::Tenant>, usize>,
    waiting: HashMap<Id<ids::Tenant>, VecDeque<Hint>>,
    /// Tenants that wait, in the order of their turns.
    turns: VecDeque<Id<ids::Tenant>>,
    runs: HashSet<Id<ids::Run>>,
}

impl TenantQuota {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the hints that may be claimed now; the others wait.
    pub(crate) fn admit(&self, hints: &[Hint], limit: usize) -> Vec<Hint> {
        let mut inner = self.inner();
        let mut admitted = Vec::with_capacity(hints.len());
        for hint in hints {
            // Behind those of its tenant that wait already.
            let waits = inner.waiting.contains_key(&hint.tenant);
            if hint.lane == Lane::Interactive || (!waits && inner.try_admit(hint.tenant, limit)) {
                admitted.push(*hint);
            } else {
                inner.wait(*hint);
            }
        }
        admitted
    }

    /// Up to `max` waiting hints whose tenants are below their limit again, with tenants taking turns.
    pub(crate) fn next_ready(&self, max: usize, limit: usize) -> Vec<Hint> {
        let mut inner = self.inner();
        let mut ready = Vec::new();
        let mut refused = 0;
        while ready.len() < max && refused < inner.turns.len() {
            let Some(tenant) = inner.turns.pop_front() else { break };
            if !inner.try_admit(tenant, limit) {
                inner.turns.push_back(tenant);
                refused += 1;
                continue;
            }
            refused = 0;
            ready.extend(inner.next_of(tenant));
        }
        ready
    }

    /// How long a worker may wait for other hints: not at all if a hint waiting here may be claimed, and only
    /// briefly if one waits for its tenant's share.
    pub(crate) fn max_wait(&self, limit: usize) -> Duration {
        let inner = self.inner();
        let has_room = |tenant| inner.at_work.get(tenant).is_none_or(|at_work| *at_work < limit);
        match inner.turns.is_empty() {
            true => Duration::from_secs(1),
            false if inner.turns.iter().any(has_room) => Duration::ZERO,
            false => Duration::from_millis(2),
        }
    }

    /// Records that an admitted run was released, or could not be claimed.
    pub(crate) fn release(&self, hint: &Hint) {
        if hint.lane == Lane::Interactive {
            return;
        }
        let mut inner = self.inner();
        if let Some(at_work) = inner.at_work.get_mut(&hint.tenant) {
            *at_work -= 1;
            if *at_work == 0 {
                inner.at_work.remove(&hint.tenant);
            }
        }
    }
}

impl Inner {
    fn try_admit(&mut self, tenant: Id<ids::Tenant>, limit: usize) -> bool {
        let at_work = self.at_work.entry(tenant).or_default();
        let free = *at_work < limit;
        *at_work += usize::from(free);
        free
    }

    fn wait(&mut self, hint: Hint) {
        if self.runs.len() < CAPACITY && self.runs.insert(hint.run) {
            let line = self.waiting.entry(hint.tenant).or_default();
            if line.is_empty() {
                self.turns.push_back(hint.tenant);
            }
            line.push_back(hint);
        }
    }

    fn next_of(&mut self, tenant: Id<ids::Tenant>) -> Option<Hint> {
        let line = self.waiting.get_mut(&tenant)?;
        let hint = line.pop_front()?;
        if line.is_empty() {
            self.waiting.remove(&tenant);
        } else {
            self.turns.push_back(tenant);
        }
        self.runs.remove(&hint.run);
        Some(hint)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn hint(tenant: u128, run: u128, lane: Lane) -> Hint {
        let (run, tenant) = (Uuid::from_u128(run), Uuid::from_u128(tenant));
        Hint { run: Id::from_uuid(run), tenant: Id::from_uuid(tenant), lane }
    }

    fn runs(hints: &[Hint]) -> Vec<u128> {
        hints.iter().map(|hint| hint.run.uuid().as_u128()).collect()
    }

    #[test]
    fn a_tenant_works_on_no_more_than_its_share_and_the_rest_waits_in_order() {
        let tenant_quota = TenantQuota::default();
        let many: Vec<Hint> = (0..5).map(|run| hint(1, run, Lane::Bulk)).collect();
        assert_eq!(runs(&tenant_quota.admit(&many, 2)), [0, 1]);
        assert_eq!(tenant_quota.next_ready(10, 2), []);
        let others = [hint(2, 10, Lane::Bulk), hint(1, 11, Lane::Bulk), hint(1, 12, Lane::Interactive)];
        assert_eq!(
            runs(&tenant_quota.admit(&others, 2)),
            [10, 12],
            "others and what somebody waits for go on"
        );
        tenant_quota.release(&many[0]);
        assert_eq!(runs(&tenant_quota.next_ready(10, 2)), [2]);
        tenant_quota.release(&others[2]);
        assert_eq!(tenant_quota.next_ready(10, 2), [], "interactive runs have no part in the share");
        tenant_quota.release(&many[1]);
        tenant_quota.release(&many[2]);
        assert_eq!(runs(&tenant_quota.next_ready(1, 2)), [3], "as many as were asked for");
        assert_eq!(runs(&tenant_quota.next_ready(10, 2)), [4]);
        assert_eq!(tenant_quota.max_wait(2), Duration::from_millis(2), "for its share");
        tenant_quota.release(&many[3]);
        assert_eq!(tenant_quota.max_wait(2), Duration::ZERO, "it has its share");
        assert_eq!(runs(&tenant_quota.next_ready(10, 2)), [11]);
        assert_eq!(tenant_quota.max_wait(2), Duration::from_secs(1), "nobody waits");
    }

    #[test]
    fn waiting_tenants_take_turns_and_a_run_waits_once() {
        let tenant_quota = TenantQuota::default();
        for tenant in 1..=2 {
            let first = [hint(tenant, 100 + tenant, Lane::Background)];
            assert_eq!(tenant_quota.admit(&first, 1).len(), 1);
            let more: Vec<Hint> = (0..2).map(|n| hint(tenant, 10 * tenant + n, Lane::Background)).collect();
            assert!(tenant_quota.admit(&more, 1).is_empty() && tenant_quota.admit(&more, 1).is_empty());
        }
        assert_eq!(runs(&tenant_quota.next_ready(10, 3)), [10, 20, 11, 21]);
        assert_eq!(tenant_quota.next_ready(10, 3), []);
    }
}
