//! What the lanes hold in a private Redis, and disasters that count what was lost.

use std::time::Duration;

use testing::{Redis, RedisAddress};

/// Deletes everything. Returns the number of hints lost.
pub fn flush(redis: &Redis) -> u64 {
    let script = "local n = 0 for _, key in ipairs(redis.call('KEYS', '*:hints}:*')) do \
                  n = n + redis.call('XLEN', key) end redis.call('FLUSHALL') return n";
    number(&redis.command(&format!("EVAL \"{script}\" 0")))
}

/// Kills the server and starts it again, empty, after this time. Returns the number of hints lost.
pub async fn restart_empty(redis: &mut Redis, away: Duration) -> u64 {
    let lost = Lane::of(redis).hints();
    redis.kill();
    tokio::time::sleep(away).await;
    redis.restart();
    lost
}

/// Suspends the server for a time, with its connections open.
pub async fn pause(redis: &Redis, away: Duration) {
    redis.suspend();
    tokio::time::sleep(away).await;
    redis.resume();
}

/// What stands in Redis.
#[derive(Debug, Clone, Copy)]
pub struct Lane {
    address: RedisAddress,
}

impl Lane {
    /// The lanes in this server.
    pub fn of(redis: &Redis) -> Self {
        Self { address: redis.address() }
    }

    /// How many hints wait or were read and are not settled.
    pub fn hints(self) -> u64 {
        let script = "local n = 0 for _, key in ipairs(redis.call('KEYS', '*:hints}:*')) do \
                      n = n + redis.call('XLEN', key) end return n";
        number(&self.address.command(&format!("EVAL \"{script}\" 0")))
    }

    /// How many hints workers have read since Redis was empty.
    pub fn read(self) -> u64 {
        let script = "local n = 0 for _, key in ipairs(redis.call('KEYS', '*:hints}:*')) do \
                      for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do \
                      for i = 1, #group, 2 do if group[i] == 'entries-read' and group[i + 1] then \
                      n = n + group[i + 1] end end end end return n";
        number(&self.address.command(&format!("EVAL \"{script}\" 0")))
    }
}

fn number(answer: &str) -> u64 {
    answer
        .strip_prefix(':')
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("Redis says {answer}"))
}
