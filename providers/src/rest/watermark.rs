//! Detects whether a mailbox has changed, by the position at the end of a list of changes.
//!
//! The watermark holds that position with the mailbox and window of its list, because a position means nothing for
//! another mailbox or window.

use domain::TimeRange;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::{ChangeCheck, Remedy, Result};

/// Asks whether anything has changed since `known`. `walk` reads the list that begins at a position, or at the
/// beginning, to its end and returns the position there, and whether the list contained anything. `key` names the
/// position in the watermark.
pub(crate) async fn poll<'a>(
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
