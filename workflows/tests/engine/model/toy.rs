//! The workflow that the model test drives. What its states do is one pure function, so that the reference model
//! knows it too: what is tested is the engine around it.

use std::time::Duration;

use domain::{Reason, Timestamp};
use serde::{Deserialize, Serialize};
use services::Change;
use workflows::engine::{Next, Outcome, Step, Trouble, Undone, World};

workflows::workflow! {
    /// Waits for a bell, for a time, and for either; laps; ends.
    Walk = "walk" v 1 (Memory);

    Begin:  begin  | unbegin  | STANDARD | [Listen];
    Listen: listen | unlisten | STANDARD | [Nap];
    Nap:    nap    | unnap    | NEVER    | [Either];
    Either: either | uneither | NEVER    | [Turn];
    Turn:   turn   | unturn   | NEVER    | [Listen, Finish];
    Finish: finish | unfinish | STANDARD | [];
}

/// What a run is going to meet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// How often it turns back.
    pub laps: u8,
    /// How long its waits are.
    pub wait_s: i64,
    /// How often a step fails for now.
    pub stumbles: u32,
    /// How often an undo fails for now.
    pub undo_stumbles: u32,
    /// What happens at its turn.
    pub turn: Turn,
    /// Whether its undos fail for good.
    pub stuck: bool,
}

/// What happens at a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Turn {
    /// It goes on.
    Good,
    /// It never comes to its turn.
    FailsAtOnce,
    /// It fails.
    Fails,
    /// It wants another attempt, which its row does not grant.
    Retries,
    /// It waits for nothing.
    Unnamed,
    /// It goes where the table does not lead.
    Astray,
}

/// What a run remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub plan: Plan,
    /// How many steps and undos were committed: those with changes write their number into the audit log.
    pub count: u32,
    /// How many laps are done.
    pub laps: u8,
    /// Until when it waits.
    pub until: Option<Timestamp>,
}

/// The least wait after a step that stumbles: longer than any policy's, so that no chance is left in it.
pub const AFTER: Duration = Duration::from_mins(45);

/// What a state does.
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

/// What taking any state back does.
pub fn take_back(memory: &mut Memory, attempt: u32) -> Undone {
    memory.count += 1;
    memory.until = None;
    match memory.plan {
        Plan { stuck: true, .. } => Err(Trouble::fail("STUCK", "It cannot be taken back.")),
        Plan { undo_stumbles, .. } if attempt < undo_stumbles => Err(again()),
        _ => Ok(()),
    }
}

fn lame() -> Trouble {
    Trouble::fail("LAME", "It cannot go on.")
}

fn again() -> Trouble {
    Trouble::Retry { reason: Reason::new("STUMBLED", "It stumbled."), after: Some(AFTER) }
}

fn go(state: State, at: &mut Step<Memory>) -> Outcome<State> {
    let (mut memory, attempt, now) = (at.memory.clone(), at.attempt, at.now);
    let outcome = act(state, &mut memory, attempt, now, &mut |name| at.take(name).is_some());
    at.memory = memory;
    count(at);
    outcome
}

fn back(at: &mut Step<Memory>) -> Undone {
    let undone = take_back(&mut at.memory, at.attempt);
    count(at);
    undone
}

/// Whether a step of this number has something written beside its run: a plain result takes another way.
pub fn has_changes(count: u32) -> bool {
    !count.is_multiple_of(3)
}

/// What is committed leaves one line with its number, where it has changes at all.
fn count(at: &mut Step<Memory>) {
    if !has_changes(at.memory.count) {
        return;
    }
    let (actor, subject) = (at.asked_by.clone(), at.run.to_string());
    let details = serde_json::json!(at.memory.count);
    at.change(Change::Audit { actor, action: "walk", subject, details });
}

macro_rules! steps {
    ($($state:ident $does:ident $undo:ident;)+) => {$(
        async fn $does(_world: &World, at: &mut Step<Memory>) -> Outcome<State> {
            go(State::$state, at)
        }

        async fn $undo(_world: &World, at: &mut Step<Memory>) -> Undone {
            back(at)
        }
    )+

        /// Reads a state's name.
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
