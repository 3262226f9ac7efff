//! The workflow that the model test drives. What its states do is one pure function, so that the reference model
//! knows it too: what is tested is the engine around it.

use std::time::Duration;

use domain::{Message, Reason, Timestamp};
use engine::{Next, Outcome, StepError, UndoOutcome};
use serde::{Deserialize, Serialize};

use crate::bench::{Note, Step, TestContext};

engine::workflow! {
    /// Waits for a bell, for a time, and for either; laps; ends.
    Walk = "walk" v 1 (TestContext, Memory);

    Begin:  begin  | unbegin  | STANDARD | [Listen];
    Listen: listen | unlisten | STANDARD | [Nap];
    Nap:    nap    | unnap    | NEVER    | [Either];
    Either: either | uneither | NEVER    | [Turn];
    Turn:   turn   | unturn   | NEVER    | [Listen, Finish];
    Finish: finish | unfinish | STANDARD | [];
}

/// What a run will meet; part of its memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// How many times the run returns to an earlier state.
    pub laps: u8,
    /// The length of each wait, in seconds.
    pub wait_s: i64,
    /// How many attempts of a step fail before it succeeds.
    pub stumbles: u32,
    /// How many attempts of an undo fail before it succeeds.
    pub undo_stumbles: u32,
    /// What happens in the state `Turn`.
    pub turn: Turn,
    /// Whether the undos fail for good.
    pub stuck: bool,
}

/// What happens in the state `Turn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Turn {
    /// The step succeeds.
    Good,
    /// The run fails in its first state already.
    FailsAtOnce,
    /// The step ends in a permanent failure, which starts the undoing.
    Fails,
    /// The step asks for another attempt, which its row does not grant.
    Retries,
    /// The step waits for nothing, which the engine refuses.
    Unnamed,
    /// The step goes to a state that the table does not permit.
    Astray,
}

/// The state of the pure function between steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub plan: Plan,
    /// Number of committed steps and undos; those with changes write it as a note.
    pub count: u32,
    /// Number of laps done.
    pub laps: u8,
    /// The deadline of the present wait; `None` outside a wait.
    pub until: Option<Timestamp>,
}

/// The shortest wait after a failed attempt: longer than any policy's, so that jitter plays no part.
pub const AFTER: Duration = Duration::from_mins(45);

/// What each state does.
pub fn act(
    state: State,
    memory: &mut Memory,
    attempt: u32,
    now: Timestamp,
    take: &mut dyn FnMut(&'static str) -> bool,
) -> Outcome<State> {
    let deadline = now + chrono::Duration::seconds(memory.plan.wait_s);
    memory.count += 1;
    Ok(match state {
        State::Begin if memory.plan.turn == Turn::FailsAtOnce => return Err(lame()),
        State::Begin => Next::Go(State::Listen),
        State::Listen if !take("bell") => Next::Wait { until: None, or: Some("bell") },
        // It has taken the bell: its failure must not eat it.
        State::Listen if attempt < memory.plan.stumbles => return Err(again()),
        State::Listen => Next::Go(State::Nap),
        State::Nap => match memory.until {
            Some(until) if now >= until => {
                memory.until = None;
                Next::Go(State::Either)
            }
            until => {
                memory.until = until.or(Some(deadline));
                Next::Wait { until: memory.until, or: None }
            }
        },
        State::Either => {
            let heard = take("go");
            match memory.until {
                _ if heard => {
                    memory.until = None;
                    Next::Go(State::Turn)
                }
                Some(until) if now >= until => {
                    memory.until = None;
                    Next::Go(State::Turn)
                }
                until => {
                    memory.until = until.or(Some(deadline));
                    Next::Wait { until: memory.until, or: Some("go") }
                }
            }
        }
        State::Turn => match memory.plan.turn {
            Turn::Fails | Turn::FailsAtOnce => return Err(lame()),
            Turn::Retries => return Err(again()),
            Turn::Unnamed => Next::Wait { until: None, or: None },
            Turn::Astray => Next::Go(State::Begin),
            Turn::Good if memory.laps < memory.plan.laps => {
                memory.laps += 1;
                Next::Go(State::Listen)
            }
            Turn::Good => Next::Go(State::Finish),
        },
        State::Finish => Next::Done,
    })
}

/// What undoing any state does.
pub fn take_back(memory: &mut Memory, attempt: u32) -> UndoOutcome {
    memory.count += 1;
    memory.until = None;
    match memory.plan {
        Plan { stuck: true, .. } => {
            Err(StepError::fail("STUCK", Message::verbatim("It cannot be taken back.")))
        }
        Plan { undo_stumbles, .. } if attempt < undo_stumbles => Err(again()),
        _ => Ok(()),
    }
}

fn lame() -> StepError {
    StepError::fail("LAME", Message::verbatim("It cannot go on."))
}

fn again() -> StepError {
    StepError::Retry {
        reason: Reason::new("STUMBLED", Message::verbatim("It stumbled.")),
        after: Some(AFTER),
    }
}

fn go(state: State, at: &mut Step<Memory>) -> Outcome<State> {
    let (mut memory, attempt, now) = (at.memory.clone(), at.attempt, at.now);
    let outcome = act(state, &mut memory, attempt, now, &mut |name| at.take_signal(name).is_some());
    at.memory = memory;
    count(at);
    outcome
}

fn back(at: &mut Step<Memory>) -> UndoOutcome {
    let undone = take_back(&mut at.memory, at.attempt);
    count(at);
    undone
}

/// Whether the step with this number writes something beside its run, which takes another path through the committer.
pub fn has_changes(count: u32) -> bool {
    !count.is_multiple_of(3)
}

/// Writes a note with the step's number, if the step has changes at all.
fn count(at: &mut Step<Memory>) {
    if !has_changes(at.memory.count) {
        return;
    }
    at.add_change(Note(at.memory.count as i32));
}

macro_rules! steps {
    ($($state:ident $does:ident $undo:ident;)+) => {$(
        async fn $does(_context: &TestContext, at: &mut Step<Memory>) -> Outcome<State> {
            go(State::$state, at)
        }

        async fn $undo(_context: &TestContext, at: &mut Step<Memory>) -> UndoOutcome {
            back(at)
        }
    )+

        /// Parses a state's name.
        pub fn state(name: &str) -> State {
            *[$(State::$state),+].iter().find(|state| state.name() == name).unwrap()
        }
    };
}

steps! {
    Begin begin unbegin;
    Listen listen unlisten;
    Nap nap unnap;
    Either either uneither;
    Turn turn unturn;
    Finish finish unfinish;
}
