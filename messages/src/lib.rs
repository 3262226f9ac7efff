//! The message catalogue: renders stored reasons and messages as sentences in the reader's language.
//!
//! Rows contain a [`Message`], which is an id with arguments. The API, the pages and the commands render it with this
//! crate when they show it to a person; the rendered sentence is never stored. A crate's messages are in
//! `locales/<language>/<crate>.ftl`, in the syntax of [Fluent](https://projectfluent.org), and are embedded in the
//! binary. Every message can be shown: a message of an older version is a literal sentence, and for a message that only
//! a newer version contains, the code is shown.

mod catalogue;

use domain::{Message, Reason, Timestamp, Zone};

/// A language of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// British English.
    #[default]
    English,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 1] = [Self::English];

    /// The files of the catalogue, each with its name and content.
    pub const fn catalogue_files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::English => catalogue::ENGLISH_FILES,
        }
    }
}

/// The catalogue's own messages, about messages that cannot be rendered.
pub mod general {
    domain::messages! {
        unknown_reason(code: Text);
        unknown_message();
    }
}

/// A reason, rendered for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Stable, machine-readable code of the reason.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do next, as an imperative sentence; `None` if there is nothing to do.
    pub next_action: Option<String>,
}

/// Renders a reason. Times are shown in `zone`, or in UTC if it is `None`. A next action that only a newer version
/// contains is left out.
pub fn render(reason: &Reason, language: Language, zone: Option<&Zone>) -> Explanation {
    let of = |message: &Message| catalogue::render_message(message, language, zone);
    let message = of(&reason.message).or_else(|| of(&general::unknown_reason(reason.code.as_str())));
    Explanation {
        code: reason.code.clone(),
        message: message.unwrap_or_else(|| reason.code.clone()),
        next_action: reason.next_action.as_ref().and_then(of),
    }
}

/// Renders one message, as [`render`] does.
pub fn render_message(message: &Message, language: Language, zone: Option<&Zone>) -> String {
    let of = |message: &Message| catalogue::render_message(message, language, zone);
    of(message).or_else(|| of(&general::unknown_message())).unwrap_or_default()
}

/// Formats an instant for a sentence. The zone's name is omitted if it is the reader's own.
fn moment(at: Timestamp, zone: Option<&Zone>) -> String {
    match zone {
        Some(zone) => zone.local(at).format("%Y-%m-%d %H:%M").to_string(),
        None => at.format("%Y-%m-%d %H:%M UTC").to_string(),
    }
}

#[cfg(test)]
mod tests;
