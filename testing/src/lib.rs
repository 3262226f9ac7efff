//! Fixtures for the tests of every crate: databases, private servers and processes.
//!
//! `scripts/test` starts one PostgreSQL and one Redis server for the whole suite and passes their URLs in environment
//! variables. [`Database::postgres`] creates a separate database on the PostgreSQL server for each test;
//! [`shared_redis`] is the URL of the Redis server. A test that stops or empties a server starts a private one
//! ([`Postgres`], [`Redis`]).

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "what a test sets up must succeed")]

mod database;
mod postgres;
pub mod process;
mod redis;

pub use self::{
    database::Database,
    postgres::Postgres,
    redis::{Redis, RedisAddress},
};

/// The value of an environment variable that `scripts/test` sets.
pub fn required_env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests through scripts/test"))
}

/// A number from an environment variable, such as the size of a test; `None` if it is not set.
pub fn number_from_env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// URL of the Redis server that all tests share; each test uses a key prefix of its own.
pub fn shared_redis() -> String {
    required_env("MUSTER_TEST_REDIS")
}

/// Waits until a server that was just started logs this text.
fn until_said(process: &mut process::Process, log: &std::path::Path, text: &str) {
    use std::time::{Duration, Instant};
    let until = Instant::now() + Duration::from_mins(1);
    while !std::fs::read_to_string(log).unwrap_or_default().contains(text) {
        assert!(
            process.exit_status().is_none() && Instant::now() < until,
            "a server does not start: {}",
            process::read_log_end(log)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
