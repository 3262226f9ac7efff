//! Where a copy of a calendar stands: what [`super::changes`] hands out and takes back.
//!
//! To whoever keeps it a cursor is an opaque text. It names the calendar and the window that it was begun in, and
//! either the server's own sync token or, for servers without one, the entity tags of the calendar's members.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The form of cursors; another form is read anew.
const FORM: &str = "dav2.";
/// How many bytes stand for an entity tag.
const MARK: usize = 9;

/// A cursor, understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The window that events are told in.
    pub window: TimeRange,
    /// When everything was read last.
    pub begun: Timestamp,
    /// Where each calendar stands, by path.
    pub positions: BTreeMap<String, Position>,
}

/// Where a copy stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Position {
    /// At a sync token of the server's (RFC 6578).
    Token {
        /// The token, byte for byte.
        token: String,
        /// The calendar's tag at that time, where it has one.
        ctag: Option<String>,
        /// Where changes of the same moment may have been missed: the token before it, which is asked with once more,
        /// and what was told then, shortened by [`mark`].
        #[serde(default)]
        before: Option<(String, String)>,
    },
    /// At these members.
    Members {
        /// The calendar's tag just before they were listed, where it has one.
        ctag: Option<String>,
        /// What their entity tags are, by path and shortened by [`mark`].
        members: BTreeMap<String, String>,
        /// Whether the same tag may stand for a change of the same moment: they are listed once more.
        #[serde(default)]
        again: bool,
    },
    /// At these busy times, where nothing else may be seen; shortened by [`mark`].
    Busy(String),
    /// Nowhere: it shows nothing.
    Nothing,
}

impl Cursor {
    /// Reads a text; `None` when it is not a cursor of this form.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.strip_prefix(FORM)?).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The text of the cursor.
    pub(super) fn write(&self) -> String {
        // Texts, times and maps with text keys are always JSON.
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{FORM}{}", BASE64_URL_SAFE_NO_PAD.encode(json))
    }
}

/// Whether a tag or token can be told to change with every change: it holds a digest of the content. Others may be times
/// with the resolution of a second, or anything else.
pub(super) fn is_digest(tag: &str) -> bool {
    const LENGTH: usize = 20;
    let mut run = 0;
    tag.bytes().any(|byte| {
        run = if byte.is_ascii_hexdigit() { run + 1 } else { 0 };
        run >= LENGTH
    })
}

/// A short stand-in for a text of any length.
pub(super) fn mark(text: &str) -> String {
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
        let members = BTreeMap::from([("/ada/ä.ics".to_owned(), mark("\"1\""))]);
        for position in [
            Position::Token {
                token: "http://x/ns/sync/1".to_owned(),
                ctag: None,
                before: Some(("t".to_owned(), mark("x"))),
            },
            Position::Members { ctag: Some("7".to_owned()), members, again: true },
            Position::Busy(mark("none")),
            Position::Nothing,
        ] {
            let positions =
                BTreeMap::from([("/ada/".to_owned(), position.clone()), ("/x/".to_owned(), position)]);
            let cursor = Cursor { window, begun: window.start, positions };
            assert_eq!(Cursor::read(&cursor.write()), Some(cursor));
        }
        for text in ["", "dav2.", "dav1.e30", "dav2.e30", "dav2.%%%", "http://x/ns/sync/1"] {
            assert_eq!(Cursor::read(text), None, "{text}");
        }
        assert_ne!(mark("\"1\""), mark("W/\"1\""));
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
