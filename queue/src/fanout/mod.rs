//! Events on their way to subscribers, on whichever node they are.
//!
//! A subscriber gets everything that is published while it listens, or is told with [`Delivery::Lagged`] that it
//! may have missed something and has to read afresh. Loss is never silent.

mod hub;
mod in_process;
mod redis;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{hub::Subscription, in_process::InProcess, redis::Redis};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Whose it is. Only subscribers of this tenant get it.
    pub tenant: Uuid,
    /// What it is about.
    pub topic: String,
    /// The id of the event.
    pub id: Uuid,
    /// What subscribers get.
    pub payload: serde_json::Value,
}

/// What a subscriber gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A message; its memory is shared among the subscribers.
    Message(Arc<Message>),
    /// Messages may be missing here: read afresh.
    Lagged,
}

/// Carries messages to subscribers.
#[async_trait]
pub trait Fanout: Send + Sync + std::fmt::Debug {
    /// Sends messages to the subscribers of all nodes. What cannot be sent to other nodes is told to them as
    /// [`Delivery::Lagged`] as soon as they can be reached.
    async fn publish(&self, messages: Vec<Message>);

    /// Listens to a topic of a tenant from now on.
    fn subscribe(&self, tenant: Uuid, topic: &str) -> Subscription;
}
