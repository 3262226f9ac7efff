//! The gates of a node, one per key of a rate limit: waiting callers, calls in progress, and pauses.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};

use super::{Limit, MAX_PAUSE, Permit, Wait};

/// The wait reported to a caller when the actual wait is unknown.
const SOME_TIME: Duration = Duration::from_millis(250);
/// The number of keys above which idle gates are removed.
const KEYS: usize = 1_024;

/// The gates of a node, by the key of their rate limit. Idle gates are removed.
#[derive(Debug, Default)]
pub(super) struct Gates {
    gates: Mutex<HashMap<String, Arc<Gate>>>,
}

/// Limits the calls for one rate-limit key; see the module documentation.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Locked by the caller who enters next; other callers wait for the lock.
    turn: tokio::sync::Mutex<()>,
    /// Signalled when a permit was returned on this node.
    freed: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    inside: u32,
    /// When the next call is due at the steady rate; `None` without a recent call.
    due: Option<Instant>,
    closed_until: Option<Instant>,
}

/// The outcome of an attempt to pass the gate.
pub(super) enum EntryAttempt {
    Inside(Permit),
    /// The rate limit allows the next call only after this time.
    After(Duration),
    /// No permit is free. If a duration is contained, the caller should try again after it, because a permit may become
    /// free on another node.
    Full(Option<Duration>),
}

impl Gates {
    pub(super) fn of(&self, key: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(key) {
            return gate.clone();
        }
        if gates.len() >= KEYS && gates.len() == gates.capacity() {
            gates.retain(|_, gate| Arc::strong_count(gate) > 1 || !gate.is_idle());
        }
        gates.entry(key.to_owned()).or_default().clone()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Gate {
    /// Waits until the caller is next, then tries until an attempt succeeds or `patience` has elapsed.
    pub(super) async fn enter<Attempts>(
        &self,
        patience: Duration,
        attempt: impl Fn() -> Attempts,
    ) -> Result<Permit, Wait>
    where
        Attempts: Future<Output = EntryAttempt>,
    {
        let until = Instant::now() + patience;
        if let Some(closed) = self.closed_for().filter(|closed| *closed > patience) {
            return Err(Wait(closed));
        }
        let Ok(_turn) = timeout_at(until, self.turn.lock()).await else { return Err(Wait(SOME_TIME)) };
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let outcome = match self.closed_for() {
                Some(closed) => EntryAttempt::After(closed),
                None => attempt().await,
            };
            let left = until.saturating_duration_since(Instant::now());
            match outcome {
                EntryAttempt::Inside(place) => return Ok(place),
                EntryAttempt::After(wait) if wait > left => return Err(Wait(wait)),
                EntryAttempt::After(wait) => sleep(wait).await,
                EntryAttempt::Full(_) if left.is_zero() => return Err(Wait(SOME_TIME)),
                EntryAttempt::Full(again) => {
                    let look = again.map_or(until, |again| until.min(Instant::now() + again));
                    // Either way the next attempt shows whether somebody left.
                    let _ = timeout_at(look, freed).await;
                }
            }
        }
    }

    /// Tries to acquire a permit using only this node's state.
    pub(super) fn try_enter(self: &Arc<Self>, limit: &Limit) -> EntryAttempt {
        let now = Instant::now();
        let mut state = self.state();
        let mut due = state.due.map_or(now, |due| due.max(now));
        if let Some((interval, ahead)) = limit.pace() {
            if due > now + ahead {
                return EntryAttempt::After(due - ahead - now);
            }
            due += interval;
        }
        if limit.concurrency > 0 && state.inside >= limit.concurrency {
            return EntryAttempt::Full(None);
        }
        state.due = Some(due);
        state.inside += 1;
        let gate = self.clone();
        EntryAttempt::Inside(Permit::new(move || gate.leave()))
    }

    pub(super) fn pause(&self, duration: Duration) {
        let mut state = self.state();
        state.closed_until = state.closed_until.max(Some(Instant::now() + duration.min(MAX_PAUSE)));
    }

    /// Notifies the next caller that a permit was returned.
    pub(super) fn notify_next(&self) {
        self.freed.notify_waiters();
    }

    fn leave(&self) {
        let mut state = self.state();
        state.inside = state.inside.saturating_sub(1);
        drop(state);
        self.freed.notify_waiters();
    }

    fn closed_for(&self) -> Option<Duration> {
        let closed_until = self.state().closed_until?;
        Some(closed_until.saturating_duration_since(Instant::now())).filter(|closed| !closed.is_zero())
    }

    fn is_idle(&self) -> bool {
        let now = Instant::now();
        let state = self.state();
        let past = |at: Option<Instant>| at.is_none_or(|at| at <= now);
        state.inside == 0 && past(state.due) && past(state.closed_until)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
