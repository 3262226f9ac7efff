//! A connection to Redis that reconnects automatically.
//!
//! While Redis is unreachable, commands fail immediately with [`Error::Away`], so that no caller waits for a dead
//! server. One caller at a time tries to reconnect, after a pause that grows to two seconds, with jitter. Outages are
//! logged at most once per ten seconds, and the end of an outage is logged once.

use std::{
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{Ids, SharedClock, Timestamp};
use redis::{AsyncConnectionConfig, RedisError, RedisResult, aio::MultiplexedConnection};
use tokio::time::Instant;

use crate::Error;

/// Maximum duration of a blocking read from Redis.
pub(crate) const MAX_BLOCKING_READ: Duration = Duration::from_secs(2);

/// Time-outs for responses from Redis.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Timeouts {
    /// Time-outs for commands that return immediately.
    Short,
    /// Time-outs for reads that block for at most [`MAX_BLOCKING_READ`].
    Blocking,
}

impl Timeouts {
    pub(crate) fn config(self) -> AsyncConnectionConfig {
        let second = Duration::from_secs(1);
        let response = match self {
            Self::Short => second,
            Self::Blocking => MAX_BLOCKING_READ + second,
        };
        AsyncConnectionConfig::new().set_connection_timeout(Some(second)).set_response_timeout(Some(response))
    }
}

/// A connection to Redis; see the module documentation.
pub(crate) struct RedisLink {
    client: redis::Client,
    config: AsyncConnectionConfig,
    ids: Ids,
    state: tokio::sync::Mutex<State>,
    away: AtomicBool,
    complaints: OutageLog,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    generation: u64,
    failures: u32,
    not_before: Option<Instant>,
}

impl std::fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The client's own form could show a password.
        f.write_str("RedisLink")
    }
}

impl RedisLink {
    pub(crate) fn new(client: redis::Client, timeouts: Timeouts, clock: SharedClock, ids: Ids) -> Self {
        let config = timeouts.config();
        let complaints = OutageLog::new(clock);
        Self {
            client,
            config,
            ids,
            state: tokio::sync::Mutex::default(),
            away: AtomicBool::new(false),
            complaints,
        }
    }

    /// Executes commands on the connection.
    pub(crate) async fn execute<T, F, Reply>(&self, command: F) -> Result<T, Error>
    where
        F: FnOnce(MultiplexedConnection) -> Reply,
        Reply: Future<Output = RedisResult<T>>,
    {
        let (connection, generation) = self.connection().await?;
        match command(connection).await {
            Ok(answer) => Ok(answer),
            Err(error) if error.code().is_some() => Err(Error::Refused(error)),
            Err(error) => {
                let mut state = self.state.lock().await;
                if state.generation == generation {
                    state.connection = None;
                    self.back_off(&mut state, &error);
                }
                Err(Error::Away(Some(error)))
            }
        }
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), Error> {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(_) if self.away.load(Ordering::Relaxed) => return Err(Error::Away(None)),
            Err(_) => self.state.lock().await,
        };
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.generation));
        }
        if state.not_before.is_some_and(|at| Instant::now() < at) {
            return Err(Error::Away(None));
        }
        match self.client.get_multiplexed_async_connection_with_config(&self.config).await {
            Ok(connection) => {
                state.connection = Some(connection.clone());
                state.generation += 1;
                state.failures = 0;
                if self.away.swap(false, Ordering::Relaxed) {
                    tracing::info!("Redis is back");
                }
                Ok((connection, state.generation))
            }
            Err(error) => {
                self.back_off(&mut state, &error);
                Err(Error::Away(Some(error)))
            }
        }
    }

    fn back_off(&self, state: &mut State, error: &RedisError) {
        self.away.store(true, Ordering::Relaxed);
        state.not_before = Some(Instant::now() + reconnect_delay(state.failures, &self.ids));
        state.failures = state.failures.saturating_add(1);
        self.complaints.log(error);
    }
}

/// Wait before reconnecting after `failures` failed attempts: 50 ms to 2 s, half of it random.
pub(crate) fn reconnect_delay(failures: u32, ids: &Ids) -> Duration {
    let longest = 50_u64 << failures.min(6);
    let longest = longest.min(2_000);
    Duration::from_millis(longest / 2 + ids.random_below(longest / 2 + 1))
}

/// Logs outages of Redis, at most once per ten seconds.
pub(crate) struct OutageLog {
    clock: SharedClock,
    last: Mutex<Option<Timestamp>>,
}

impl OutageLog {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self { clock, last: Mutex::new(None) }
    }

    /// Logs the error's kind, unless an outage was logged recently.
    pub(crate) fn log(&self, error: &RedisError) {
        let now = self.clock.now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| (now - last).abs() >= chrono::Duration::seconds(10)) {
            *last = Some(now);
            tracing::warn!(kind = ?error.kind(), "Redis is away; work goes on through the database");
        }
    }
}
