//! Errors in the communication between nodes. None of these errors loses work.

/// Why a message could not be sent to other nodes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is neither `memory:` nor a Redis URL. The error omits the URL, which may contain a password.
    #[error("the queue's URL must be \"memory:\" or begin with redis:// or rediss://")]
    Url,
    /// Redis is unreachable; the connection is retried automatically.
    #[error("Redis is away")]
    Away(#[source] Option<redis::RedisError>),
    /// Redis returned an error.
    #[error("Redis refused a command")]
    Refused(#[source] redis::RedisError),
    /// The queue of hints is full; the sweep finds the runs whose hints were dropped.
    #[error("{left_out} hints were left out because too many wait")]
    Full {
        /// Number of hints that were dropped.
        left_out: usize,
    },
}

impl Error {
    /// Stable, machine-readable code of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url => "QUEUE_URL_INVALID",
            Self::Away(_) => "REDIS_AWAY",
            Self::Refused(_) => "REDIS_REFUSED",
            Self::Full { .. } => "HINTS_FULL",
        }
    }

    /// Whether the error reports that a stream has no consumer group, such as after a flush. A blocked read reports
    /// this with a different message.
    pub(crate) fn is_missing_consumer_group(&self) -> bool {
        matches!(self, Self::Refused(error) if matches!(error.code(), Some("NOGROUP" | "UNBLOCKED")))
    }
}
