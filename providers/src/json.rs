//! Parses JSON responses leniently and within a budget.
//!
//! A response is scanned once before it is parsed: the number and depth of its values are checked, and what no parser
//! accepts is repaired (control characters in strings, and unpaired surrogates). Lists are parsed item by item
//! ([`LenientList`]), so that one malformed item does not affect the others. The functions for `deserialize_with` are
//! for optional fields: a value of an unexpected type counts as absent.

use std::{borrow::Cow, fmt, marker::PhantomData};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::body::{self, BodyBudget, BodyRejected, PARSE_MEMORY_BYTES, decode};

/// Maximum number of JSON values in one response. A parsed value takes about 80 bytes of memory.
const VALUES: usize = 200_000;
/// Maximum nesting depth of JSON values.
const DEPTH: usize = 64;
/// Maximum length of a list that is parsed item by item: twice what any provider returns at once.
const MEMBERS: usize = 5_000;
/// Prefix of the error message for a list that exceeds the maximum length.
const TOO_LONG: &str = "more members than are read";

/// Parses a response without blocking an async thread.
pub(crate) async fn parse_async<T: DeserializeOwned + Send + 'static>(
    body: &Bytes,
) -> Result<T, BodyRejected> {
    body::run_blocking(body, parse).await
}

/// Parses a response on the current thread.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyRejected> {
    let mut budget = BodyBudget::new(PARSE_MEMORY_BYTES);
    let text = decode(body, &mut budget)?;
    let text = match look_over(&text)? {
        Looks::Sound => text,
        Looks::Broken => {
            budget.spend(text.len())?;
            Cow::Owned(repaired(&text))
        }
    };
    serde_json::from_str(&text).map_err(|error| match error.to_string().starts_with(TOO_LONG) {
        true => BodyRejected::OverBudget,
        false => BodyRejected::Malformed,
    })
}

/// Maximum size of a response that is expected to be short, in bytes.
const SHORT: usize = 256 * 1024;

/// Parses a response that is expected to be short, such as a token or an error. Longer ones are refused.
pub(crate) fn parse_short<T: DeserializeOwned>(response: &http::Response) -> Result<T, BodyRejected> {
    match response.body.len() <= SHORT {
        true => parse(&response.body),
        false => Err(BodyRejected::OverBudget),
    }
}

/// Whether a JSON document can be parsed without repairs.
#[derive(Debug, PartialEq, Eq)]
enum Looks {
    Sound,
    Broken,
}

/// Counts values and depth, and detects what must be repaired.
fn look_over(text: &str) -> Result<Looks, BodyRejected> {
    let (mut values, mut depth, mut is_text, mut looks) = (0_usize, 0_usize, false, Looks::Sound);
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match (is_text, byte) {
            (true, b'\\') => match escaped(&bytes[at..]) {
                Escape::Pair => at += 11,
                Escape::Half => looks = Looks::Broken,
                Escape::Other => at += 1,
            },
            (_, b'"') => is_text = !is_text,
            (true, ..b' ') => looks = Looks::Broken,
            (false, b'[' | b'{') => {
                (values, depth) = (values + 1, depth + 1);
                if depth > DEPTH {
                    return Err(BodyRejected::OverBudget);
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, b',') => values += 1,
            _ => {}
        }
        if values > VALUES {
            return Err(BodyRejected::OverBudget);
        }
    }
    Ok(looks)
}

/// The kind of an escape sequence.
enum Escape {
    /// A complete surrogate pair, eleven bytes long after the backslash.
    Pair,
    /// An unpaired surrogate.
    Half,
    /// Any other escape sequence.
    Other,
}

fn escaped(rest: &[u8]) -> Escape {
    let unit = |bytes: Option<&[u8]>| {
        let digits = std::str::from_utf8(bytes?.strip_prefix(b"u")?).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    match unit(rest.get(..5)) {
        Some(0xD800..=0xDBFF) => match (rest.get(5), unit(rest.get(6..11))) {
            (Some(b'\\'), Some(0xDC00..=0xDFFF)) => Escape::Pair,
            _ => Escape::Half,
        },
        Some(0xDC00..=0xDFFF) => Escape::Half,
        _ => Escape::Other,
    }
}

/// Replaces control characters in strings by spaces and removes unpaired surrogates.
fn repaired(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let (mut rest, mut is_text) = (text, false);
    while let Some(at) = rest.find(|char: char| char == '"' || is_text && (char == '\\' || char < ' ')) {
        whole.push_str(&rest[..at]);
        let bytes = &rest.as_bytes()[at..];
        let (kept, skipped) = match bytes[0] {
            b'"' => {
                is_text = !is_text;
                ("\"", 1)
            }
            b'\\' => match escaped(&bytes[1..]) {
                Escape::Pair => (&rest[at..at + 12], 12),
                Escape::Half => ("", 6),
                // An escaped non-ASCII character is copied together with the text that follows.
                Escape::Other if bytes.get(1).is_some_and(u8::is_ascii) => (&rest[at..at + 2], 2),
                Escape::Other => ("\\", 1),
            },
            _ => (" ", 1),
        };
        whole.push_str(kept);
        rest = &rest[at + skipped..];
    }
    whole.push_str(rest);
    whole
}

/// The items of a list, parsed one by one; `None` for a malformed item.
#[derive(Debug)]
pub(crate) struct LenientList<T>(pub Vec<Option<T>>);

impl<T> Default for LenientList<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> LenientList<T> {
    /// Returns the valid items and logs the number of malformed ones, because a directory without one of its users is
    /// still usable.
    pub(crate) fn into_readable(self, what: &'static str) -> impl Iterator<Item = T> {
        let lost = self.0.iter().filter(|member| member.is_none()).count();
        if lost > 0 {
            tracing::warn!(lost, what, "members of a list cannot be read and are left out");
        }
        self.0.into_iter().flatten()
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for LenientList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for List<T> {
            type Value = LenientList<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<LenientList<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(raw) = seq.next_element::<&RawValue>()? {
                    if all.len() == MEMBERS {
                        return Err(A::Error::custom(TOO_LONG));
                    }
                    all.push(serde_json::from_str(raw.get()).ok());
                }
                Ok(LenientList(all))
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

/// A value of the expected type; `None` for any other.
pub(crate) fn lenient_value<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_str(<&RawValue>::deserialize(from)?.get()).ok())
}

/// A string; a number or boolean is converted to a string.
pub(crate) fn lenient_string<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let raw = <&RawValue>::deserialize(from)?.get();
    Ok(match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw).ok(),
        Some(b'-' | b'0'..=b'9' | b't' | b'f') => Some(raw.to_owned()),
        _ => None,
    })
}

/// The readable items of a list; empty if the value is not a list.
pub(crate) fn lenient_list<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    let members: Option<LenientList<T>> = lenient_value(from)?;
    Ok(members.unwrap_or_default().0.into_iter().flatten().collect())
}

/// Whether a value is present and not `null`.
pub(crate) fn is_present<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(Option::<IgnoredAny>::deserialize(from)?.is_some())
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
