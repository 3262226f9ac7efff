//! Google Meet conferences: requested with an event, pending at first.
//!
//! The id of the request derives from the effect key: Google ignores a repeated request with the same id. If the
//! calendar permits no conference, Google refuses the whole event without writing anything.
//!
//! Source: developers.google.com/workspace/calendar/api/guides/create-events, section "Add video and phone
//! conferences".

use serde_json::{Value, json};

use super::wire;
use crate::{Error, OnlineMeeting};

/// Query parameter that enables conference data; without it Google ignores conference requests.
pub(super) const CONFERENCE_VERSION: (&str, &str) = ("conferenceDataVersion", "1");
const MEET: &str = "hangoutsMeet";

/// The conference request for a new event.
pub(super) fn conference_request(effect_key: &str) -> Value {
    json!({ "createRequest": {
        "requestId": effect_key,
        "conferenceSolutionKey": { "type": MEET },
    } })
}

/// The code used if the calendar permits no conference.
const REFUSED: &str = "invalidConferenceType";

/// Derives a code from the message of an error, because Google uses the same reason for all invalid requests.
pub(super) fn refusal_code(refusal: &Value) -> Option<String> {
    let sentence = refusal["message"].as_str()?;
    sentence.starts_with("Invalid conference type").then(|| REFUSED.to_owned())
}

/// Whether a new event was refused because its calendar permits no conference.
pub(super) fn is_conference_refused(error: &Error) -> bool {
    error.code == REFUSED
}

/// The online meeting of an event, from its conference data.
pub(super) fn read_conference(raw: &wire::Event) -> Option<OnlineMeeting> {
    let data = raw.conference_data.as_ref();
    let points = data.into_iter().flat_map(|data| &data.entry_points);
    let video = points.filter(|point| point.kind.as_deref() == Some("video"));
    let mut url = video.filter_map(|point| point.uri.clone());
    if let Some(url) = url.next().or_else(|| raw.hangout_link.clone()) {
        return Some(OnlineMeeting::from_url(Some(url)));
    }
    let status = data?.create_request.as_ref()?.status.as_ref()?.status_code.as_deref();
    Some(if status == Some("failure") { OnlineMeeting::Failed } else { OnlineMeeting::Pending })
}
