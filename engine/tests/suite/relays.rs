//! What is enqueued is claimed once, whichever node found it in a sweep and died before it told anybody.
//!
//! `MUSTER_TEST_ROWS` sets how many transactions the writers begin.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{Id, ids};
use entity::{Logins, Store};
use futures::future::join_all;
use sea_orm::{ConnectionTrait, Statement};

use crate::bench::{self, Node};

const WRITERS: usize = 20;

/// How many transactions each writer begins.
fn each() -> usize {
    testing::number_from_env("MUSTER_TEST_ROWS").map_or(25, |rows| rows as usize / WRITERS)
}

/// Writers that commit late and out of order, and now and then not at all. Returns what was committed.
async fn write_at_once(node: &Node, tenant: Id<ids::Tenant>) -> BTreeSet<Id<ids::Run>> {
    let writer = async |writer: usize| {
        let mut committed = Vec::new();
        for n in 0..each() {
            let id = node.ids.make();
            let memory = serde_json::json!({ "mode": "" });
            let run = bench::wanted(id, tenant, "toy", id.uuid().to_string(), memory);
            let txn = node.store.write(tenant).await.unwrap();
            assert_eq!(runs::enqueue(&txn, &[run], node.now()).await.unwrap().len(), 1);
            // Others go first for a while.
            for _ in 0..node.ids.random_below(12) {
                let ping = Statement::from_string(txn.get_database_backend(), "SELECT 1");
                txn.query_one_raw(ping).await.unwrap();
            }
            if (writer + n) % 10 == 9 {
                continue;
            }
            txn.commit().await.unwrap();
            committed.push(id);
        }
        committed
    };
    join_all((0..WRITERS).map(writer)).await.into_iter().flatten().collect()
}

#[tokio::test]
async fn every_committed_order_is_claimed_once_though_relays_die() {
    let bench = bench::still(true, Vec::new()).await;
    let store = Store::connect(&Logins::from_url(&bench.url), WRITERS as u32 + 8).await.unwrap();
    let node = Node::new("wide", store, Arc::new(bench.clock.clone()), Vec::new());
    let (claimed, lost) = (Mutex::new(BTreeMap::<Id<ids::Run>, usize>::new()), AtomicUsize::new(0));
    let written = AtomicUsize::new(usize::MAX);
    let write = async {
        let all = write_at_once(&node, bench.tenant).await;
        written.store(all.len(), Ordering::Relaxed);
        all
    };
    let relay = async |relay: usize| {
        let portion = each().div_ceil(4) as u32;
        for round in 0.. {
            if claimed.lock().unwrap().len() >= written.load(Ordering::Relaxed) {
                return;
            }
            // A hint that was given away is given away again at once: every relay finds what another one lost.
            let hints = node.storage.sweep(Some(Duration::ZERO), portion).await.unwrap();
            if (relay + round).is_multiple_of(3) {
                lost.fetch_add(hints.len(), Ordering::Relaxed);
                continue;
            }
            let runs: Vec<Id<ids::Run>> = hints.iter().map(|hint| hint.run).collect();
            let name = format!("relay {relay}");
            for claim in node.storage.claim(&name, &runs, engine::RUN_LEASE).await.unwrap() {
                *claimed.lock().unwrap().entry(claim.run).or_default() += 1;
            }
        }
    };
    let relays = join_all((0..4).map(relay));
    let both = tokio::time::timeout(Duration::from_mins(5), async { tokio::join!(write, relays) }).await;
    let (all, _) = both.expect("every order is claimed");
    let claimed = claimed.lock().unwrap().clone();
    assert_eq!(claimed.keys().copied().collect::<BTreeSet<_>>(), all);
    assert!(claimed.values().all(|times| *times == 1), "no order is claimed twice");
    assert!(lost.load(Ordering::Relaxed) > 0, "no hint was lost: nothing was proven");
}
