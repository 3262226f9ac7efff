//! Bodies of answers: made into text leniently, and read within a budget.
//!
//! Whatever a server sends costs at most [`MEMORY`] bytes beyond the body itself, which the HTTP client bounds. The
//! budget is spent where the work is done, so that a thread that nobody can stop stops by itself. Large bodies are
//! read on the blocking threads, because parsing one of them would hold up everything else on an async thread.

mod decode;

pub(crate) use decode::decode;

/// What reading one body may cost, in bytes: the tree that is made of it, and its text where that has to be written
/// anew. Buffers that grow are a quarter larger than what is in them, so 12 MiB make 15.
pub(crate) const MEMORY: usize = 12 * 1024 * 1024;

/// Smaller bodies are read where they arrive: handing them on takes longer than reading them.
const LARGE: usize = 32 * 1024;

/// Why a body is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyRejected {
    /// It is not in the form that it should be in.
    #[error("the answer cannot be understood")]
    Malformed,
    /// Reading it costs more than what is spent on one answer: ask for less at once.
    #[error("the answer holds more than what is read at once")]
    OverBudget,
}

/// What is left of a budget.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    /// An unspent budget of this number of bytes or steps.
    pub(crate) fn of(all: usize) -> Self {
        Self(all)
    }

    /// Takes something from it before it is used.
    pub(crate) fn spend(&mut self, cost: usize) -> Result<(), BodyRejected> {
        self.0 = self.0.checked_sub(cost).ok_or(BodyRejected::OverBudget)?;
        Ok(())
    }

    /// What was spent of `all`.
    #[cfg(test)]
    pub(crate) fn spent(&self, all: usize) -> usize {
        all - self.0
    }
}

/// Does work on a body: at once when it is small, else on a blocking thread. A panic there goes on here.
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
