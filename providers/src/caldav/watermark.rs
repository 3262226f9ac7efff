//! Detects whether a mailbox has changed at all, from the state of its calendars; one request per calendar.
//!
//! Both the sync token (RFC 6578 section 4) and the tag of a calendar change with every change in the calendar. They
//! are only compared, so it does not matter whether the server still accepts old tokens. If a calendar has neither,
//! the entity tags of its resources are compared.
//!
//! Some servers derive tags from times in seconds, so that a second change within the same second would be missed.
//! Therefore a change is reported once more on the next query, unless the tags are digests.

use serde::{Deserialize, Serialize};

use super::{
    cursor::{is_digest, short_digest},
    href,
    locate::LocatedMailbox,
    sync,
    transport::DavClient,
};
use crate::{ChangeCheck, Result};

/// The state of a mailbox's calendars at a point in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Watermark {
    /// The paths of the calendars.
    calendars: Vec<String>,
    /// Digest of the state of the calendars ([`short_digest`]).
    state: String,
    /// Whether a change may have been missed although the state is unchanged.
    #[serde(default)]
    again: bool,
}

/// Compares calendars with an earlier state. Calendars that show only busy times cannot be compared, because their
/// busy times may come from elsewhere.
pub(super) async fn check_for_changes(
    dav: &DavClient<'_>,
    place: &LocatedMailbox,
    before: Option<&str>,
) -> Result<ChangeCheck> {
    let (mut calendars, mut states, mut is_exact) = (Vec::new(), Vec::new(), true);
    for calendar in place.busy_calendars() {
        if calendar.is_free_busy_only() {
            return Ok(ChangeCheck::Changed(None));
        }
        let said = sync::read_state(dav, calendar).await?;
        states.push(match (&said.token, &said.ctag) {
            (None, None) => {
                let members = sync::member_digests(dav, calendar).await?;
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
        calendars.push(href::resource_id(&calendar.url));
    }
    let before: Option<Watermark> = before.and_then(|before| serde_json::from_str(before).ok());
    let mut now = Watermark { calendars, state: short_digest(&states.join("\n")), again: false };
    let is_same =
        before.as_ref().is_some_and(|before| before.calendars == now.calendars && before.state == now.state);
    let is_settled = is_same && before.is_some_and(|before| !before.again);
    now.again = !is_same && !is_exact;
    // Lists and texts are always JSON.
    let text = serde_json::to_string(&now).unwrap_or_default();
    Ok(if is_settled { ChangeCheck::Same(text) } else { ChangeCheck::Changed(Some(text)) })
}
