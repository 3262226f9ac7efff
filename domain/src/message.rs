//! Sentences for people, represented by message ids with typed arguments.
//!
//! Readers differ in language and time zone, so rows contain no sentences: a [`Message`] refers to an entry of the
//! message catalogue and contains the arguments for its placeholders. The crate `messages` renders the sentence when it
//! is displayed. Each crate lists its messages in its `messages` module with [`messages!`](crate::messages), which
//! generates a constructor from each line: a missing argument, or one of another type, does not compile.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A sentence for a person: the id of a catalogue entry with its arguments.
///
/// The type has no `Display`, so that nobody shows the id by mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Message(Box<Form>);

/// Stored as a JSON object, or as a string if it is a literal sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Catalogued {
        id: Cow<'static, str>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        args: BTreeMap<Cow<'static, str>, Arg>,
    },
    Verbatim(String),
}

/// The value of an argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Arg {
    /// A name, an email address, a code, or user-written text.
    Text(String),
    /// A count.
    Number(i64),
    /// An instant, stored as RFC 3339 in UTC and shown in the reader's time zone.
    Moment {
        /// The instant.
        moment: Timestamp,
    },
    /// Another sentence.
    Nested {
        /// The sentence.
        message: Message,
    },
    /// A value that a newer version wrote.
    Unknown(serde_json::Value),
}

/// The parameter type of constructors for [`Arg::Text`].
#[derive(Debug, Clone)]
pub struct Text(String);

/// The parameter type of constructors for [`Arg::Number`].
#[derive(Debug, Clone, Copy)]
pub struct Number(i64);

/// The parameter type of constructors for [`Arg::Moment`].
#[derive(Debug, Clone, Copy)]
pub struct Moment(Timestamp);

/// The parameter type of constructors for [`Arg::Nested`].
#[derive(Debug, Clone)]
pub struct Nested(Message);

/// The declaration of a message in its crate; a test compares the declarations with the message catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageDeclaration {
    /// The id in the catalogue.
    pub id: &'static str,
    /// Names of the arguments, each with the name of its type: `Text`, `Number`, `Moment` or `Nested`.
    pub args: &'static [(&'static str, &'static str)],
}

impl Message {
    /// A literal sentence that is not in the message catalogue: it comes from a row that an older version wrote, or
    /// from an error that is displayed at once and never stored.
    pub fn verbatim(text: impl Into<String>) -> Self {
        Self(Box::new(Form::Verbatim(text.into())))
    }

    /// Creates a message of the catalogue; called by the constructors that [`messages!`](crate::messages) generates.
    #[doc(hidden)]
    pub fn from_catalogue(id: &'static str, args: impl IntoIterator<Item = (&'static str, Arg)>) -> Self {
        let args = args.into_iter().map(|(name, arg)| (name.into(), arg)).collect();
        Self(Box::new(Form::Catalogued { id: id.into(), args }))
    }

    /// The id in the catalogue; `None` for a literal sentence.
    pub fn id(&self) -> Option<&str> {
        match &*self.0 {
            Form::Catalogued { id, .. } => Some(id),
            Form::Verbatim(_) => None,
        }
    }

    /// The arguments by name.
    pub fn args(&self) -> impl Iterator<Item = (&str, &Arg)> {
        let args = match &*self.0 {
            Form::Catalogued { args, .. } => Some(args),
            Form::Verbatim(_) => None,
        };
        args.into_iter().flatten().map(|(name, arg)| (name.as_ref(), arg))
    }

    /// The literal sentence; `None` for a message of the catalogue.
    pub fn verbatim_text(&self) -> Option<&str> {
        match &*self.0 {
            Form::Catalogued { .. } => None,
            Form::Verbatim(text) => Some(text),
        }
    }

    /// The same message with `change` applied to every text argument and literal sentence, for example to truncate it.
    #[must_use]
    pub fn map_texts(self, change: &impl Fn(String) -> String) -> Self {
        Self(Box::new(match *self.0 {
            Form::Catalogued { id, args } => {
                let args = args.into_iter().map(|(name, arg)| (name, arg.map_texts(change)));
                Form::Catalogued { id, args: args.collect() }
            }
            Form::Verbatim(text) => Form::Verbatim(change(text)),
        }))
    }
}

impl Arg {
    fn map_texts(self, change: &impl Fn(String) -> String) -> Self {
        match self {
            Self::Text(text) => Self::Text(change(text)),
            Self::Nested { message } => Self::Nested { message: message.map_texts(change) },
            other => other,
        }
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl From<Text> for Arg {
    fn from(text: Text) -> Self {
        Self::Text(text.0)
    }
}

/// Implements the conversion for integer types; counts above `i64::MAX` are stored as `i64::MAX`.
macro_rules! numbers {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Number {
            fn from(number: $kind) -> Self {
                Self(i64::try_from(number).unwrap_or(i64::MAX))
            }
        }
    )*};
}

numbers!(i32, i64, u64, usize);

impl From<Number> for Arg {
    fn from(number: Number) -> Self {
        Self::Number(number.0)
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl From<Moment> for Arg {
    fn from(at: Moment) -> Self {
        Self::Moment { moment: at.0 }
    }
}

impl From<Message> for Nested {
    fn from(message: Message) -> Self {
        Self(message)
    }
}

impl From<Nested> for Arg {
    fn from(said: Nested) -> Self {
        Self::Nested { message: said.0 }
    }
}

/// Converts the name of a message constructor to its message id: hyphens replace underscores.
#[doc(hidden)]
pub const fn kebab_case<const N: usize>(name: &str) -> [u8; N] {
    let (bytes, mut kebab, mut at) = (name.as_bytes(), [b'-'; N], 0);
    while at < N {
        if bytes[at] != b'_' {
            kebab[at] = bytes[at];
        }
        at += 1;
    }
    kebab
}

/// Declares the messages of a crate: for each line a constructor and an entry of `ALL`. The catalogue contains them
/// under the same names, with hyphens in place of underscores, in `messages/locales/<language>/<crate>.ftl`. A message
/// that only stored rows still use keeps its line.
///
/// ```ignore
/// domain::messages! {
///     unreadable_items(count: Number);   // unreadable-items = Unreadable items in this calendar: { $count }.
/// }
/// ```
#[macro_export]
macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident($($arg:ident: $kind:ident),*);)*) => {
        $(
            $(#[$meta])*
            pub(crate) fn $name($($arg: impl Into<$crate::message::$kind>),*) -> $crate::Message {
                $(let $arg: $crate::message::$kind = $arg.into();)*
                $crate::Message::from_catalogue(id::$name, [$((stringify!($arg), $crate::message::Arg::from($arg))),*])
            }
        )*

        /// Every message of this crate.
        pub const ALL: &[$crate::message::MessageDeclaration] = &[
            $($crate::message::MessageDeclaration {
                id: id::$name,
                args: &[$((stringify!($arg), stringify!($kind))),*],
            }),*
        ];

        #[expect(non_upper_case_globals, reason = "each bears the name of its constructor")]
        mod id {
            $(
                pub(super) const $name: &str = {
                    const BYTES: [u8; stringify!($name).len()] = $crate::message::kebab_case(stringify!($name));
                    match std::str::from_utf8(&BYTES) {
                        Ok(id) => id,
                        Err(_) => panic!("an identifier is UTF-8"),
                    }
                };
            )*
        }
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    mod messages {
        crate::messages! {
            plain();
            of_everything(name: Text, count: Number, since: Moment, cause: Nested);
            #[expect(dead_code, reason = "only rows hold it")]
            retired();
        }
    }

    #[test]
    fn a_message_is_stored_as_its_id_and_typed_arguments() {
        let since = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        let message = messages::of_everything("Ada", 3, since, messages::plain());
        let stored = serde_json::to_value(&message).unwrap();
        let expected = json!({
            "id": "of-everything",
            "args": {
                "name": "Ada",
                "count": 3,
                "since": { "moment": "2027-01-15T08:00:00Z" },
                "cause": { "message": { "id": "plain" } },
            },
        });
        assert_eq!(stored, expected);
        assert_eq!(serde_json::from_value::<Message>(stored).unwrap(), message);
    }

    #[test]
    fn every_message_is_listed_with_its_arguments() {
        let args = &[("name", "Text"), ("count", "Number"), ("since", "Moment"), ("cause", "Nested")];
        let bare = |id| MessageDeclaration { id, args: &[] };
        assert_eq!(
            messages::ALL,
            [bare("plain"), MessageDeclaration { id: "of-everything", args }, bare("retired")]
        );
    }

    #[test]
    fn a_sentence_of_an_older_version_is_kept() {
        let older: Message = serde_json::from_value(json!("It failed.")).unwrap();
        assert_eq!((older.verbatim_text(), older.id()), (Some("It failed."), None));
        assert_eq!(serde_json::to_value(&older).unwrap(), json!("It failed."));
    }

    #[test]
    fn what_a_newer_version_stored_is_kept() {
        let newer = json!({ "id": "newer", "args": { "sum": { "money": 3 } } });
        let read: Message = serde_json::from_value(newer.clone()).unwrap();
        let sum = Arg::Unknown(json!({ "money": 3 }));
        assert_eq!(read.args().collect::<Vec<_>>(), [("sum", &sum)]);
        assert_eq!(serde_json::to_value(&read).unwrap(), newer);
    }

    #[test]
    fn every_text_in_a_message_can_be_cleaned() {
        let inner = messages::of_everything("in", 1, Timestamp::MIN_UTC, Message::verbatim("older"));
        let message = messages::of_everything("out", 1, Timestamp::MIN_UTC, inner);
        let loud = message.map_texts(&|text| text.to_uppercase());
        let inner = messages::of_everything("IN", 1, Timestamp::MIN_UTC, Message::verbatim("OLDER"));
        assert_eq!(loud, messages::of_everything("OUT", 1, Timestamp::MIN_UTC, inner));
    }
}
