//! A tenant works on no more runs at a time than its share, however many places are free; and runs that wait for
//! servers outside leave their places to others.

use domain::{Id, ids, state::Lane};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use engine::{Next, Outcome, nothing};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::bench::{self, Node, Step, TestContext, new_tenant};

engine::workflow! {
    /// Holds its place until the test lets it go.
    Holder = "toy" v 1 (TestContext, Memory);

    Hold: hold | nothing | STANDARD | [];
}

#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    mode: String,
}

/// The mode of runs whose steps wait for a server that never answers.
const OUTSIDE: &str = "outside";
/// How long a test waits for a step to begin before it fails.
const DEADLINE: Duration = Duration::from_secs(30);

/// The tenants of the steps that have begun, in their order.
static BEGUN: LazyLock<watch::Sender<Vec<Id<ids::Tenant>>>> =
    LazyLock::new(|| watch::Sender::new(Vec::new()));
/// Steps that may end.
static ENDS: Semaphore = Semaphore::const_new(0);
/// How many steps of a tenant are under way, and the most there were.
type StepCounts = HashMap<Id<ids::Tenant>, (usize, usize)>;
static UNDER_WAY: LazyLock<Mutex<StepCounts>> = LazyLock::new(Mutex::default);

fn count(tenant: Id<ids::Tenant>, change: impl FnOnce(&mut (usize, usize))) {
    change(UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).entry(tenant).or_default());
}

async fn hold(_context: &TestContext, at: &mut Step<Memory>) -> Outcome<State> {
    count(at.tenant, |(now, most)| {
        *now += 1;
        *most = (*most).max(*now);
    });
    let _outside = (at.memory.mode == OUTSIDE).then(lanes::ExternalWait::begin);
    BEGUN.send_modify(|begun| begun.push(at.tenant));
    ENDS.acquire().await.unwrap().forget();
    count(at.tenant, |(now, _)| *now -= 1);
    Ok(Next::Done)
}

async fn a_tenants_bulk_runs_take_no_more_than_its_share(postgres: bool) {
    let mut bench = bench::still(postgres, Vec::new()).await;
    let (store, clock) = (bench.node.store.clone(), Arc::new(bench.clock.clone()));
    bench.node = Node::with_limit("sharing", store, clock, vec![Box::new(Holder)], 1);
    let engine = bench.node.engine.clone();
    let (busy, other) = (bench.tenant, new_tenant(&bench.node).await);
    for tenant in [busy, busy, busy, other] {
        bench.enqueue(tenant, "").await;
    }
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    engine.start(&tracker, &stop, 4);
    let mut begun = BEGUN.subscribe();
    let of = |begun: &[Id<ids::Tenant>], tenant| begun.iter().filter(|one| **one == tenant).count();
    begun.wait_for(|begun| of(begun, busy) > 0 && of(begun, other) > 0).await.unwrap();
    assert_eq!(of(&BEGUN.borrow(), busy), 1, "three places are free, and none of them for this tenant");
    ENDS.add_permits(4);
    begun.wait_for(|begun| of(begun, busy) == 3).await.unwrap();
    stop.cancel();
    tracker.close();
    tracker.wait().await;
    count(busy, |(now, most)| assert_eq!((*now, *most), (0, 1)));
}

/// Waits until so many steps of a tenant have begun.
async fn begun(tenant: Id<ids::Tenant>, steps: usize) {
    let mut begun = BEGUN.subscribe();
    let enough = |begun: &Vec<Id<ids::Tenant>>| begun.iter().filter(|one| **one == tenant).count() >= steps;
    let waited = tokio::time::timeout(DEADLINE, begun.wait_for(enough)).await;
    assert!(waited.is_ok(), "{steps} steps of {tenant} did not begin");
}

async fn runs_that_wait_for_servers_outside_leave_their_places(postgres: bool, lane: Lane) {
    let bench = bench::still(postgres, vec![Box::new(Holder)]).await;
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    bench.engine.start(&tracker, &stop, 4);
    let mut silent = vec![bench.tenant];
    for _ in 0..3 {
        silent.push(new_tenant(&bench.node).await);
    }
    // Twice as many as there are places.
    for round in 1..=2 {
        for tenant in &silent {
            bench.enqueue_in(lane, *tenant, OUTSIDE).await;
            begun(*tenant, round).await;
            // In all less than a lease lasts.
            bench.clock.advance(chrono::Duration::milliseconds(1_200));
        }
    }
    let other = new_tenant(&bench.node).await;
    bench.enqueue_in(lane, other, "").await;
    bench.enqueue_in(Lane::Interactive, silent[0], "").await;
    begun(other, 1).await;
    begun(silent[0], 3).await;
    ENDS.add_permits(2 * silent.len() + 2);
    stop.cancel();
    tracker.close();
    tracker.wait().await;
}

#[tokio::test]
async fn interactive_runs_that_wait_for_servers_outside_leave_their_places_on_sqlite() {
    runs_that_wait_for_servers_outside_leave_their_places(false, Lane::Interactive).await;
}

#[tokio::test]
async fn interactive_runs_that_wait_for_servers_outside_leave_their_places_on_postgres() {
    runs_that_wait_for_servers_outside_leave_their_places(true, Lane::Interactive).await;
}

#[tokio::test]
async fn background_runs_that_wait_for_servers_outside_leave_their_places() {
    runs_that_wait_for_servers_outside_leave_their_places(true, Lane::Background).await;
}

#[tokio::test]
async fn a_tenants_bulk_runs_take_no_more_than_its_share_on_sqlite() {
    a_tenants_bulk_runs_take_no_more_than_its_share(false).await;
}

#[tokio::test]
async fn a_tenants_bulk_runs_take_no_more_than_its_share_on_postgres() {
    a_tenants_bulk_runs_take_no_more_than_its_share(true).await;
}
