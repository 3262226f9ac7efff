//! Whether a mailbox has changed at all: by what its calendars say about their own state, in one request for each.
//!
//! The sync token (RFC 6578 section 4) and the tag of a calendar both change with everything in it. They are only
//! compared, both where there are both, so a server that has forgotten its tokens, or takes an unknown one for none,
//! does no harm. Where a calendar has neither, the entity tags of its members are compared.
//!
//! Some servers make tags of times in seconds: what changes in the same second as the change that was just told would
//! never be told. So after a change the answer is once more that something has changed, unless the tags are digests.

use serde::{Deserialize, Serialize};

use super::{
    cursor::{is_digest, mark},
    href,
    locate::Located,
    sync,
    transport::DavClient,
};
use crate::{ChangeCheck, Result};

/// The state of a mailbox's calendars at some moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Watermark {
    /// The paths of the calendars.
    calendars: Vec<String>,
    /// What stands for their state; shortened by [`mark`].
    state: String,
    /// Whether the same state may hide a change.
    #[serde(default)]
    again: bool,
}

/// Compares calendars with how they were. Closed ones cannot be compared: their busy times may come from elsewhere.
pub(super) async fn ask(dav: &DavClient<'_>, place: &Located, before: Option<&str>) -> Result<ChangeCheck> {
    let (mut calendars, mut states, mut is_exact) = (Vec::new(), Vec::new(), true);
    for calendar in place.counted() {
        if calendar.is_closed() {
            return Ok(ChangeCheck::Changed(None));
        }
        let said = sync::state(dav, calendar).await?;
        states.push(match (&said.token, &said.ctag) {
            (None, None) => {
                let members = sync::members(dav, calendar).await?;
                // A member without a tag may have changed at any time.
                if members.values().any(String::is_empty) {
                    return Ok(ChangeCheck::Changed(None));
                }
                format!("{members:?}")
            }
            said => {
                is_exact &= [said.0, said.1].into_iter().flatten().all(|tag| is_digest(tag));
                format!("{said:?}")
            }
        });
        calendars.push(href::id(&calendar.url));
    }
    let before: Option<Watermark> = before.and_then(|before| serde_json::from_str(before).ok());
    let mut now = Watermark { calendars, state: mark(&states.join("\n")), again: false };
    let is_same =
        before.as_ref().is_some_and(|before| before.calendars == now.calendars && before.state == now.state);
    let is_settled = is_same && before.is_some_and(|before| !before.again);
    now.again = !is_same && !is_exact;
    // Lists and texts are always JSON.
    let text = serde_json::to_string(&now).unwrap_or_default();
    Ok(if is_settled { ChangeCheck::Same(text) } else { ChangeCheck::Changed(Some(text)) })
}
