//! Detects whether a mailbox has changed, by the position at the end of a list of changes.
//!
//! The watermark contains that position together with its mailbox and window, because a position is valid only for
//! that mailbox and window.

use domain::TimeRange;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::{ChangeCheck, Remedy, Result};

/// Checks whether anything has changed since `known`. `walk` reads the list of changes from a position (or from the
/// start) to its end, and returns the final position and whether the list contained any change. `key` names the
/// position in the watermark.
pub(crate) async fn poll_watermark<'a>(
    key: &str,
    (mailbox, window): (&str, TimeRange),
    known: Option<&str>,
    walk: impl Fn(Option<String>) -> BoxFuture<'a, Result<(String, bool)>> + Send,
) -> Result<ChangeCheck> {
    let write = |position: String| json!({ "mailbox": mailbox, "window": window, key: position }).to_string();
    if let Some(position) = known.and_then(|known| position(known, key, mailbox, window)) {
        match walk(Some(position)).await {
            Ok((position, false)) => return Ok(ChangeCheck::Same(write(position))),
            Ok((position, true)) => return Ok(ChangeCheck::Changed(Some(write(position)))),
            Err(error) if error.remedy == Remedy::Resync => {}
            Err(error) => return Err(error),
        }
    }
    let (position, _) = walk(None).await?;
    Ok(ChangeCheck::Changed(Some(write(position))))
}

/// The position in a watermark of this mailbox and window.
fn position(watermark: &str, key: &str, mailbox: &str, window: TimeRange) -> Option<String> {
    let known: Value = serde_json::from_str(watermark).ok()?;
    let is_ours = known["mailbox"] == mailbox && known["window"] == json!(window);
    known[key].as_str().filter(|_| is_ours).map(str::to_owned)
}
