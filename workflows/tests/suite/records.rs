//! What runs and changes leave behind: events reach every reader, runs that need a person are told of, and old rows are
//! pruned by policy.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;
mod outbox;
mod parked;
mod retention;

use domain::Message;
use engine::{Next, nothing};
use serde::{Deserialize, Serialize};
use workflows::{
    Outcome, Step, StepContext, StepError,
    reconcile::{self, Reconciler},
};

use crate::records::bench::Bench;
use crate::records::parked::work_that_kills_three_workers_is_parked;
use crate::records::retention::{
    pruning_goes_on_until_nothing_old_is_left, what_is_over_is_pruned_by_policy_and_what_lives_stays,
};

engine::workflow! {
    /// Ends, fails, or waits for a bell, as its memory says.
    Toy = "toy" v 1 (StepContext, Memory);

    Ring:   ring  | nothing    | STANDARD | [];
}

#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    mode: String,
}

async fn ring(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let is_rung = at.take_signal("bell").is_some();
    match at.memory.mode.as_str() {
        "done" => Ok(Next::Done),
        "fail" => Err(StepError::fail("TOY_FAILED", Message::verbatim("It failed."))),
        _ if is_rung => Ok(Next::Done),
        _ => Ok(Next::Wait { until: None, or: Some("bell") }),
    }
}

async fn bench(postgres: bool) -> Bench {
    bench::still(postgres, vec![Box::new(Toy)]).await
}

async fn a_round_is_one_nodes_until_its_lease_is_over(bench: Bench) {
    let take = async |node: &str| {
        reconcile::claim_round(&bench.services, Reconciler::Retention, node).await.unwrap()
    };
    assert!(take("one").await);
    assert!(!take("other").await, "it is not due");
    // The round takes longer than its period, and the first node is dead.
    bench.clock.advance(chrono::Duration::seconds(20));
    assert!(!take("other").await);
    bench.clock.advance(chrono::Duration::minutes(10));
    assert!(take("other").await, "due, and the lease is over");
    assert!(!take("one").await);
}

macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod sqlite { $(#[tokio::test] async fn $name() { super::$name(super::bench(false).await).await; })* }
        mod postgres { $(#[tokio::test] async fn $name() { super::$name(super::bench(true).await).await; })* }
    };
}

both! {
    what_is_over_is_pruned_by_policy_and_what_lives_stays,
    pruning_goes_on_until_nothing_old_is_left,
    a_round_is_one_nodes_until_its_lease_is_over,
    work_that_kills_three_workers_is_parked,
}
