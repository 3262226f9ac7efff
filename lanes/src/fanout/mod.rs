//! Event fan-out: delivers events to subscribers on all nodes.
//!
//! A subscriber receives everything that is published during its subscription, or is notified through
//! [`Delivery::Lagged`] that it may have missed messages and must read the current state. Loss is always reported.

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
    /// The tenant that owns the event; only its subscribers receive the message.
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
    /// A message, shared by all subscribers.
    Message(Arc<Message>),
    /// Messages may have been lost: the subscriber must read the current state.
    Lagged,
}

/// Publishes events to subscribers on all nodes.
#[async_trait]
pub trait Fanout: Send + Sync + std::fmt::Debug {
    /// Sends messages to the subscribers on all nodes. Other nodes that miss messages receive [`Delivery::Lagged`] as
    /// soon as they are reachable.
    async fn publish(&self, messages: Vec<Message>);

    /// Subscribes to a tenant's topic, beginning with the next message.
    fn subscribe(&self, tenant: Id<ids::Tenant>, topic: &str) -> Subscription;
}
