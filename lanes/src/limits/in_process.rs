//! Enforces providers' rate limits within one process.

use std::{future::ready, time::Duration};

use async_trait::async_trait;

use super::{Limit, Limits, Permit, Wait, gate::Gates};
use crate::Key;

/// The in-process implementation of [`Limits`].
#[derive(Debug, Default)]
pub struct InProcess {
    gates: Gates,
}

#[async_trait]
impl Limits for InProcess {
    async fn enter(&self, key: &Key, limit: &Limit, patience: Duration) -> Result<Permit, Wait> {
        let gate = self.gates.of(key.as_str());
        gate.enter(patience, || ready(gate.try_enter(limit))).await
    }

    async fn pause(&self, key: &Key, duration: Duration) {
        self.gates.of(key.as_str()).pause(duration);
    }
}
