//! Limits within one process.

use std::{future::ready, time::Duration};

use async_trait::async_trait;

use super::{Limit, Limits, Place, Wait, gate::Gates};

/// See [`Limits`].
#[derive(Debug, Default)]
pub struct InProcess {
    gates: Gates,
}

#[async_trait]
impl Limits for InProcess {
    async fn enter(&self, key: &str, limit: &Limit, patience: Duration) -> Result<Place, Wait> {
        let gate = self.gates.of(key);
        gate.enter(patience, || ready(gate.attempt(limit))).await
    }

    async fn pause(&self, key: &str, for_: Duration) {
        self.gates.of(key).pause(for_);
    }
}
