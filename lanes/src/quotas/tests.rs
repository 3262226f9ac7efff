use std::time::Duration;

use futures::future::join_all;

use super::*;
use testing::Redis as Server;

use crate::test_node::{Node, key, on_both};

/// A quota that is practically not refilled while a test runs.
const TEN: Quota = Quota { units: 10, per: Duration::from_hours(24) };

async fn spend(node: &Node, name: &str, units: u32) -> SpendOutcome {
    node.lanes.quotas.spend(&[(key(name), TEN)], units).await
}

on_both!(
    a_bucket_is_emptied_and_then_refuses,
    what_one_quota_refuses_is_taken_from_none,
    more_than_a_bucket_holds_is_what_it_holds,
    what_was_spent_comes_back,
    many_at_once_spend_no_more_than_there_is,
);

async fn a_bucket_is_emptied_and_then_refuses(node: Node) {
    let first = spend(&node, "ada", 4).await;
    assert_eq!((first.refused_for, first.balances[0].remaining), (None, 6));
    assert!(first.balances[0].full_after > Duration::from_hours(9));
    let second = spend(&node, "ada", 6).await;
    assert_eq!((second.refused_for, second.balances[0].remaining), (None, 0));
    let third = spend(&node, "ada", 1).await;
    let wait = third.refused_for.expect("the bucket is empty");
    assert!(wait > Duration::from_hours(2) && wait <= Duration::from_mins(144), "{wait:?}");
    assert!(spend(&node, "bob", 10).await.refused_for.is_none(), "another key has its own bucket");
}

async fn what_one_quota_refuses_is_taken_from_none(node: Node) {
    let small = Quota { units: 2, ..TEN };
    let both = [(key("large"), TEN), (key("small"), small)];
    assert_eq!(node.lanes.quotas.spend(&both, 2).await.refused_for, None);
    let refused = node.lanes.quotas.spend(&both, 1).await;
    assert!(refused.refused_for.is_some());
    let left: Vec<u32> = refused.balances.iter().map(|balance| balance.remaining).collect();
    assert_eq!(left, [8, 0]);
    assert_eq!(spend(&node, "large", 8).await.refused_for, None, "a refusal took nothing");
}

async fn more_than_a_bucket_holds_is_what_it_holds(node: Node) {
    assert_eq!(spend(&node, "ada", 1_000).await.refused_for, None);
    assert!(spend(&node, "ada", 1).await.refused_for.is_some());
}

async fn what_was_spent_comes_back(node: Node) {
    let quick = Quota { units: 4, per: Duration::from_millis(40) };
    let quotas = [(key("ada"), quick)];
    let mut refused = 0;
    for _ in 0..20 {
        while let Some(wait) = node.lanes.quotas.spend(&quotas, 1).await.refused_for {
            assert!(wait <= Duration::from_millis(10), "one unit comes back within a quarter: {wait:?}");
            tokio::time::sleep(wait).await;
            refused += 1;
        }
    }
    assert!(refused > 0, "twenty units are more than there were");
}

async fn many_at_once_spend_no_more_than_there_is(node: Node) {
    let other = node.another_node();
    let nodes = if node.url == "memory:" { [&node, &node] } else { [&node, &other] };
    let asked = join_all((0..40).map(|number| spend(nodes[number % 2], "ada", 1))).await;
    assert_eq!(asked.iter().filter(|spending| spending.refused_for.is_none()).count(), 10);
}

#[tokio::test]
async fn without_redis_each_node_keeps_its_share() {
    let mut server = Server::start_private();
    let node = Node::at(&server.url(), "muster");
    let quotas = Redis::new("muster", node.link(), std::sync::Arc::new(2.into()));
    let bucket = [(key("ada"), TEN)];
    assert_eq!(quotas.spend(&bucket, 1).await.balances[0].remaining, 9);
    server.kill();
    assert_eq!(quotas.spend(&bucket, 5).await.refused_for, None, "half of ten is one node's share of two");
    assert!(quotas.spend(&bucket, 1).await.refused_for.is_some());
}

#[test]
fn buckets_that_are_full_again_are_forgotten() {
    let quotas = InProcess::default();
    let quick = Quota { units: 1, per: Duration::from_micros(1) };
    let mut most = 0;
    for number in 0..40_000 {
        let spending = quotas.spend_locally(&[(key(&number.to_string()), quick)], 1);
        assert_eq!(spending.refused_for, None);
        most = most.max(quotas.len());
    }
    assert!(most < 20_000, "{most} buckets were kept");
}
