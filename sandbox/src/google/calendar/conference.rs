//! Meet conferences: requested with an event, pending at first.

use chrono::Duration;
use domain::Timestamp;
use serde_json::{Value, json};

use crate::{
    google::{caller::CallContext, failure::Failure},
    microsoft::identity::keys::sha256,
    model::{DelaySettings, Event, Mailbox, Meeting},
};

const MEET: &str = "hangoutsMeet";

/// The conference types that a mailbox's calendar permits.
pub fn permitted_conference_types(mailbox: &Mailbox) -> Vec<&'static str> {
    if mailbox.online_meetings { vec![MEET] } else { Vec::new() }
}

/// Applies the conference request in `body` to `event`. Ignored if the client does not name the conference data
/// version.
pub fn apply_conference_request(
    call: &CallContext<'_>,
    event: &mut Event,
    body: &Value,
    mailbox: &Mailbox,
    settings: DelaySettings,
) -> Result<(), Failure> {
    match call.request.query("conferenceDataVersion") {
        None | Some("0") => return Ok(()),
        Some("1") => {}
        Some(_) => return Err(Failure::invalid_request("Invalid value for: conferenceDataVersion")),
    }
    match body.get("conferenceData") {
        None => Ok(()),
        Some(Value::Null) => {
            event.meeting = None;
            Ok(())
        }
        Some(data) => match data.get("createRequest") {
            None => Ok(()),
            Some(request) => create(event, request, mailbox, settings, call.app.now()),
        },
    }
}

fn create(
    event: &mut Event,
    request: &Value,
    mailbox: &Mailbox,
    settings: DelaySettings,
    now: Timestamp,
) -> Result<(), Failure> {
    let id = request["requestId"].as_str().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Failure::missing_value("Missing conference request id."))?;
    let kind = request["conferenceSolutionKey"]["type"].as_str().unwrap_or_default();
    if !permitted_conference_types(mailbox).contains(&kind) {
        return Err(Failure::invalid_request("Invalid conference type value."));
    }
    // The same request again is ignored.
    if event.meeting.as_ref().is_none_or(|known| known.request.as_deref() != Some(id)) {
        let ready_at = now + Duration::seconds(i64::from(settings.meeting_delay_s));
        event.meeting = Some(Meeting { ready_at, request: Some(id.to_owned()) });
    }
    Ok(())
}

/// Adds the state of the conference of `event` at `now` to the response.
pub fn add_conference(value: &mut Value, event: &Event, now: Timestamp) {
    let Some(meeting) = &event.meeting else { return };
    let ready = meeting.ready_at <= now;
    let mut data = json!({});
    if let Some(id) = &meeting.request {
        data["createRequest"] = json!({
            "requestId": id,
            "conferenceSolutionKey": { "type": MEET },
            "status": { "statusCode": if ready { "success" } else { "pending" } },
        });
    }
    if ready {
        let code = code(event);
        let url = format!("https://meet.google.com/{code}");
        let label = format!("meet.google.com/{code}");
        data["entryPoints"] = json!([{ "entryPointType": "video", "uri": url, "label": label }]);
        data["conferenceSolution"] = json!({ "key": { "type": MEET }, "name": "Google Meet" });
        data["conferenceId"] = code.into();
        value["hangoutLink"] = url.into();
    }
    value["conferenceData"] = data;
}

/// A conference code of ten letters in three groups.
fn code(event: &Event) -> String {
    let hash = sha256(event.ical_uid.as_bytes());
    let letters: String = hash.iter().take(10).map(|byte| char::from(b'a' + byte % 26)).collect();
    format!("{}-{}-{}", &letters[..3], &letters[3..7], &letters[7..])
}
