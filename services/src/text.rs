//! Refuses text inputs that are too long or contain forbidden characters.

use domain::text::{self, LineMode, TextFault};

use crate::{Refusal, Result};

/// Maximum length of the URL of a page in characters.
pub(crate) const MAX_URL_LEN: usize = 2_000;

/// Refuses text of more than `limit` characters (`TEXT_TOO_LONG`), or with characters that are not allowed
/// (`TEXT_MALFORMED`).
pub(crate) fn check(text: &str, shape: LineMode, limit: usize, field: &'static str) -> Result<()> {
    let fault = match text::check_visible(text, shape, limit) {
        Ok(()) => return Ok(()),
        Err(fault) => fault,
    };
    let refusal = match fault {
        TextFault::TooLong { limit, found } => {
            let message = format!("Use at most {limit} characters.");
            Refusal::new("TEXT_TOO_LONG", message).exceeding(limit, found)
        }
        TextFault::Character(char) => {
            let message = format!("Remove the character U+{:04X}: it is not allowed here.", u32::from(char));
            Refusal::new("TEXT_MALFORMED", message)
        }
        fault @ (TextFault::Invisible | TextFault::Direction) => {
            Refusal::new("TEXT_MALFORMED", format!("This cannot be read as it is meant: {fault}."))
        }
    };
    Err(refusal.at(field).into())
}
