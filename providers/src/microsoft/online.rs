//! Teams meetings of events.
//!
//! A meeting is requested with the event, only if the calendar permits it, and cannot be removed again. Its join URL
//! may become available a moment later. Microsoft writes the joining information into the event's body, and replacing
//! the body without it removes the meeting: therefore a new description is put before the joining information.
//!
//! Source: learn.microsoft.com/graph/outlook-calendar-online-meetings, …/api/event-update.

use serde_json::{Value, json};

use super::{
    Microsoft,
    request::{Call, with_query},
    wire,
};
use crate::{
    Error, ErrorKind, Event, NewEvent, OnlineMeeting, Remedy, Result, Session, messages, rest::RestApi,
};

/// Name of the meeting provider Teams.
const TEAMS: &str = "teamsForBusiness";
/// The line of underscores with which the joining information in an event's body begins.
const RULE: &str = "______________________________";

/// Whether a calendar permits Teams meetings.
pub(super) fn allows_meetings(calendar: &wire::Calendar) -> bool {
    calendar.allowed_online_meeting_providers.iter().any(|provider| provider == TEAMS)
}

/// Parses the online meeting of an event.
pub(super) fn read_meeting(raw: &wire::Event) -> Option<OnlineMeeting> {
    let url = raw.online_meeting.as_ref().and_then(|meeting| meeting.join_url.clone());
    raw.is_online_meeting.unwrap_or_default().then(|| OnlineMeeting::from_url(url))
}

impl Microsoft {
    /// Whether the new event requests an online meeting and its calendar permits one.
    pub(super) async fn may_request_meeting(
        &self,
        session: &Session,
        mailbox: &str,
        new: &NewEvent,
    ) -> Result<bool> {
        match new.online_meeting {
            true => Ok(self.read_calendar(session, mailbox).await?.capabilities.online_meetings),
            false => Ok(false),
        }
    }

    /// Builds the body with a new description, followed by the joining information if the event has a meeting.
    pub(super) async fn body_with_meeting(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        text: &str,
    ) -> Result<Value> {
        let fields = [("$select", "body,isOnlineMeeting,onlineMeeting")];
        let url = with_query(self.mailbox_url(mailbox, &["events", id])?, &fields);
        let stands: wire::EventBodyAndOnlineMeeting =
            self.call_json(session, &Call::get(url).for_mailbox(mailbox).about_object()).await?;
        let url = stands.online_meeting.and_then(|meeting| meeting.join_url);
        let html = stands.body.and_then(|body| body.content).unwrap_or_default();
        match (stands.is_online_meeting.unwrap_or_default(), join_part(&html, url.as_deref())) {
            (true, Some(part)) => {
                let content = format!("<html><body><div>{}</div>{part}</body></html>", escaped(text));
                Ok(json!({ "contentType": "html", "content": content }))
            }
            (true, None) if url.is_some() => Err(Error::new(
                ErrorKind::Conflict,
                Remedy::Never,
                "JOIN_TEXT_UNKNOWN",
                messages::microsoft_text_holds_the_meeting(),
            )),
            _ => Ok(plain_text_body(text)),
        }
    }
}

/// An event body with plain text.
pub(super) fn plain_text_body(text: &str) -> Value {
    json!({ "contentType": "text", "content": text })
}

/// Adds a meeting request to a new event.
pub(super) fn request_meeting(body: &mut Value) {
    body["isOnlineMeeting"] = true.into();
    body["onlineMeetingProvider"] = TEAMS.into();
}

/// The written event, with the outcome of the meeting request.
pub(super) fn with_meeting_outcome(new: &NewEvent, may_meet: bool, written: Event) -> Event {
    match new.online_meeting && !may_meet {
        true => Event { online_meeting: Some(OnlineMeeting::Failed), ..written },
        false => written,
    }
}

/// The joining information in a body: from the element with the last line of underscores before the join URL, because
/// people also write such lines.
fn join_part<'a>(html: &'a str, url: Option<&str>) -> Option<&'a str> {
    let end = html.find("</body>").unwrap_or(html.len());
    let html = &html[..end];
    let join = url.and_then(|url| html.find(url).or_else(|| html.find(&url.replace('&', "&amp;"))));
    let line = match join {
        Some(join) => html[..join].rfind(RULE),
        None => html.find(RULE),
    }?;
    let line = html[..line].trim_end_matches('_').len();
    let start = html[..line].rfind("<div").filter(|start| !html[*start..line].contains("</div"));
    Some(&html[start.unwrap_or(line)..])
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('\n', "<br>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://teams.microsoft.com/l/meetup-join/1?a=1&b=2";

    #[test]
    fn the_part_on_how_to_join_begins_with_its_line_and_ends_with_the_text() {
        let part = format!("<div><span>{RULE}__</span></div>\n<a href=\"{URL}\">Join</a>\n<div>{RULE}</div>");
        let html = format!("<html><body><div>Agenda</div>{part}</body></html>");
        assert_eq!(join_part(&html, Some(URL)), Some(part.as_str()));
        assert_eq!(join_part(&html, None), Some(part.as_str()));
    }

    #[test]
    fn a_line_that_a_person_drew_is_not_the_part_on_how_to_join() {
        let part = format!("<div>{RULE}</div><a href=\"{}\">Join</a>", URL.replace('&', "&amp;"));
        let html = format!("<body><div>One<br>{RULE}____<br>Two</div>{part}</body>");
        assert_eq!(join_part(&html, Some(URL)), Some(part.as_str()));
        let bare = format!("Agenda<br>{RULE}____<br>Join at {URL}");
        assert_eq!(join_part(&bare, Some(URL)), Some(&bare["Agenda<br>".len()..]));
        assert_eq!(join_part("<div>Agenda</div>", Some(URL)), None);
    }

    #[test]
    fn a_text_of_ours_is_no_markup() {
        assert_eq!(escaped("a < b & c\nd"), "a &lt; b &amp; c<br>\nd");
    }
}
