//! Communication between nodes, in one process or over Redis.
//!
//! All data in the lanes may be lost at any moment without losing work, because the database is authoritative.
//! [`Hints`] notify nodes of runs that have work, [`Fanout`] delivers events to the subscribers of all nodes,
//! [`Limits`] enforce the providers' rate limits over all nodes, and [`Quotas`] enforce Muster's quotas for callers.
//! Each has an in-process and a Redis implementation, which pass the same tests; [`connect`] selects the implementation
//! by the URL. Only this crate depends on the crate `redis`. [`ExternalTime`] is measured within each process.

pub mod external_wait;
pub mod fanout;
pub mod hints;
pub mod limits;
pub mod quotas;

mod error;
mod key;
mod link;
#[cfg(test)]
mod test_node;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use domain::{Ids, SharedClock};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::link::{RedisLink, Timeouts};
pub use self::{
    error::Error,
    external_wait::{ExternalTime, ExternalWait},
    fanout::{Delivery, Fanout, Message, Subscription},
    hints::{Hints, JobHint},
    key::Key,
    limits::{Limit, Limits, Permit, Wait},
    quotas::{Quota, Quotas},
};

/// The channels through which a node communicates with other nodes.
#[derive(Debug, Clone)]
pub struct Lanes {
    /// Hints about runs that have work.
    pub hints: Arc<dyn Hints>,
    /// Events for subscribers.
    pub fanout: Arc<dyn Fanout>,
    /// The limits that providers impose.
    pub limits: Arc<dyn Limits>,
    /// The limits that Muster imposes on callers.
    pub quotas: Arc<dyn Quotas>,
    nodes: Arc<AtomicU32>,
}

impl Lanes {
    /// The number of nodes at the last count, including this one.
    pub fn node_count(&self) -> usize {
        self.nodes.load(Ordering::Relaxed).max(1) as usize
    }
}

/// Connects to the lanes at `url`: `memory:` for one process, `redis://...` or `rediss://...` for several nodes.
///
/// Every key begins with `prefix`, so that several installations can share a server. An unreachable Redis is not an
/// error: the node operates in degraded mode and reconnects automatically. Background tasks are spawned on `tracker`;
/// they end when `token` is cancelled, as do the waits of [`Hints::next`] and all subscriptions.
pub fn connect(
    url: &str,
    prefix: &str,
    clock: SharedClock,
    ids: Ids,
    tracker: &TaskTracker,
    token: &CancellationToken,
) -> Result<Lanes, Error> {
    if url == "memory:" {
        return Ok(Lanes {
            hints: Arc::new(hints::InProcess::new(token.clone())),
            fanout: Arc::new(fanout::InProcess::new(tracker, token)),
            limits: Arc::new(limits::InProcess::default()),
            quotas: Arc::new(quotas::InProcess::default()),
            nodes: Arc::new(AtomicU32::new(1)),
        });
    }
    if !url.starts_with("redis://") && !url.starts_with("rediss://") {
        return Err(Error::Url);
    }
    let client = redis::Client::open(url).map_err(|_| Error::Url)?;
    let link = |timeouts| Arc::new(RedisLink::new(client.clone(), timeouts, clock.clone(), ids.clone()));
    let (commands, nodes) = (link(Timeouts::Short), Arc::new(AtomicU32::new(1)));
    let hints =
        hints::Redis::new(prefix, commands.clone(), link(Timeouts::Blocking), ids.clone(), token.clone());
    let fanout =
        fanout::Redis::start(prefix, client.clone(), commands.clone(), &ids, nodes.clone(), tracker, token);
    let quotas = quotas::Redis::new(prefix, commands.clone(), nodes.clone());
    let limits =
        limits::Redis::start(prefix, commands, ids, nodes.clone(), limits::PERMIT_LEASE, tracker, token);
    Ok(Lanes {
        hints: Arc::new(hints),
        fanout: Arc::new(fanout),
        limits: Arc::new(limits),
        quotas: Arc::new(quotas),
        nodes,
    })
}

/// Connects to the Redis server at `url` and asks for its version; `None` for `memory:`.
pub async fn server_version(url: &str) -> Result<Option<String>, Error> {
    if url == "memory:" {
        return Ok(None);
    }
    let client = redis::Client::open(url).map_err(|_| Error::Url)?;
    let away = |error| Error::Away(Some(error));
    let config = Timeouts::Short.config();
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.map_err(away)?;
    let _: String = redis::cmd("PING").query_async(&mut connection).await.map_err(Error::Refused)?;
    // A user of Redis whom nodes log in as need not have the right to it.
    let info: Result<String, _> = redis::cmd("INFO").arg("server").query_async(&mut connection).await;
    let info = info.unwrap_or_default();
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    Ok(Some(version.unwrap_or("of an unknown version").trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_names_no_lane_is_refused_and_not_shown() {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        for url in ["", "memory", "http://:secret@127.0.0.1/", "redis://:secret@127.0.0.1:port/"] {
            let refused =
                connect(url, "muster", test_node::clock(), test_node::ids(), &tracker, &token).unwrap_err();
            assert_eq!(refused.code(), "QUEUE_URL_INVALID", "{url}");
            assert!(!format!("{refused} {refused:?}").contains("secret"), "{url}");
        }
    }

    #[tokio::test]
    async fn a_node_starts_without_its_redis() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://:secret@{}/", port.local_addr().unwrap());
        drop(port);
        let node = test_node::Node::at(&url, "muster");
        assert!(!format!("{:?}", node.lanes).contains("secret"));
        let limit = Limit { concurrency: 1, rate: 0, per: std::time::Duration::ZERO };
        assert!(
            node.lanes.limits.enter(&test_node::key("ada"), &limit, std::time::Duration::ZERO).await.is_ok()
        );
    }
}
