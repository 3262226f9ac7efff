//! Carries events to subscribers on all nodes.
//!
//! A subscriber gets everything that is published while it listens, or learns through [`Delivery::Lagged`] that it may
//! have missed something and must read afresh. Loss is never silent.

mod hub;
mod in_process;
mod redis;
#[cfg(test)]
mod tests;

use domain::{Id, ids};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use self::{hub::Subscription, in_process::InProcess, redis::Redis};

/// A change event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The owning tenant; only its subscribers get the message.
    #[serde(with = "domain::ids::plain")]
    pub tenant: Id<ids::Tenant>,
    /// The kind of change.
    pub topic: String,
    /// The id of the event.
    #[serde(with = "domain::ids::plain")]
    pub id: Id<ids::Event>,
    /// The data for subscribers.
    pub payload: serde_json::Value,
}

/// What a subscriber receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A message; its memory is shared among the subscribers.
    Message(Arc<Message>),
    /// Messages may be missing here: the subscriber has to read afresh.
    Lagged,
}

/// Delivers messages to subscribers.
#[async_trait]
pub trait Fanout: Send + Sync + std::fmt::Debug {
    /// Sends messages to the subscribers of all nodes. Other nodes that miss messages get [`Delivery::Lagged`] as soon
    /// as they can be reached.
    async fn publish(&self, messages: Vec<Message>);

    /// Listens to a tenant's topic from now on.
    fn subscribe(&self, tenant: Id<ids::Tenant>, topic: &str) -> Subscription;
}
