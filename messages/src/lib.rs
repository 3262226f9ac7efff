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
    /// German, with the formal form of address.
    German,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The language's subtag (BCP 47).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The name of the language in the language itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// The language of a tag such as `de` or `de-AT`; `None` if the catalogue does not have it.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The language that a reader prefers, by the header `Accept-Language` (RFC 9110, section 12.5.4); English if the
    /// catalogue has none of theirs.
    pub fn preferred(accept_language: &str) -> Self {
        let ranges = accept_language.split(',').filter_map(|range| {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight: f32 = weight.trim().strip_prefix("q=")?.trim().parse().ok()?;
            let language = if tag.trim() == "*" { Some(Self::default()) } else { Self::from_tag(tag) };
            (weight > 0.0).then_some((language?, weight))
        });
        // Of equal weights the first one counts.
        let best = ranges.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(language, _)| language).unwrap_or_default()
    }

    /// The files of the catalogue, each with its name and content.
    pub const fn catalogue_files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::English => catalogue::ENGLISH_FILES,
            Self::German => catalogue::GERMAN_FILES,
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
fn moment(at: Timestamp, language: Language, zone: Option<&Zone>) -> String {
    let form = match language {
        Language::English => "%Y-%m-%d %H:%M",
        Language::German => "%d.%m.%Y %H:%M",
    };
    match zone {
        Some(zone) => zone.local(at).format(form).to_string(),
        None => format!("{} UTC", at.format(form)),
    }
}

#[cfg(test)]
mod tests;
