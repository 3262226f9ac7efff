//! How often each danger was met: a model test that never meets it proves nothing.

use std::collections::BTreeMap;

/// Everything that has to be met.
const DANGERS: [&str; 28] = [
    "an order whose key is live",
    "a hint with nothing to claim",
    "a claim over a lease that ran out",
    "a zombie beside its successor in a batch",
    "a zombie of another life beside its successor",
    "a result for a run that is over",
    "a zombie with an old epoch",
    "a zombie with the epoch of another life or of a commit before",
    "a result that comes late and is still awaited",
    "a wake while the step was in hand",
    "a claim that is kept",
    "a kept claim that is made longer",
    "a kept claim that stays as it is",
    "a failed run retried",
    "a parked run retried",
    "a signal to a run that is over",
    "a signal that nobody waits for yet",
    "a signal that is waited for",
    "a clock that is set back",
    "a request to stop",
    "WENT_ON",
    "WAITED",
    "RETRIED",
    "FAILED",
    "UNDONE",
    "DONE",
    "CANCELLED",
    "QUARANTINED",
];

#[derive(Debug, Clone, Default)]
pub struct Tally(BTreeMap<&'static str, u32>);

impl Tally {
    pub fn count(&mut self, danger: &'static str) {
        assert!(DANGERS.contains(&danger), "{danger}");
        *self.0.entry(danger).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (danger, times) in &other.0 {
            *self.0.entry(danger).or_default() += times;
        }
    }

    /// What was never met.
    pub fn missed(&self) -> Vec<&'static str> {
        DANGERS.into_iter().filter(|danger| !self.0.contains_key(danger)).collect()
    }
}
