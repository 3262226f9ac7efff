//! What can go wrong between nodes. None of it loses work.

/// Why a message to other nodes did not go out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL names neither the process nor a Redis server. It is not shown, because it may hold a password.
    #[error("the queue's URL must be \"memory:\" or begin with redis:// or rediss://")]
    Url,
    /// Redis cannot be reached; the next attempt is made by itself.
    #[error("Redis is away")]
    Away(#[source] Option<redis::RedisError>),
    /// Redis answered with an error.
    #[error("Redis refused a command")]
    Refused(#[source] redis::RedisError),
    /// More hints wait than are kept; the sweep finds the runs of those that were left out.
    #[error("{left_out} hints were left out because too many wait")]
    Full {
        /// How many.
        left_out: usize,
    },
}

impl Error {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url => "QUEUE_URL_INVALID",
            Self::Away(_) => "REDIS_AWAY",
            Self::Refused(_) => "REDIS_REFUSED",
            Self::Full { .. } => "HINTS_FULL",
        }
    }

    /// Whether a stream has lost its consumer group, as after a flush; a blocked reader is told in other words.
    pub(crate) fn is_no_group(&self) -> bool {
        matches!(self, Self::Refused(error) if matches!(error.code(), Some("NOGROUP" | "UNBLOCKED")))
    }
}
