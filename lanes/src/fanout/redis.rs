//! Event fan-out between nodes, over one Redis channel.
//!
//! A node delivers its own messages to its subscribers directly and publishes them for the other nodes. Redis stores
//! nothing: after reconnecting, a node notifies its subscribers that they may have missed messages. A node that could
//! not publish notifies the other nodes later, and they notify their subscribers.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{Id, Ids, ids};
use futures::StreamExt;
use redis::RedisResult;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    time::{interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{Fanout, Message, Subscription, hub::SubscriberHub};
use crate::{
    Error,
    link::{RedisLink, reconnect_delay},
};

/// Maximum number of messages published with one command.
const BATCH: usize = 200;
/// Interval at which the connection is retried, lag notices are sent and nodes are counted.
const TICK: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(2);

/// The Redis implementation of [`Fanout`].
#[derive(Debug)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    hub: Arc<SubscriberHub>,
    client: redis::Client,
    commands: Arc<RedisLink>,
    channel: String,
    node: Uuid,
    ids: Ids,
    /// Whether other nodes missed messages and have not been notified yet.
    owes: AtomicBool,
    nodes: Arc<AtomicU32>,
    /// Number of times that this node has started to listen on the Redis channel.
    listening: watch::Sender<u64>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// Content of a published message; an envelope without messages announces that messages were lost.
#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    node: Uuid,
    messages: Vec<Message>,
}

impl Redis {
    /// Starts to listen on the Redis channel, on `tracker`; keeps `nodes` up to date with the number of listening
    /// nodes.
    pub(crate) fn start(
        prefix: &str,
        client: redis::Client,
        commands: Arc<RedisLink>,
        ids: &Ids,
        nodes: Arc<AtomicU32>,
        tracker: &TaskTracker,
        token: &CancellationToken,
    ) -> Self {
        let shared = Arc::new(Shared {
            hub: Arc::default(),
            client,
            commands,
            channel: format!("{{{prefix}:events}}"),
            node: ids.uuid(),
            ids: ids.clone(),
            owes: AtomicBool::new(false),
            nodes,
            listening: watch::Sender::new(0),
        });
        let (listener, stopped) = (shared.clone(), token.clone().cancelled_owned());
        tracker.spawn(async move {
            tokio::select! {
                () = listener.listen_for_ever() => {}
                () = stopped => {}
            }
            listener.hub.close();
        });
        Self { shared }
    }

    /// Waits until this node has started to listen on the Redis channel more than `count` times.
    #[cfg(test)]
    pub(super) async fn wait_until_listening(&self, count: u64) {
        let mut listening = self.shared.listening.subscribe();
        listening.wait_for(|begun| *begun > count).await.unwrap();
    }

    #[cfg(test)]
    pub(super) fn has_no_subscribers(&self) -> bool {
        self.shared.hub.is_empty()
    }
}

#[async_trait]
impl Fanout for Redis {
    async fn publish(&self, messages: Vec<Message>) {
        for messages in messages.chunks(BATCH) {
            self.shared.hub.deliver(messages.to_vec());
            if self.shared.send(messages.to_vec()).await.is_err() {
                self.shared.owes.store(true, Ordering::Release);
            }
        }
    }

    fn subscribe(&self, tenant: Id<ids::Tenant>, topic: &str) -> Subscription {
        self.shared.hub.subscribe(tenant, topic)
    }
}

impl Shared {
    async fn send(&self, messages: Vec<Message>) -> Result<(), Error> {
        let envelope = Envelope { node: self.node, messages };
        let text = serde_json::to_vec(&envelope).expect("ids, strings and JSON values are JSON");
        let mut command = redis::cmd("PUBLISH");
        command.arg(&self.channel).arg(text);
        self.commands
            .execute(|mut connection| async move { command.query_async(&mut connection).await })
            .await
    }

    async fn listen_for_ever(&self) {
        let mut failures = 0;
        loop {
            let begun = *self.listening.borrow();
            // How it ended does not matter: whoever listens is told when it listens again.
            let _ = self.listen().await;
            failures = if *self.listening.borrow() > begun { 0 } else { failures + 1 };
            sleep(reconnect_delay(failures, &self.ids)).await;
        }
    }

    /// Listens on the Redis channel until the connection breaks.
    async fn listen(&self) -> RedisResult<()> {
        let (mut sink, mut messages) = soon(self.client.get_async_pubsub()).await?.split();
        soon(sink.subscribe(&self.channel)).await?;
        // What was published before this moment did not reach this node.
        self.hub.notify_lag();
        self.listening.send_modify(|begun| *begun += 1);
        let mut tick = interval(TICK);
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => self.receive(message.get_payload_bytes()),
                    None => return Ok(()),
                },
                _ = tick.tick() => {
                    soon(sink.ping::<redis::Value>()).await?;
                    self.keep_house().await;
                }
            }
        }
    }

    fn receive(&self, text: &[u8]) {
        match serde_json::from_slice::<Envelope>(text) {
            Ok(envelope) if envelope.node == self.node => {}
            Ok(envelope) if envelope.messages.is_empty() => self.hub.notify_lag(),
            Ok(envelope) => self.hub.deliver(envelope.messages),
            // A node of another version: what it said is lost on this one.
            Err(_) => self.hub.notify_lag(),
        }
    }

    /// Notifies other nodes of lost messages, and counts the nodes.
    async fn keep_house(&self) {
        if self.owes.swap(false, Ordering::AcqRel) && self.send(Vec::new()).await.is_err() {
            self.owes.store(true, Ordering::Release);
        }
        let mut command = redis::cmd("PUBSUB");
        command.arg("NUMSUB").arg(&self.channel);
        let counted: Result<(String, u32), Error> = self
            .commands
            .execute(|mut connection| async move { command.query_async(&mut connection).await })
            .await;
        if let Ok((_, nodes)) = counted {
            self.nodes.store(nodes.max(1), Ordering::Relaxed);
        }
    }
}

/// Waits for a response of Redis, and fails if it takes too long.
async fn soon<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    timeout(PATIENCE, answer).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
