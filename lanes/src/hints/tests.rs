use std::{collections::HashSet, time::Duration};

use domain::{
    Id, ids,
    state::Lane::{self, Background, Bulk, Interactive},
};
use tokio::join;
use uuid::Uuid;

use super::*;
use testing::Redis as Server;

use crate::test_node::{Node, on_both};

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(20);

fn runs(hints: &[JobHint]) -> HashSet<Id<ids::Run>> {
    hints.iter().map(|hint| hint.run).collect()
}

fn count(hints: &[JobHint], lane: Lane) -> usize {
    hints.iter().filter(|hint| hint.lane == lane).count()
}

/// Takes `want` hints, at most `max` at a time, and acknowledges each.
async fn take(node: &Node, want: usize, max: usize) -> Vec<JobHint> {
    let mut taken = Vec::new();
    while taken.len() < want {
        let hints = node.lanes.hints.next(max, LONG).await.unwrap();
        assert!(hints.len() <= max, "at most what was asked for");
        assert!(!hints.is_empty(), "{} of {want} came", taken.len());
        node.lanes.hints.acknowledge(&hints).await.unwrap();
        taken.extend(hints);
    }
    taken
}

on_both!(
    what_is_pushed_comes_out_once,
    another_tenants_hint_is_among_the_next_eight_after_a_flood,
    interactive_hints_go_first,
    the_other_lanes_never_starve,
    a_waiting_reader_is_woken,
    a_reader_waits_no_longer_than_it_says_nor_than_the_node_runs,
    a_run_may_be_told_again_after_it_was_given,
);

async fn what_is_pushed_comes_out_once(node: Node) {
    let pushed: Vec<JobHint> =
        Lane::ALL.iter().flat_map(|lane| node.hints(40, node.ids.make(), *lane)).collect();
    node.lanes.hints.push(&pushed).await.unwrap();
    let taken = take(&node, 120, 7).await;
    assert_eq!(taken.len(), 120);
    assert_eq!(taken.iter().collect::<HashSet<_>>(), pushed.iter().collect::<HashSet<_>>());
    assert_eq!(node.lanes.hints.next(10, SHORT).await.unwrap(), []);
}

async fn another_tenants_hint_is_among_the_next_eight_after_a_flood(node: Node) {
    let (many, one) = (Id::from_uuid(Uuid::from_u128(1)), Id::from_uuid(Uuid::from_u128(2)));
    node.lanes.hints.push(&node.hints(5_000, many, Bulk)).await.unwrap();
    take(&node, 100, 20).await;
    let single = node.hints(1, one, Bulk);
    node.lanes.hints.push(&single).await.unwrap();
    assert!(runs(&take(&node, 8, 8).await).contains(&single[0].run));
}

async fn interactive_hints_go_first(node: Node) {
    let tenant = node.ids.make();
    for (lane, hints) in [(Background, 50), (Bulk, 50), (Interactive, 5)] {
        node.lanes.hints.push(&node.hints(hints, tenant, lane)).await.unwrap();
    }
    assert_eq!(count(&take(&node, 5, 5).await, Interactive), 5);
    let late = node.hints(1, tenant, Interactive);
    node.lanes.hints.push(&late).await.unwrap();
    assert_eq!(take(&node, 1, 5).await[0], late[0], "also before what was there earlier");
}

async fn the_other_lanes_never_starve(node: Node) {
    let tenant = node.ids.make();
    for (lane, hints) in [(Interactive, 300), (Bulk, 50), (Background, 50)] {
        node.lanes.hints.push(&node.hints(hints, tenant, lane)).await.unwrap();
    }
    let taken = take(&node, 100, 10).await;
    assert!(count(&taken, Bulk) >= 10, "{} bulk", count(&taken, Bulk));
    assert!(count(&taken, Background) >= 2, "{} background", count(&taken, Background));
    assert!(count(&taken, Interactive) >= 60, "{} interactive", count(&taken, Interactive));
}

async fn a_waiting_reader_is_woken(node: Node) {
    let hints = node.hints(1, node.ids.make(), Background);
    let (taken, pushed) = join!(biased; node.lanes.hints.next(5, LONG), node.lanes.hints.push(&hints));
    pushed.unwrap();
    assert_eq!(taken.unwrap(), hints);
}

async fn a_reader_waits_no_longer_than_it_says_nor_than_the_node_runs(node: Node) {
    assert_eq!(node.lanes.hints.next(5, SHORT).await.unwrap(), []);
    let (taken, ()) = join!(node.lanes.hints.next(5, LONG * 60), async { node.token.cancel() });
    assert_eq!(taken.unwrap(), []);
}

async fn a_run_may_be_told_again_after_it_was_given(node: Node) {
    let hints = node.hints(1, node.ids.make(), Bulk);
    for _ in 0..3 {
        node.lanes.hints.push(&hints).await.unwrap();
        assert_eq!(take(&node, 1, 5).await, hints);
    }
}

#[tokio::test]
async fn in_one_process_a_run_waits_once_and_in_its_most_urgent_lane() {
    let node = Node::in_process();
    let first = node.hints(3, node.ids.make(), Background);
    let urgent = JobHint { lane: Interactive, ..first[2] };
    node.lanes.hints.push(&first).await.unwrap();
    node.lanes.hints.push(&first).await.unwrap();
    node.lanes.hints.push(&[urgent, JobHint { lane: Bulk, ..urgent }]).await.unwrap();
    assert_eq!(take(&node, 3, 10).await, [urgent, first[0], first[1]]);
    assert_eq!(node.lanes.hints.next(10, SHORT).await.unwrap(), []);
}

#[tokio::test]
async fn in_one_process_no_more_runs_wait_than_are_kept() {
    let node = Node::in_process();
    let lane = InProcess::with_capacity(10, node.token.clone());
    let hints = node.hints(12, node.ids.make(), Bulk);
    assert!(matches!(lane.push(&hints).await, Err(Error::Full { left_out: 2 })));
    assert!(lane.push(&hints[..10]).await.is_ok(), "those that wait already take no room");
    assert_eq!(lane.next(100, LONG).await.unwrap().len(), 10);
}

#[tokio::test]
async fn over_redis_each_hint_goes_to_one_node_and_leaves_nothing_behind() {
    let (node, server) = alone().await;
    let other = node.another_node();
    let pushed = node.hints(400, node.ids.make(), Bulk);
    node.lanes.hints.push(&pushed).await.unwrap();
    let (mut one, two) = (take(&node, 200, 50).await, take(&other, 200, 50).await);
    one.extend(two);
    assert_eq!((one.len(), runs(&one)), (400, runs(&pushed)));
    let mut connection = node.client().get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = ::redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert_eq!(keys.len(), 48, "a stream per lane and shard");
    for key in keys {
        let left: usize = ::redis::cmd("XLEN").arg(&key).query_async(&mut connection).await.unwrap();
        let (pending, ..): (usize, ::redis::Value, ::redis::Value, ::redis::Value) =
            ::redis::cmd("XPENDING").arg(&key).arg("workers").query_async(&mut connection).await.unwrap();
        assert_eq!((left, pending), (0, 0), "{key}");
    }
    drop(server);
}

#[tokio::test]
async fn over_redis_a_flush_loses_hints_and_nothing_else() {
    let (node, server) = alone().await;
    let tenant = node.ids.make();
    node.lanes.hints.push(&node.hints(10, tenant, Bulk)).await.unwrap();
    let taken = node.lanes.hints.next(5, LONG).await.unwrap();
    server.command("FLUSHALL");
    node.lanes.hints.acknowledge(&taken).await.unwrap();
    let later = node.hints(3, tenant, Interactive);
    node.lanes.hints.push(&later).await.unwrap();
    assert_eq!(
        runs(&take(&node, 3, 5).await),
        runs(&later),
        "also those pushed before the group was made again"
    );
}

#[tokio::test]
async fn over_redis_a_flush_does_not_leave_a_waiting_reader_asleep() {
    let (node, server) = alone().await;
    node.lanes.hints.next(1, SHORT).await.unwrap();
    let hints = node.hints(1, node.ids.make(), Bulk);
    let push = async {
        server.command("FLUSHALL");
        node.lanes.hints.push(&hints).await.unwrap();
    };
    let (taken, ()) = join!(biased; node.lanes.hints.next(1, LONG), push);
    assert_eq!(taken.unwrap(), hints);
}

#[tokio::test]
async fn over_redis_a_dead_server_is_told_and_comes_back_by_itself() {
    let (node, mut server) = alone().await;
    let hints = node.hints(2, node.ids.make(), Interactive);
    node.lanes.hints.push(&hints).await.unwrap();
    server.kill();
    assert_eq!(node.lanes.hints.push(&hints).await.unwrap_err().code(), "REDIS_AWAY");
    let long = LONG * 60;
    assert_eq!(node.lanes.hints.next(5, long).await.unwrap(), [], "the caller looks into the database");
    assert_eq!(node.lanes.hints.next(5, long).await.unwrap(), []);
    server.restart();
    while node.lanes.hints.push(&hints).await.is_err() {
        // Answers after a short pause while the server is away, as it does for a worker.
        node.lanes.hints.next(5, SHORT).await.unwrap();
    }
    let mut found = HashSet::new();
    while found.len() < 2 {
        found.extend(runs(&node.lanes.hints.next(5, LONG).await.unwrap()));
    }
    assert_eq!(found, runs(&hints));
}

/// A node with a Redis server of its own.
async fn alone() -> (Node, Server) {
    let server = Server::start_private();
    (Node::at(&server.url(), "muster"), server)
}
