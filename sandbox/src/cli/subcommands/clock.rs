//! Commands about the sandbox's clocks.

use clap::Subcommand;
use serde_json::json;

use crate::cli::client::Request;

/// A command that shows or changes the sandbox's clocks.
#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli) enum ClockCommand {
    /// Shows the time.
    Show,
    /// Moves the clock forward.
    Advance {
        /// Number of seconds to move forward.
        seconds: i64,
    },
    /// Shifts the clock of the token endpoints: ahead, or behind if negative.
    #[command(allow_negative_numbers = true)]
    Skew {
        /// Number of seconds to shift.
        seconds: i64,
    },
}

impl ClockCommand {
    /// Converts the command to a request.
    pub(super) fn request(&self) -> Request {
        match self {
            Self::Show => Request::get(["clock"]),
            Self::Advance { seconds } => Request::post(["clock", "advance"], json!({ "seconds": seconds })),
            Self::Skew { seconds } => Request::post(["clock", "skew"], json!({ "seconds": seconds })),
        }
    }
}
