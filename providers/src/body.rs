//! Response bodies: decoded leniently and parsed within a budget.
//!
//! Parsing any body uses at most [`PARSE_MEMORY_BYTES`] bytes beyond the body itself, whose size the HTTP client
//! limits. The parsers themselves charge the budget, because a thread cannot be stopped from outside. Large bodies
//! are parsed on blocking threads, because parsing one would block all other tasks of an async thread.

mod decode;

pub(crate) use decode::decode;

/// Memory limit for parsing one body, in bytes: the resulting tree, and the decoded text if it differs from the body.
/// Growing buffers are up to a quarter larger than their content, so 12 MiB can use 15.
pub(crate) const PARSE_MEMORY_BYTES: usize = 12 * 1024 * 1024;

/// Size in bytes below which a body is parsed on the current thread, because moving it to another would take
/// longer.
const LARGE: usize = 32 * 1024;

/// Why a body cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyRejected {
    /// The body does not have the expected format.
    #[error("the answer cannot be understood")]
    Malformed,
    /// Parsing exceeds the budget for one response; the caller should request less at once.
    #[error("the answer holds more than what is read at once")]
    OverBudget,
}

/// The remaining number of bytes or steps that parsing a body may use.
#[derive(Debug)]
pub(crate) struct BodyBudget(usize);

impl BodyBudget {
    /// Creates a full budget of this number of bytes or steps.
    pub(crate) fn new(total: usize) -> Self {
        Self(total)
    }

    /// Charges `cost` to the budget; called before the memory or the steps are used.
    pub(crate) fn spend(&mut self, cost: usize) -> Result<(), BodyRejected> {
        self.0 = self.0.checked_sub(cost).ok_or(BodyRejected::OverBudget)?;
        Ok(())
    }

    /// The amount spent, given the initial budget.
    #[cfg(test)]
    pub(crate) fn spent(&self, total: usize) -> usize {
        total - self.0
    }
}

/// Processes a body: small ones at once, others on a blocking thread. A panic there is propagated.
pub(crate) async fn run_blocking<T: Send + 'static>(
    body: &bytes::Bytes,
    work: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> T {
    if body.len() < LARGE {
        return work(body);
    }
    let body = body.clone();
    match tokio::task::spawn_blocking(move || work(&body)).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is ending: nobody will look at the result, and nothing may be made up.
            Err(_) => std::future::pending().await,
        },
    }
}
