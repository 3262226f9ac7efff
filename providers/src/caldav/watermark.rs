//! Whether a calendar has changed at all: by what it says about its own state, in one request.
//!
//! The sync token (RFC 6578 section 4) and the tag of a calendar both change with everything in it. They are only
//! compared, both where there are both, so a server that has forgotten its tokens, or takes an unknown one for none,
//! does no harm. Where a calendar has neither, the entity tags of its members are compared.

use serde::{Deserialize, Serialize};

use super::{cursor::mark, directory::Located, href, sync, transport::Dav};
use crate::{Result, Since};

/// The state of a calendar at some moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Watermark {
    /// The path of the calendar.
    calendar: String,
    /// What stands for its state; shortened by [`mark`].
    state: String,
}

/// Compares a calendar with how it was. Closed calendars cannot be compared: their busy times may come from elsewhere.
pub(super) async fn ask(dav: &Dav<'_>, place: &Located, before: Option<&str>) -> Result<Since> {
    if place.calendar.is_closed() {
        return Ok(Since::Changed(None));
    }
    let calendar = &place.calendar;
    let said = sync::state(dav, calendar).await?;
    let state = match (&said.token, &said.ctag) {
        (None, None) => format!("{:?}", sync::members(dav, calendar).await?),
        said => format!("{said:?}"),
    };
    let now = Watermark { calendar: href::id(&calendar.url), state: mark(&state) };
    // Two texts are always JSON.
    let text = serde_json::to_string(&now).unwrap_or_default();
    let is_same =
        before.and_then(|before| serde_json::from_str(before).ok()).is_some_and(|before| now == before);
    Ok(if is_same { Since::Same(text) } else { Since::Changed(Some(text)) })
}
