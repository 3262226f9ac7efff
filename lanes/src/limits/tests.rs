use std::{
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use futures::future::join_all;
use tokio::{join, time::timeout};

use super::*;
use testing::Redis as Server;

use crate::test_node::{Node, key, on_both};

const HOUR: Duration = Duration::from_hours(1);
const PATIENT: Duration = Duration::from_secs(30);
const FOUR: Limit = Limit { concurrency: 4, rate: 0, per: HOUR };

fn places(concurrency: u32) -> Limit {
    Limit { concurrency, ..FOUR }
}

async fn enter_at_once(limits: &dyn Limits, key: &str, limit: Limit) -> Result<Permit, Wait> {
    limits.enter(&crate::test_node::key(key), &limit, Duration::ZERO).await
}

/// Acquires all permits of a limit, and checks that there are no more.
async fn fill(limits: &dyn Limits, key: &str, limit: Limit, places: u32) -> Vec<Permit> {
    let mut inside = Vec::new();
    for _ in 0..places {
        inside.push(limits.enter(&crate::test_node::key(key), &limit, PATIENT).await.unwrap());
    }
    assert!(enter_at_once(limits, key, limit).await.is_err(), "no more than {places} are inside");
    inside
}

on_both!(
    no_more_are_inside_than_there_are_places,
    callers_enter_in_the_order_in_which_they_came,
    no_more_begin_than_the_rate_allows,
    a_pause_closes_one_gate_and_is_never_made_shorter,
    a_pause_ends,
    no_pause_is_longer_than_a_day,
    zero_is_no_limit,
);

async fn no_more_are_inside_than_there_are_places(node: Node) {
    let limits = node.lanes.limits.as_ref();
    let mut inside = fill(limits, "ada", FOUR, 4).await;
    assert!(enter_at_once(limits, "bob", FOUR).await.is_ok(), "another key has its own places");
    let ada = key("ada");
    let (fifth, ()) = join!(biased; limits.enter(&ada, &FOUR, PATIENT), async { drop(inside.pop()) });
    assert!(fifth.is_ok(), "a place that was given back is taken by who waits");
    assert!(enter_at_once(limits, "ada", FOUR).await.is_err());
}

async fn callers_enter_in_the_order_in_which_they_came(node: Node) {
    let limits = node.lanes.limits.as_ref();
    let order = std::sync::Mutex::new(Vec::new());
    let first = limits.enter(&key("ada"), &places(1), PATIENT).await.unwrap();
    let enter = |number: usize| {
        let order = &order;
        async move {
            let place = limits.enter(&key("ada"), &places(1), PATIENT).await.unwrap();
            order.lock().unwrap().push(number);
            drop(place);
        }
    };
    join!(biased; join_all((0..20).map(enter)), async { drop(first) });
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
}

async fn no_more_begin_than_the_rate_allows(node: Node) {
    let limits = node.lanes.limits.as_ref();
    let slow = Limit { concurrency: 0, rate: 3, per: HOUR };
    drop(limits.enter(&key("slow"), &slow, PATIENT).await.unwrap());
    let Wait(wait) = limits.enter(&key("slow"), &slow, PATIENT).await.unwrap_err();
    assert!(wait + PATIENT > HOUR / 3 && wait <= HOUR / 3, "{wait:?}");
    let quick = Limit { concurrency: 0, rate: 100, per: HOUR };
    for _ in 0..4 {
        drop(limits.enter(&key("quick"), &quick, PATIENT).await.unwrap());
    }
    assert!(limits.enter(&key("quick"), &quick, PATIENT).await.is_err(), "a burst is a twenty-fifth");
    let short = Limit { concurrency: 0, rate: 50, per: Duration::from_secs(1) };
    for _ in 0..5 {
        drop(limits.enter(&key("short"), &short, PATIENT).await.expect("a short wait is waited for"));
    }
}

async fn a_pause_closes_one_gate_and_is_never_made_shorter(node: Node) {
    let limits = node.lanes.limits.as_ref();
    limits.pause(&key("ada"), HOUR).await;
    limits.pause(&key("ada"), HOUR / 60).await;
    let Wait(wait) = limits.enter(&key("ada"), &FOUR, PATIENT).await.unwrap_err();
    assert!(wait + PATIENT > HOUR && wait <= HOUR, "{wait:?}");
    assert!(enter_at_once(limits, "bob", FOUR).await.is_ok());
}

async fn no_pause_is_longer_than_a_day(node: Node) {
    let limits = node.lanes.limits.as_ref();
    for endless in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_hours(876_000)] {
        limits.pause(&key("ada"), endless).await;
        let Wait(wait) = enter_at_once(limits, "ada", FOUR).await.unwrap_err();
        assert!(wait <= MAX_PAUSE && wait > MAX_PAUSE / 2, "{endless:?} became {wait:?}");
    }
}

async fn a_pause_ends(node: Node) {
    let limits = node.lanes.limits.as_ref();
    limits.pause(&key("ada"), Duration::from_millis(30)).await;
    assert!(limits.enter(&key("ada"), &FOUR, PATIENT).await.is_ok());
}

async fn zero_is_no_limit(node: Node) {
    let limits = node.lanes.limits.as_ref();
    let unlimited = Limit { concurrency: 0, rate: 0, per: Duration::ZERO };
    let ada = key("ada");
    let entered = join_all((0..50).map(|_| limits.enter(&ada, &unlimited, PATIENT))).await;
    assert!(entered.iter().all(Result::is_ok));
}

#[test]
fn no_window_holds_more_than_the_rate() {
    for rate in 1..3_000 {
        let limit = Limit { concurrency: 0, rate, per: HOUR };
        let (interval, ahead) = limit.pace().unwrap();
        let burst = 1 + ahead.as_nanos() / interval.as_nanos();
        let steady = (HOUR.as_nanos() - 1) / interval.as_nanos();
        let most = if burst == 1 { steady + 1 } else { burst + steady };
        // A division that rounds down lets one more in at the very end of an hour of thousands.
        assert!(most <= u128::from(rate) + 1, "{most} of {rate}");
        assert!(most * 100 >= u128::from(rate) * 96, "{most} of {rate} is too few");
    }
}

#[tokio::test]
async fn all_nodes_share_the_places_and_the_pause() {
    let (server, node) = alone().await;
    let other = node.another_node();
    let inside = fill(node.lanes.limits.as_ref(), "ada", FOUR, 4).await;
    assert!(enter_at_once(other.lanes.limits.as_ref(), "ada", FOUR).await.is_err());
    let ada = key("ada");
    let (entered, ()) = join!(biased; other.lanes.limits.enter(&ada, &FOUR, PATIENT), async { drop(inside) });
    assert!(entered.is_ok(), "what one node gives back the other takes");
    node.lanes.limits.pause(&key("ada"), HOUR).await;
    assert!(other.lanes.limits.enter(&key("ada"), &FOUR, PATIENT).await.is_err());
    drop(server);
}

#[tokio::test]
async fn the_places_of_a_node_that_died_come_back() {
    let node = Node::over_redis();
    let lease = Duration::from_millis(100);
    let dying = node.another_node();
    let (limits, lost) = (start(&node, 1, lease), start(&dying, 1, lease));
    let place = lost.enter(&key("ada"), &places(1), PATIENT).await.unwrap();
    std::mem::forget(place);
    dying.token.cancel();
    assert!(limits.enter(&key("ada"), &places(1), PATIENT).await.is_ok());
}

#[tokio::test]
async fn a_place_is_kept_for_as_long_as_somebody_is_inside() {
    let node = Node::over_redis();
    let other = node.another_node();
    let lease = Duration::from_millis(150);
    let (limits, others) = (start(&node, 1, lease), start(&other, 1, lease));
    let place = limits.enter(&key("ada"), &places(1), PATIENT).await.unwrap();
    let patience = lease * 4;
    assert!(others.enter(&key("ada"), &places(1), patience).await.is_err(), "the lease was renewed");
    drop(place);
    assert!(others.enter(&key("ada"), &places(1), PATIENT).await.is_ok());
}

#[tokio::test]
async fn places_that_could_not_be_given_back_are_given_back_later() {
    let (server, node) = alone().await;
    let limits = start(&node, 1, HOUR);
    let inside = fill(&limits, "ada", FOUR, 4).await;
    server.command("CONFIG SET min-replicas-to-write 1");
    drop(inside);
    for _ in 0..4 {
        assert!(
            limits.enter(&key("bob"), &FOUR, PATIENT).await.is_ok(),
            "the node keeps its share by itself"
        );
    }
    server.command("CONFIG SET min-replicas-to-write 0");
    assert!(limits.enter(&key("ada"), &FOUR, PATIENT).await.is_ok(), "the lease would be longer than that");
}

#[tokio::test]
async fn a_node_that_stops_gives_its_places_back() {
    let node = Node::over_redis();
    let other = node.another_node();
    let (limits, others) = (start(&node, 1, HOUR), start(&other, 1, HOUR));
    let inside = fill(&limits, "ada", FOUR, 4).await;
    drop(inside);
    node.token.cancel();
    node.tracker.close();
    node.tracker.wait().await;
    assert!(others.enter(&key("ada"), &FOUR, PATIENT).await.is_ok());
}

#[tokio::test]
async fn a_caller_who_stops_waiting_takes_no_place_with_it() {
    let node = Node::over_redis();
    let limits = node.lanes.limits.as_ref();
    for _ in 0..20 {
        drop(limits.enter(&key("ada"), &places(1), PATIENT).await.unwrap());
        let _ = timeout(Duration::ZERO, limits.enter(&key("ada"), &places(1), PATIENT)).await;
    }
    assert!(
        limits.enter(&key("ada"), &places(1), PATIENT).await.is_ok(),
        "the lease would be longer than that"
    );
}

#[tokio::test]
async fn without_redis_each_node_keeps_its_share() {
    let (mut server, node) = alone().await;
    let limits = start(&node, 2, PERMIT_LEASE);
    drop(fill(&limits, "ada", FOUR, 4).await);
    server.kill();
    let inside = fill(&limits, "bob", FOUR, 2).await;
    limits.pause(&key("eve"), HOUR).await;
    assert!(limits.enter(&key("eve"), &FOUR, PATIENT).await.is_err());
    server.restart();
    let mut later = Vec::new();
    while later.len() < 3 {
        // Two are what the node may have by itself; the third needs Redis.
        later.extend(limits.enter(&key("joe"), &FOUR, Duration::from_millis(50)).await.ok());
    }
    drop(inside);
}

#[tokio::test]
async fn gates_that_nobody_uses_are_forgotten() {
    let gates = gate::Gates::default();
    gates.of("kept").pause(HOUR);
    for key in 0..20_000 {
        gates.of(&key.to_string());
    }
    assert!(gates.len() < 5_000, "{} are kept", gates.len());
    let refused =
        gates.of("kept").enter(PATIENT, || std::future::ready(gates.of("kept").try_enter(&FOUR))).await;
    assert!(refused.is_err(), "a closed gate is not idle");
}

fn start(node: &Node, nodes: u32, lease: Duration) -> Redis {
    let nodes = Arc::new(AtomicU32::new(nodes));
    Redis::start(&node.prefix, node.link(), node.ids.clone(), nodes, lease, &node.tracker, &node.token)
}

/// A node with a Redis server of its own.
async fn alone() -> (Server, Node) {
    let server = Server::start_private();
    let node = Node::at(&server.url(), "muster");
    (server, node)
}
