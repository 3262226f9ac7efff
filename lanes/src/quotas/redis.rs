//! Quotas shared by all nodes, by the clock of Redis: one round trip for all quotas of a request.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use redis::Script;

use super::{InProcess, Quota, Quotas, SpendOutcome};
use crate::{Error, Key, link::RedisLink};

/// The Redis implementation of [`Quotas`].
#[derive(Debug)]
pub struct Redis {
    prefix: String,
    commands: Arc<RedisLink>,
    nodes: Arc<AtomicU32>,
    script: Script,
    /// Quotas that this node enforces on its own while Redis is unreachable.
    alone: InProcess,
}

impl Redis {
    pub(crate) fn new(prefix: &str, commands: Arc<RedisLink>, nodes: Arc<AtomicU32>) -> Self {
        let script = Script::new(include_str!("spend.lua"));
        Self { prefix: prefix.to_owned(), commands, nodes, script, alone: InProcess::default() }
    }
}

#[async_trait]
impl Quotas for Redis {
    async fn spend(&self, quotas: &[(Key, Quota)], units: u32) -> SpendOutcome {
        let mut script = self.script.prepare_invoke();
        for (key, quota) in quotas {
            script.key(format!("{{{}:quota}}:{}", self.prefix, key.as_str()));
            script.arg(quota.price(units)).arg(quota.micros());
        }
        let answer: Result<Vec<u64>, Error> = self
            .commands
            .execute(|mut connection| async move { script.invoke_async(&mut connection).await })
            .await;
        if let Ok(answer) = answer
            && let Some((wait, owed)) = answer.split_first()
        {
            return SpendOutcome::of(quotas, *wait, owed);
        }
        let nodes = self.nodes.load(Ordering::Relaxed);
        let shares: Vec<_> = quotas.iter().map(|(key, quota)| (key.clone(), quota.share(nodes))).collect();
        self.alone.spend_locally(&shares, units)
    }
}
