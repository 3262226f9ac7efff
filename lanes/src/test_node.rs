//! Nodes for this crate's tests.

use std::sync::Arc;

use domain::{Id, Ids, SharedClock, SystemClock, ids};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    JobHint, Lanes, connect,
    link::{RedisLink, Timeouts},
};

/// Generates a test for each of the two implementations, in-process and Redis.
macro_rules! on_both {
    ($($suite:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test] async fn $suite() { super::$suite($crate::test_node::Node::in_process()).await; })*
        }
        mod over_redis {
            $(#[tokio::test] async fn $suite() { super::$suite($crate::test_node::Node::over_redis()).await; })*
        }
    };
}
pub(crate) use on_both;

/// The lanes of one node in tests. Dropping it stops its tasks.
pub(crate) struct Node {
    pub(crate) lanes: Lanes,
    pub(crate) ids: Ids,
    pub(crate) tracker: TaskTracker,
    pub(crate) token: CancellationToken,
    pub(crate) prefix: String,
    pub(crate) url: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

impl Node {
    pub(crate) fn in_process() -> Self {
        Self::at("memory:", "muster")
    }

    /// Creates a node on the shared Redis server, with a key prefix of its own.
    pub(crate) fn over_redis() -> Self {
        Self::at(&::testing::shared_redis(), &format!("test-{}", ids().uuid().simple()))
    }

    pub(crate) fn at(url: &str, prefix: &str) -> Self {
        let (ids, tracker, token) = (ids(), TaskTracker::new(), CancellationToken::new());
        let lanes = connect(url, prefix, clock(), ids.clone(), &tracker, &token).unwrap();
        Self { lanes, ids, tracker, token, prefix: prefix.to_owned(), url: url.to_owned() }
    }

    /// Creates another node in the same installation.
    pub(crate) fn another_node(&self) -> Self {
        Self::at(&self.url, &self.prefix)
    }

    pub(crate) fn client(&self) -> redis::Client {
        redis::Client::open(self.url.as_str()).unwrap()
    }

    /// Opens a connection for commands, separate from the node's own.
    pub(crate) fn link(&self) -> Arc<RedisLink> {
        Arc::new(RedisLink::new(self.client(), Timeouts::Short, clock(), self.ids.clone()))
    }

    pub(crate) fn hints(
        &self,
        count: usize,
        tenant: Id<ids::Tenant>,
        lane: domain::state::Lane,
    ) -> Vec<JobHint> {
        (0..count).map(|_| JobHint { run: self.ids.make(), tenant, lane }).collect()
    }
}

pub(crate) fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

pub(crate) fn ids() -> Ids {
    Ids::random(clock())
}

/// A key for a limit in tests.
pub(crate) fn key(name: &str) -> crate::Key {
    crate::Key::of_integration(domain::Id::nil(), domain::Id::nil()).with_sub_limit("test", name)
}
