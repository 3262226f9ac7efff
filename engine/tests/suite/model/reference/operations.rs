//! Applies operations to the model: some consist of others, each of the rest follows one rule.

use domain::Timestamp;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::{
    super::{
        op::{Op, some_op},
        tally::Tally,
    },
    Answer, CRASHES, FOR_EVER_S, LEASE_S, Model, WORKERS, WorkerState, origin, seconds,
};

impl Model {
    /// Does everything that an operation is made of.
    fn go(&mut self, op: &Op) {
        match *op {
            Op::Round { worker, keep } => {
                self.go(&Op::Sweep { again_s: Some(0) });
                self.go(&Op::Take { worker, many: self.lane.len() });
                self.finish(worker, keep);
            }
            Op::Calm { worker, rounds } => {
                for _ in 0..rounds {
                    self.go(&Op::ToNextDue { early: false });
                    self.go(&Op::Round { worker, keep: rounds % 2 == 1 });
                }
            }
            Op::Poison { worker, run, dies } => {
                for _ in 0..CRASHES {
                    self.go(&Op::Guess { worker, run });
                    if dies {
                        self.go(&Op::Die { worker });
                    }
                    self.go(&Op::Advance { by_s: LEASE_S + 1 });
                }
                self.go(&Op::Guess { worker: (worker + 1) % WORKERS, run });
                self.go(&Op::Beat { worker });
                self.finish((worker + 1) % WORKERS, false);
            }
            Op::Haunt { worker, run } => {
                self.go(&Op::Poison { worker, run, dies: false });
                self.go(&Op::Retry { run });
                self.go(&Op::Guess { worker, run });
                self.finish(worker, false);
            }
            _ => {
                let answer = self.happen(op);
                self.did.push((op.clone(), answer));
            }
        }
    }

    /// A worker does all that it holds.
    fn finish(&mut self, worker: usize, keep: bool) {
        for _ in 0..self.worker_states[worker].claims.len() {
            self.go(&Op::Work { worker, which: 0, twice: false });
        }
        self.go(&Op::Commit { worker, many: self.worker_states[worker].results.len(), turned: false, keep });
    }

    fn happen(&mut self, op: &Op) -> Answer {
        match *op {
            Op::Round { .. } | Op::Calm { .. } | Op::Poison { .. } | Op::Haunt { .. } => Answer::Nothing,
            Op::Order { key, ref plan } => self.enqueue(key, plan),
            Op::Sweep { again_s } => self.sweep(again_s),
            Op::LoseHints => {
                self.lane.clear();
                Answer::Nothing
            }
            Op::DoubleHints => {
                self.lane.extend(self.lane.clone());
                Answer::Nothing
            }
            Op::Take { worker, many } => {
                let hints = self.lane.drain(..many.min(self.lane.len())).collect();
                self.claim(Some(worker), hints)
            }
            Op::Guess { worker, run } => self.claim(Some(worker), self.run_at(run).into_iter().collect()),
            Op::Stranger { run } => self.claim(None, self.run_at(run).into_iter().collect()),
            Op::Work { worker, which, twice } => {
                let (now, worker_states) = (self.now, &mut self.worker_states[worker]);
                if !worker_states.claims.is_empty() {
                    let claim = worker_states.claims.remove(which % worker_states.claims.len());
                    worker_states.results.extend(twice.then(|| claim.clone().work(now)));
                    worker_states.results.push(claim.work(now));
                }
                Answer::Nothing
            }
            Op::Commit { worker, many, turned, keep } => self.commit(worker, many, turned, keep),
            Op::Crash { worker, which } => {
                let worker_states = &mut self.worker_states[worker];
                match worker_states.claims.len() {
                    0 if worker_states.results.is_empty() => {}
                    0 => drop(worker_states.results.remove(which % worker_states.results.len())),
                    n => drop(worker_states.claims.remove(which % n)),
                }
                Answer::Nothing
            }
            Op::Die { worker } => {
                self.worker_states[worker] = WorkerState::default();
                Answer::Nothing
            }
            Op::Beat { worker } => self.beat(worker),
            Op::Advance { by_s } => {
                if by_s < 0 {
                    self.met.count("a clock that is set back");
                }
                self.now += seconds(by_s);
                Answer::Moved(by_s)
            }
            Op::ToNextDue { early } => {
                // Nobody waits until a wait for a signal alone runs out.
                let soon = |due: &Timestamp| *due > self.now && *due < self.now + seconds(FOR_EVER_S / 2);
                let due = self.next_due().filter(soon);
                let by = due.map_or(0, |due| (due - self.now).num_seconds() - i64::from(early));
                self.now += seconds(by);
                Answer::Moved(by)
            }
            Op::Signal { run, name } => {
                self.run_at(run).map_or(Answer::Nothing, |run| self.signal(run, name))
            }
            Op::Cancel { run } => self.run_at(run).map_or(Answer::Nothing, |run| {
                self.met.count("a request to stop");
                let (now, stored) = (self.now, &mut self.runs[run].stored);
                let reached = stored.wake(now);
                stored.cancel |= reached;
                Answer::Done(reached)
            }),
            Op::Retry { run } => self.run_at(run).map_or(Answer::Nothing, |run| self.retry(run)),
        }
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Op;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self {
            now: origin(),
            runs: Vec::new(),
            lane: Vec::new(),
            worker_states: Default::default(),
            did: Vec::new(),
            met: Tally::default(),
            next_signal: 0,
        })
        .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Op> {
        some_op(state)
    }

    fn apply(mut state: Self, op: &Op) -> Self {
        state.did.clear();
        state.go(op);
        state
    }
}
