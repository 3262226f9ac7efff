//! The subscribers of one node and the delivery of messages to them.

use domain::{Id, ids};
use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
};

use futures::{Stream, task::AtomicWaker};

use super::{Delivery, Message};

/// Maximum number of undelivered messages per subscriber.
pub(super) const SUBSCRIBER_CAPACITY: usize = 256;

type Topic = (Id<ids::Tenant>, String);

/// Delivers messages to the subscribers of one node.
#[derive(Debug, Default)]
pub(super) struct SubscriberHub {
    topics: Mutex<HashMap<Topic, Vec<Arc<Mailbox>>>>,
}

#[derive(Debug, Default)]
struct Mailbox {
    waiting: Mutex<Waiting>,
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Waiting {
    deliveries: VecDeque<Delivery>,
    closed: bool,
}

/// The messages of one subscriber. The subscription ends when the node stops or when this value is dropped.
#[derive(Debug)]
pub struct Subscription {
    hub: Weak<SubscriberHub>,
    topic: Topic,
    mailbox: Arc<Mailbox>,
}

impl SubscriberHub {
    pub(super) fn subscribe(self: &Arc<Self>, tenant: Id<ids::Tenant>, topic: &str) -> Subscription {
        let (topic, mailbox) = ((tenant, topic.to_owned()), Arc::new(Mailbox::default()));
        self.topics().entry(topic.clone()).or_default().push(mailbox.clone());
        Subscription { hub: Arc::downgrade(self), topic, mailbox }
    }

    /// Delivers each message to the subscribers of its topic.
    pub(super) fn deliver(&self, messages: Vec<Message>) {
        let topics = self.topics();
        for message in messages {
            let message = Arc::new(message);
            let topic = (message.tenant, message.topic.clone());
            for mailbox in topics.get(&topic).into_iter().flatten() {
                mailbox.put(Delivery::Message(message.clone()));
            }
        }
    }

    /// Notifies every subscriber that it may have missed messages.
    pub(super) fn notify_lag(&self) {
        self.topics().values().flatten().for_each(|mailbox| mailbox.put(Delivery::Lagged));
    }

    /// Ends every subscription.
    pub(super) fn close(&self) {
        for mailbox in self.topics().drain().flat_map(|(_, mailboxes)| mailboxes) {
            mailbox.waiting().closed = true;
            mailbox.waker.wake();
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, Vec<Arc<Mailbox>>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.topics().is_empty()
    }
}

impl Mailbox {
    /// Adds a delivery. If too many are undelivered, a single lag notice replaces them, because the subscriber then
    /// reads the current state anyway.
    fn put(&self, delivery: Delivery) {
        let mut waiting = self.waiting();
        if waiting.deliveries.len() >= SUBSCRIBER_CAPACITY {
            waiting.deliveries.clear();
            waiting.deliveries.push_back(Delivery::Lagged);
        }
        let is_told = delivery == Delivery::Lagged && waiting.deliveries.back() == Some(&Delivery::Lagged);
        if !is_told {
            waiting.deliveries.push_back(delivery);
        }
        drop(waiting);
        self.waker.wake();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Delivery>> {
        self.waker.register(context.waker());
        let mut waiting = self.waiting();
        match waiting.deliveries.pop_front() {
            Some(delivery) => Poll::Ready(Some(delivery)),
            None if waiting.closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Subscription {
    /// The next delivery; `None` when the node stops. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Delivery> {
        poll_fn(|context| self.mailbox.poll(context)).await
    }
}

impl Stream for Subscription {
    type Item = Delivery;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.mailbox.poll(context)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(hub) = self.hub.upgrade() else { return };
        let mut topics = hub.topics();
        if let Some(mailboxes) = topics.get_mut(&self.topic) {
            mailboxes.retain(|mailbox| !Arc::ptr_eq(mailbox, &self.mailbox));
            if mailboxes.is_empty() {
                topics.remove(&self.topic);
            }
        }
    }
}
