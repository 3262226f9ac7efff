//! Teams meetings: created with an event, joinable after a delay, and removed when the joining information is removed
//! from the event's body.

use chrono::Duration;
use domain::Timestamp;
use serde_json::{Value, json};

use crate::model::{DelaySettings, Event, Mailbox, Meeting};

/// Name of the meeting provider Teams.
pub const TEAMS_PROVIDER: &str = "teamsForBusiness";
/// The line above and below the joining information in an event's body.
const RULE: &str = "________________________________________________________________________________";

/// The meeting providers that a mailbox's calendar permits.
pub fn permitted_meeting_providers(mailbox: &Mailbox) -> Vec<&'static str> {
    if mailbox.online_meetings { vec![TEAMS_PROVIDER] } else { Vec::new() }
}

/// Makes `event` an online meeting if `body` requests one. An existing online meeting is removed if a new event body
/// omits the joining information.
pub fn apply_meeting_request(
    event: &mut Event,
    body: &Value,
    mailbox: &Mailbox,
    settings: DelaySettings,
    now: Timestamp,
) {
    if event.meeting.is_some() && body.get("body").is_some() && !event.body.contains(&url(event)) {
        event.meeting = None;
        return;
    }
    let provider = body["onlineMeetingProvider"].as_str().unwrap_or(TEAMS_PROVIDER);
    let asked = body["isOnlineMeeting"] == true && permitted_meeting_providers(mailbox).contains(&provider);
    if asked && event.meeting.is_none() {
        let ready_at = now + Duration::seconds(i64::from(settings.meeting_delay_s));
        event.meeting = Some(Meeting { ready_at, request: None });
        event.body = with_join_part(event);
        "html".clone_into(&mut event.body_type);
    }
}

/// The URL for joining a meeting.
fn url(event: &Event) -> String {
    format!("https://teams.microsoft.com/l/meetup-join/{}", event.ical_uid)
}

fn with_join_part(event: &Event) -> String {
    let text = match event.body_type.as_str() {
        "html" => event.body.clone(),
        _ => event.body.replace('&', "&amp;").replace('<', "&lt;").replace('\n', "<br>\n"),
    };
    let rule = format!("<div style=\"width:100%\"><span>{RULE}</span></div>");
    let join = format!(
        "<div class=\"me-email-text\"><a class=\"me-email-headline\" href=\"{}\">Join the meeting now</a></div>",
        url(event)
    );
    format!("<html><body>\n<div>{text}</div>\n{rule}\n{join}\n{rule}\n</body></html>")
}

/// Adds the state of the meeting of `event` at `now` to the response.
pub fn add_meeting(value: &mut Value, event: &Event, now: Timestamp) {
    let Some(meeting) = &event.meeting else { return };
    value["isOnlineMeeting"] = true.into();
    value["onlineMeetingProvider"] = TEAMS_PROVIDER.into();
    if meeting.ready_at <= now {
        value["onlineMeeting"] = json!({ "joinUrl": url(event) });
    }
}
