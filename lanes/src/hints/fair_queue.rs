//! The order of hints: lanes by priority, tenants in turn, and each run only once.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use domain::{Id, ids, state::Lane};

use super::JobHint;

/// For each lane, how many times in a row other lanes may be preferred while it contains hints.
const PATIENCE: [u32; 3] = [0, 7, 31];

/// A queue of hints in fair order; see the module documentation.
#[derive(Debug, Default)]
pub(super) struct FairQueue {
    lanes: [TenantRing; 3],
    passed_over: [u32; 3],
    /// The lane in which each run is queued. Other entries of the run in the rings are outdated: it moved to a more
    /// urgent lane.
    waiting: HashMap<Id<ids::Run>, Lane>,
}

/// The tenants with hints in a lane, in round-robin order.
#[derive(Debug, Default)]
struct TenantRing {
    turns: VecDeque<Id<ids::Tenant>>,
    runs: HashMap<Id<ids::Tenant>, VecDeque<Id<ids::Run>>>,
    len: usize,
}

impl FairQueue {
    /// Adds a hint, unless its run is already queued in this lane or a more urgent one.
    pub(super) fn push(&mut self, hint: JobHint) {
        match self.waiting.entry(hint.run) {
            Entry::Occupied(entry) if *entry.get() <= hint.lane => return,
            Entry::Occupied(mut entry) => {
                entry.insert(hint.lane);
            }
            Entry::Vacant(entry) => {
                entry.insert(hint.lane);
            }
        }
        self.lanes[hint.lane as usize].push(hint.tenant, hint.run);
    }

    /// Whether a hint for the run is in the queue.
    pub(super) fn contains_run(&self, run: Id<ids::Run>) -> bool {
        self.waiting.contains_key(&run)
    }

    /// The number of waiting runs.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The approximate number of hints queued in a lane.
    pub(super) fn lane_length(&self, lane: Lane) -> usize {
        self.lanes[lane as usize].len
    }

    /// Returns the next hints, at most `max`.
    pub(super) fn take(&mut self, max: usize) -> Vec<JobHint> {
        let mut taken = Vec::with_capacity(max.min(self.len()));
        while taken.len() < max {
            let Some(lane) = self.lane() else { break };
            let Some((tenant, run)) = self.lanes[lane as usize].pop() else { break };
            if self.waiting.get(&run) == Some(&lane) {
                self.waiting.remove(&run);
                self.count(lane);
                taken.push(JobHint { run, tenant, lane });
            }
        }
        taken
    }

    /// The most urgent lane with hints, or one that has been passed over too often.
    fn lane(&self) -> Option<Lane> {
        let with_hints = || Lane::ALL.iter().copied().filter(|lane| self.lane_length(*lane) > 0);
        let starved = |lane: &Lane| self.passed_over[*lane as usize] >= PATIENCE[*lane as usize];
        with_hints()
            .rev()
            .find(|lane| *lane != Lane::Interactive && starved(lane))
            .or_else(|| with_hints().next())
    }

    fn count(&mut self, taken: Lane) {
        for lane in Lane::ALL {
            let waits = *lane != taken && self.lane_length(*lane) > 0;
            let passed_over = &mut self.passed_over[*lane as usize];
            *passed_over = if waits { *passed_over + 1 } else { 0 };
        }
    }
}

impl TenantRing {
    fn push(&mut self, tenant: Id<ids::Tenant>, run: Id<ids::Run>) {
        let runs = self.runs.entry(tenant).or_default();
        if runs.is_empty() {
            self.turns.push_back(tenant);
        }
        runs.push_back(run);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<(Id<ids::Tenant>, Id<ids::Run>)> {
        let tenant = self.turns.pop_front()?;
        let runs = self.runs.get_mut(&tenant)?;
        let run = runs.pop_front()?;
        if runs.is_empty() {
            self.runs.remove(&tenant);
        } else {
            self.turns.push_back(tenant);
        }
        self.len -= 1;
        Some((tenant, run))
    }
}
