//! Page tokens and sync tokens, opaque to clients.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    google::failure::Failure,
    microsoft::identity::keys::sha256,
    store::{CalendarKey, State},
};

/// Position in a paged list, encoded in a page token.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct PagePosition {
    /// Number of rows already returned.
    pub skip: usize,
    /// Value of [`crate::history::History::count`] when the list was started.
    pub clock: u64,
}

impl PagePosition {
    /// Encodes the position as a page token.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Decodes a page token.
    pub fn decode(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Token {
    clock: u64,
    epoch: u64,
    about: String,
}

fn about(owner: &CalendarKey, parameters: &str) -> String {
    URL_SAFE_NO_PAD.encode(&sha256(format!("{}|{}|{parameters}", owner.0, owner.1).as_bytes())[..12])
}

/// The sync token of a list that contains all changes up to `clock`.
pub fn encode_sync_token(state: &State, owner: &CalendarKey, clock: u64, parameters: String) -> String {
    let token = Token { clock, epoch: state.history.epoch, about: about(owner, &parameters) };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
}

/// The change number up to which the list that issued a sync token was complete. An invalidated token, or one of a
/// different calendar or with different parameters, requires a full list.
pub fn parse_sync_token(
    state: &State,
    owner: &CalendarKey,
    token: &str,
    parameters: String,
) -> Result<u64, Failure> {
    let read =
        |text: &str| -> Option<Token> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok() };
    let good = |token: &Token| token.epoch == state.history.epoch && token.about == about(owner, &parameters);
    read(token).filter(good).map(|token| token.clock).ok_or_else(|| {
        let text = "Sync token is no longer valid, a full sync is required.";
        Failure::new(410, "calendar", "fullSyncRequired", text)
    })
}
