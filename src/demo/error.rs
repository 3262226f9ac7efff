//! Why a step of the demo is not as it must be.

/// Why the demo stops.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something answered, but not what it must.
    #[error("{0}")]
    Unexpected(String),
    /// The API refused.
    #[error("{message} ({code})")]
    Refused {
        /// The stable code.
        code: String,
        /// One sentence.
        message: String,
    },
    /// A page says that something did not work.
    #[error("the page \"{title}\" says: {message} ({code})")]
    Page {
        /// The page's title.
        title: String,
        /// The stable code, where the page has one.
        code: String,
        /// What the page says.
        message: String,
    },
    /// Nobody answered, for longer than the demo waits.
    #[error("{what} could not be reached: {why}")]
    Unreachable {
        /// Who.
        what: String,
        /// What the network said last.
        why: String,
    },
    /// Something that must happen did not happen in time.
    #[error("{what} did not happen within {seconds} s; the last answer was {last}")]
    TooLate {
        /// What.
        what: String,
        /// How long it was waited for.
        seconds: u64,
        /// What was seen last.
        last: String,
    },
    /// The demo cannot be started like this.
    #[error("{0}")]
    Options(&'static str),
    /// A file cannot be used.
    #[error("{path} cannot be used: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The demo's own server does not start.
    #[error("the server does not start: {0}")]
    Server(String),
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            Self::Unexpected(_) => "UNEXPECTED",
            Self::Refused { code, .. } | Self::Page { code, .. } => code,
            Self::Unreachable { .. } => "UNREACHABLE",
            Self::TooLate { .. } => "TOO_LATE",
            Self::Options(_) => "OPTIONS",
            Self::File { .. } => "FILE",
            Self::Server(_) => "SERVER",
        }
    }
}

/// What every step answers.
pub type Result<T> = std::result::Result<T, Error>;

/// An answer that is not what it must be.
pub(super) fn unexpected(what: impl Into<String>) -> Error {
    Error::Unexpected(what.into())
}

/// Refuses unless `holds`.
pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Unexpected(otherwise())) }
}
