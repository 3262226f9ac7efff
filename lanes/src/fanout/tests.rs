use std::sync::{Arc, atomic::AtomicU32};

use serde_json::json;

use super::*;
use testing::Redis as Server;

use crate::test_node::{Node, on_both};

fn message(node: &Node, tenant: Id<ids::Tenant>, topic: &str, number: usize) -> Message {
    Message { tenant, topic: topic.to_owned(), id: node.ids.make(), payload: json!({ "number": number }) }
}

/// The next message; skips the lag notices that follow the first connection.
async fn receive(subscription: &mut Subscription) -> Message {
    loop {
        match subscription.next().await.expect("the node runs") {
            Delivery::Message(message) => return (*message).clone(),
            Delivery::Lagged => {}
        }
    }
}

/// The Redis fan-out of a node, after it has started to listen.
async fn listening(node: &Node) -> Redis {
    let nodes = Arc::new(AtomicU32::new(1));
    let fanout =
        Redis::start(&node.prefix, node.client(), node.link(), &node.ids, nodes, &node.tracker, &node.token);
    fanout.wait_until_listening(0).await;
    fanout
}

on_both!(every_subscriber_of_a_topic_gets_a_message_and_nobody_else, subscriptions_end_with_the_node,);

async fn every_subscriber_of_a_topic_gets_a_message_and_nobody_else(node: Node) {
    let (fanout, tenant, other) = (node.lanes.fanout.clone(), node.ids.make(), node.ids.make());
    let mut both = [fanout.subscribe(tenant, "bookings"), fanout.subscribe(tenant, "bookings")];
    let mut runs = fanout.subscribe(tenant, "runs");
    let sent = [
        message(&node, other, "bookings", 0),
        message(&node, tenant, "runs", 1),
        message(&node, tenant, "bookings", 2),
        message(&node, tenant, "bookings", 3),
    ];
    for message in &sent {
        fanout.publish(vec![message.clone()]).await;
    }
    for subscription in &mut both {
        assert_eq!(receive(subscription).await, sent[2]);
        assert_eq!(receive(subscription).await, sent[3]);
    }
    assert_eq!(receive(&mut runs).await, sent[1]);
}

async fn subscriptions_end_with_the_node(node: Node) {
    let mut subscription = node.lanes.fanout.subscribe(node.ids.make(), "runs");
    node.token.cancel();
    while let Some(delivery) = subscription.next().await {
        assert_eq!(delivery, Delivery::Lagged);
    }
    node.tracker.close();
    node.tracker.wait().await;
}

#[tokio::test]
async fn a_subscriber_that_is_too_slow_is_told_and_goes_on() {
    let node = Node::in_process();
    let (fanout, tenant) = (node.lanes.fanout.clone(), node.ids.make());
    let (mut slow, mut quick) = (fanout.subscribe(tenant, "runs"), fanout.subscribe(tenant, "runs"));
    let sent: Vec<Message> = (0..300).map(|number| message(&node, tenant, "runs", number)).collect();
    for message in &sent {
        fanout.publish(vec![message.clone()]).await;
        assert_eq!(quick.next().await, Some(Delivery::Message(Arc::new(message.clone()))));
    }
    assert_eq!(slow.next().await, Some(Delivery::Lagged));
    for message in &sent[hub::SUBSCRIBER_CAPACITY..] {
        assert_eq!(slow.next().await, Some(Delivery::Message(Arc::new(message.clone()))));
    }
}

#[tokio::test]
async fn a_dropped_subscription_is_forgotten() {
    let node = Node::over_redis();
    let fanout = listening(&node).await;
    let subscription = fanout.subscribe(node.ids.make(), "runs");
    assert!(!fanout.has_no_subscribers());
    drop(subscription);
    assert!(fanout.has_no_subscribers());
}

#[tokio::test]
async fn messages_reach_the_subscribers_of_other_nodes_once() {
    let node = Node::over_redis();
    let other = node.another_node();
    let (here, there) = (listening(&node).await, listening(&other).await);
    let tenant = node.ids.make();
    let mut both = [here.subscribe(tenant, "runs"), there.subscribe(tenant, "runs")];
    let sent: Vec<Message> = (0..250).map(|number| message(&node, tenant, "runs", number)).collect();
    here.publish(sent[..125].to_vec()).await;
    let first = &sent[..125];
    for subscription in &mut both {
        for message in first {
            assert_eq!(subscription.next().await, Some(Delivery::Message(Arc::new(message.clone()))));
        }
    }
    there.publish(vec![sent[125].clone()]).await;
    for subscription in &mut both {
        assert_eq!(subscription.next().await, Some(Delivery::Message(Arc::new(sent[125].clone()))));
    }
}

#[tokio::test]
async fn subscribers_are_told_after_a_gap() {
    let mut server = Server::start_private();
    let node = Node::at(&server.url(), "muster");
    let fanout = listening(&node).await;
    let tenant = node.ids.make();
    let mut subscription = fanout.subscribe(tenant, "runs");
    server.kill();
    let own = message(&node, tenant, "runs", 0);
    fanout.publish(vec![own.clone()]).await;
    assert_eq!(receive(&mut subscription).await, own, "the node's own subscribers do not need Redis");
    server.restart();
    assert_eq!(subscription.next().await, Some(Delivery::Lagged));
}

#[tokio::test]
async fn other_nodes_are_told_of_what_could_not_be_published() {
    let server = Server::start_private();
    let (node, other) = (Node::at(&server.url(), "muster"), Node::at(&server.url(), "muster"));
    let (here, there) = (listening(&node).await, listening(&other).await);
    let tenant = node.ids.make();
    let (warm, lost) = (message(&node, tenant, "runs", 0), message(&node, tenant, "runs", 1));
    let mut subscription = there.subscribe(tenant, "runs");
    here.publish(vec![warm.clone()]).await;
    assert_eq!(subscription.next().await, Some(Delivery::Message(Arc::new(warm))));
    server.command("CLIENT KILL TYPE normal");
    here.publish(vec![lost]).await;
    assert_eq!(subscription.next().await, Some(Delivery::Lagged), "told by the notice that the node owed");
    there.wait_until_listening(0).await;
}
