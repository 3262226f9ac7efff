//! The cursor of [`super::changes`]: the state of the calendars at the last read.
//!
//! A cursor is opaque to callers. It contains the time range and, for each calendar, the server's sync token or, if
//! the server has none, the entity tags of the calendar's event resources.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Format version of cursors; a cursor of another version is not used.
const FORM: &str = "dav2.";
/// Number of bytes of the digest that represents an entity tag in a cursor.
const MARK: usize = 9;

/// A parsed cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The time range whose events are reported.
    pub window: TimeRange,
    /// When all calendars were last read completely.
    pub begun: Timestamp,
    /// Position in each calendar, by path.
    pub positions: BTreeMap<String, CalendarPosition>,
}

/// The state of one calendar at the last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum CalendarPosition {
    /// The state at one of the server's sync tokens (RFC 6578).
    Token {
        /// The token, byte for byte.
        token: String,
        /// The calendar's tag (`getctag`) at that time, if it has one.
        ctag: Option<String>,
        /// If changes at the time of the last read may have been missed: the previous token, to be used once more, and
        /// a digest of the changes reported for it ([`short_digest`]).
        #[serde(default)]
        before: Option<(String, String)>,
    },
    /// The state described by the entity tags of the calendar's event resources.
    Members {
        /// The calendar's tag (`getctag`) just before its resources were listed, if it has one.
        ctag: Option<String>,
        /// Digests of the resources' entity tags ([`short_digest`]), by path.
        members: BTreeMap<String, String>,
        /// Whether a simultaneous change could have the same tag, so that the resources must be listed once more.
        #[serde(default)]
        again: bool,
    },
    /// Only busy times are readable: a digest of them, made by [`short_digest`].
    Busy(String),
    /// Nothing in the calendar can be read.
    Nothing,
}

impl Cursor {
    /// Parses a cursor; `None` if it is malformed or of another version.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.strip_prefix(FORM)?).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The opaque text that callers store; [`Self::parse`] parses it.
    pub(super) fn serialise(&self) -> String {
        // Texts, times and maps with text keys are always JSON.
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{FORM}{}", BASE64_URL_SAFE_NO_PAD.encode(json))
    }
}

/// Whether an entity tag or sync token is a digest of the content and therefore changes with every change. Other tags
/// may be times with a resolution of one second.
pub(super) fn is_digest(tag: &str) -> bool {
    const LENGTH: usize = 20;
    let mut run = 0;
    tag.bytes().any(|byte| {
        run = if byte.is_ascii_hexdigit() { run + 1 } else { 0 };
        run >= LENGTH
    })
}

/// A short digest of a string.
pub(super) fn short_digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(digest.get(..MARK).unwrap_or(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_written_and_nonsense_is_none() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let window = TimeRange::new(at("2026-12-01T00:00:00Z"), at("2026-12-08T00:00:00Z")).unwrap();
        let members = BTreeMap::from([("/ada/ä.ics".to_owned(), short_digest("\"1\""))]);
        for position in [
            CalendarPosition::Token {
                token: "http://x/ns/sync/1".to_owned(),
                ctag: None,
                before: Some(("t".to_owned(), short_digest("x"))),
            },
            CalendarPosition::Members { ctag: Some("7".to_owned()), members, again: true },
            CalendarPosition::Busy(short_digest("none")),
            CalendarPosition::Nothing,
        ] {
            let positions =
                BTreeMap::from([("/ada/".to_owned(), position.clone()), ("/x/".to_owned(), position)]);
            let cursor = Cursor { window, begun: window.start, positions };
            assert_eq!(Cursor::parse(&cursor.serialise()), Some(cursor));
        }
        for text in ["", "dav2.", "dav1.e30", "dav2.e30", "dav2.%%%", "http://x/ns/sync/1"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
        assert_ne!(short_digest("\"1\""), short_digest("W/\"1\""));
    }

    #[test]
    fn a_digest_is_told_from_a_time_and_a_counter() {
        for tag in [
            "http://radicale.org/ns/sync/d4735e3a265e16eee03f59718b9b5d03019c07d8",
            "\"0123456789abcdef0123\"",
        ] {
            assert!(is_digest(tag), "{tag}");
        }
        for tag in ["1795984372", "1795984372-18", "2026-12-05T09:00:00Z", "data:,6", "c1", ""] {
            assert!(!is_digest(tag), "{tag}");
        }
    }
}
