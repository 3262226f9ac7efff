//! Waiting: for a server that is away, and for something that has to happen.

use std::time::{Duration, Instant};

use super::error::{Error, Result};

/// How long a server may be away before the demo gives up.
pub const MAX_OUTAGE: Duration = Duration::from_mins(1);
/// Between two looks at something that has to happen.
pub const POLL_INTERVAL: Duration = Duration::from_millis(250);
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Waits longer and longer, up to a limit.
#[derive(Debug)]
pub struct Backoff {
    since: Instant,
    limit: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins to wait for at most `limit`.
    pub fn of(limit: Duration) -> Self {
        Self { since: Instant::now(), limit, next: FIRST }
    }

    /// Waits a little; `false` when the patience is over.
    pub async fn wait(&mut self) -> bool {
        if self.since.elapsed() + self.next > self.limit {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST);
        true
    }
}

/// What a look at something saw.
#[derive(Debug)]
pub enum Poll<T> {
    /// It happened.
    Done(T),
    /// Not yet: this is how it stands.
    NotYet(String),
}

/// Looks until it happened, at most for `limit`.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Poll<T>>,
) -> Result<T> {
    let since = Instant::now();
    loop {
        match look().await? {
            Poll::Done(value) => return Ok(value),
            Poll::NotYet(last) if since.elapsed() > limit => {
                return Err(Error::TooLate { what: what.to_owned(), seconds: limit.as_secs(), last });
            }
            Poll::NotYet(_) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_look_is_repeated_until_it_happened() {
        let mut looks = 0;
        let seen = until("it", Duration::from_mins(1), async || {
            looks += 1;
            Ok(if looks == 3 { Poll::Done(looks) } else { Poll::NotYet("no".to_owned()) })
        });
        assert_eq!(seen.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn what_never_happens_is_told_with_the_last_answer() {
        let never = until("it", Duration::ZERO, async || Ok(Poll::<()>::NotYet("FAILING".to_owned())));
        let error = never.await.unwrap_err();
        assert!(error.to_string().contains("FAILING"), "{error}");
    }

    #[tokio::test]
    async fn patience_ends() {
        let mut patience = Backoff::of(Duration::from_millis(50));
        assert!(!patience.wait().await, "the first wait is longer than the limit");
    }
}
