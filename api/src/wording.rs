//! Renders messages for clients. The language is selected only here.

use domain::{Message, Reason, Zone};
use messages::{Explanation, Language};

/// The text of a message, with its times in UTC.
pub(crate) fn render_message(message: &Message) -> String {
    render_message_in(message, None)
}

/// The text of a message, with its times in the reader's time zone if that is known, otherwise in UTC.
pub(crate) fn render_message_in(message: &Message, zone: Option<&Zone>) -> String {
    messages::render_message(message, Language::default(), zone)
}

/// The text of a reason, with its times in the reader's time zone if that is known, otherwise in UTC.
pub(crate) fn render_reason(reason: &Reason, zone: Option<&Zone>) -> Explanation {
    messages::render(reason, Language::default(), zone)
}
