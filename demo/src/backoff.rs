//! Waits for an unreachable server, and for expected events.

use std::time::{Duration, Instant};

use super::error::{Error, Result};

/// Longest outage of a server before the demo gives up.
pub const MAX_OUTAGE: Duration = Duration::from_mins(1);
/// Interval between two checks for an expected event.
pub const POLL_INTERVAL: Duration = Duration::from_millis(250);
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Increasing waits between attempts, up to a total limit.
#[derive(Debug)]
pub struct Backoff {
    since: Instant,
    limit: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts a series of waits of at most `limit` in total.
    pub fn with_time_limit(limit: Duration) -> Self {
        Self { since: Instant::now(), limit, next: FIRST }
    }

    /// Waits before the next attempt; `false` if the limit is reached.
    pub async fn wait(&mut self) -> bool {
        if self.since.elapsed() + self.next > self.limit {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST);
        true
    }
}

/// Result of a check for an expected event.
#[derive(Debug)]
pub enum PollResult<T> {
    /// The event happened.
    Done(T),
    /// The event has not happened yet; describes the current state.
    NotYet(String),
}

/// Repeats a check until the event happens, for at most `limit`.
pub async fn poll_until<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<PollResult<T>>,
) -> Result<T> {
    let since = Instant::now();
    loop {
        match look().await? {
            PollResult::Done(value) => return Ok(value),
            PollResult::NotYet(last) if since.elapsed() > limit => {
                return Err(Error::TooLate { what: what.to_owned(), seconds: limit.as_secs(), last });
            }
            PollResult::NotYet(_) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_look_is_repeated_until_it_happened() {
        let mut looks = 0;
        let seen = poll_until("it", Duration::from_mins(1), async || {
            looks += 1;
            Ok(if looks == 3 { PollResult::Done(looks) } else { PollResult::NotYet("no".to_owned()) })
        });
        assert_eq!(seen.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn what_never_happens_is_told_with_the_last_answer() {
        let never =
            poll_until("it", Duration::ZERO, async || Ok(PollResult::<()>::NotYet("FAILING".to_owned())));
        let error = never.await.unwrap_err();
        assert!(error.to_string().contains("FAILING"), "{error}");
    }

    #[tokio::test]
    async fn patience_ends() {
        let mut patience = Backoff::with_time_limit(Duration::from_millis(50));
        assert!(!patience.wait().await, "the first wait is longer than the limit");
    }
}
