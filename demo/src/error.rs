//! Errors of the demo's steps.

/// Why the demo stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A response differs from the expected one.
    #[error("{0}")]
    Unexpected(String),
    /// The API refused a mutation.
    #[error("{message} ({code})")]
    Refused {
        /// Stable, machine-readable code of the refusal.
        code: String,
        /// The human-readable message.
        message: String,
    },
    /// A page reports a failure.
    #[error("the page \"{title}\" says: {message} ({code})")]
    Page {
        /// The heading of the page.
        title: String,
        /// Stable, machine-readable code on the page; empty if it has none.
        code: String,
        /// The page's text.
        message: String,
    },
    /// A server did not respond for longer than the demo waits.
    #[error("{what} could not be reached: {why}")]
    Unreachable {
        /// Human-readable name of the server that was called.
        what: String,
        /// The last error of the network.
        why: String,
    },
    /// An expected event did not happen in time.
    #[error("{what} did not happen within {seconds} s; the last answer was {last}")]
    TooLate {
        /// Human-readable description of the expected event.
        what: String,
        /// How long the demo waited, in seconds.
        seconds: u64,
        /// The last response seen.
        last: String,
    },
    /// The arguments are contradictory.
    #[error("{0}")]
    Options(&'static str),
    /// A file cannot be used.
    #[error("{path} cannot be used: {source}")]
    File {
        /// The resource that could not be used: a file's path, `sh`, or standard output.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The HTTP client cannot be built.
    #[error("{0}")]
    Client(String),
    /// The demo's own server did not start.
    #[error("the server does not start: {0}")]
    Server(String),
}

impl Error {
    /// Stable, machine-readable code.
    pub fn code(&self) -> &str {
        match self {
            Self::Unexpected(_) => "UNEXPECTED",
            Self::Refused { code, .. } | Self::Page { code, .. } => code,
            Self::Unreachable { .. } => "UNREACHABLE",
            Self::TooLate { .. } => "TOO_LATE",
            Self::Options(_) => "OPTIONS",
            Self::File { .. } => "FILE",
            Self::Client(_) => "CLIENT",
            Self::Server(_) => "SERVER",
        }
    }
}

/// The result of every step.
pub type Result<T> = std::result::Result<T, Error>;

/// The error for a response that differs from the expected one.
pub(super) fn unexpected(what: impl Into<String>) -> Error {
    Error::Unexpected(what.into())
}

/// Returns an error with the message `otherwise` unless the condition `holds`.
pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Unexpected(otherwise())) }
}
