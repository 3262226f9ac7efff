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
const FORM: &str = "dav1.";
/// How many bytes stand for an entity tag.
const MARK: usize = 9;

/// A cursor, understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The path of the calendar.
    pub calendar: String,
    /// The window that events are told in.
    pub window: TimeRange,
    /// When everything was read last.
    pub begun: Timestamp,
    /// Where it stands.
    pub position: Position,
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
    },
    /// At these members.
    Members {
        /// The calendar's tag just before they were listed, where it has one.
        ctag: Option<String>,
        /// What their entity tags are, by path and shortened by [`mark`].
        members: BTreeMap<String, String>,
    },
    /// At these busy times, where nothing else may be seen; shortened by [`mark`].
    Busy(String),
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
            Position::Token { token: "http://x/ns/sync/1".to_owned(), ctag: None },
            Position::Members { ctag: Some("7".to_owned()), members },
            Position::Busy(mark("none")),
        ] {
            let cursor = Cursor { calendar: "/ada/".to_owned(), window, begun: window.start, position };
            assert_eq!(Cursor::read(&cursor.write()), Some(cursor));
        }
        for text in ["", "dav1.", "dav0.e30", "dav1.e30", "dav1.%%%", "http://x/ns/sync/1"] {
            assert_eq!(Cursor::read(text), None, "{text}");
        }
        assert_ne!(mark("\"1\""), mark("W/\"1\""));
    }
}
