//! Errors in the communication between nodes. None of them loses work.

/// Why a message did not reach other nodes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is neither `memory:` nor Redis'. The error does not contain the URL, which may hold a password.
    #[error("the queue's URL must be \"memory:\" or begin with redis:// or rediss://")]
    Url,
    /// Redis is unreachable; the connection is retried automatically.
    #[error("Redis is away")]
    Away(#[source] Option<redis::RedisError>),
    /// Redis returned an error.
    #[error("Redis refused a command")]
    Refused(#[source] redis::RedisError),
    /// More hints are waiting than can be kept; the sweep finds the runs of those left out.
    #[error("{left_out} hints were left out because too many wait")]
    Full {
        /// Number of hints that were dropped.
        left_out: usize,
    },
}

impl Error {
    /// Stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url => "QUEUE_URL_INVALID",
            Self::Away(_) => "REDIS_AWAY",
            Self::Refused(_) => "REDIS_REFUSED",
            Self::Full { .. } => "HINTS_FULL",
        }
    }

    /// Whether a stream has lost its consumer group, as after a flush; a blocked read reports that with another
    /// message.
    pub(crate) fn is_no_group(&self) -> bool {
        matches!(self, Self::Refused(error) if matches!(error.code(), Some("NOGROUP" | "UNBLOCKED")))
    }
}
