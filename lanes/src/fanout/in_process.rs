//! Event fan-out within one process.

use domain::{Id, ids};
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Fanout, Message, Subscription, hub::SubscriberHub};

/// The in-process implementation of [`Fanout`].
#[derive(Debug)]
pub struct InProcess {
    hub: Arc<SubscriberHub>,
}

impl InProcess {
    /// Creates a fan-out whose subscriptions end when `token` is cancelled.
    pub fn new(tracker: &TaskTracker, token: &CancellationToken) -> Self {
        let hub = Arc::new(SubscriberHub::default());
        let (stopped, closing) = (token.clone().cancelled_owned(), hub.clone());
        tracker.spawn(async move {
            stopped.await;
            closing.close();
        });
        Self { hub }
    }
}

#[async_trait]
impl Fanout for InProcess {
    async fn publish(&self, messages: Vec<Message>) {
        self.hub.deliver(messages);
    }

    fn subscribe(&self, tenant: Id<ids::Tenant>, topic: &str) -> Subscription {
        self.hub.subscribe(tenant, topic)
    }
}
