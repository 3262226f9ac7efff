//! How messages are shown to clients: the one place in which their language is chosen.

use domain::{Message, Reason, Zone};
use messages::{Explanation, Language};

/// The sentence of a message. Times are in UTC.
pub(crate) fn sentence(message: &Message) -> String {
    sentence_in(message, None)
}

/// The sentence of a message, with its times in the reader's zone if that is known.
pub(crate) fn sentence_in(message: &Message, zone: Option<&Zone>) -> String {
    messages::sentence(message, Language::default(), zone)
}

/// A reason as a person reads it, with its times in the reader's zone if that is known.
pub(crate) fn explanation(reason: &Reason, zone: Option<&Zone>) -> Explanation {
    messages::render(reason, Language::default(), zone)
}
