//! Changes an event as another client of the calendar server would.

use domain::{TimeRange, Timestamp};
use url::Url;

use super::{DavClient, EVERYTHING, Event, multistatus::Resource};
use crate::{
    error::{Result, ensure, unexpected},
    wire,
};

impl DavClient {
    /// Moves the event with this UID in a mailbox's calendar.
    pub async fn move_event(&self, mailbox: &str, uid: &str, to: TimeRange, password: &str) -> Result<()> {
        let (place, text) = self.find(mailbox, uid, password).await?;
        let request = self.request(b"PUT", &place, password)?;
        self.write(request.body("text/calendar; charset=utf-8", moved(&text, to)), &place).await
    }

    /// Deletes the event with this UID from a mailbox's calendar.
    pub async fn delete_event(&self, mailbox: &str, uid: &str, password: &str) -> Result<()> {
        let (place, _) = self.find(mailbox, uid, password).await?;
        self.write(self.request(b"DELETE", &place, password)?, &place).await
    }

    async fn write(&self, request: http::Request, place: &Url) -> Result<()> {
        let answer = wire::send(&self.client, request).await?;
        ensure(answer.status.is_success(), || {
            format!("the calendar server answered {} to {place}", answer.status)
        })
    }

    /// The place and the text of the event with this UID.
    async fn find(&self, mailbox: &str, uid: &str, password: &str) -> Result<(Url, String)> {
        for calendar in &self.calendars(mailbox, password).await?.targets {
            let answer = self.send(b"REPORT", calendar, "1", EVERYTHING, password).await?;
            for resource in Resource::parse_all(&answer.url, &answer.text)? {
                let text = resource.text("calendar-data");
                if Event::parse_all(text).iter().any(|event| event.uid == uid) {
                    return Ok((resource.url.clone(), text.to_owned()));
                }
            }
        }
        Err(unexpected(format!("the event {uid} is not in the calendar of {mailbox}")))
    }
}

/// The event at another time, in UTC.
fn moved(text: &str, to: TimeRange) -> String {
    let at = |time: Timestamp| time.format("%Y%m%dT%H%M%SZ");
    let mut is_event = false;
    let lines = text.lines().map(|line| {
        match line.trim_end() {
            "BEGIN:VEVENT" => is_event = true,
            "END:VEVENT" => is_event = false,
            _ => {}
        }
        match line.split([':', ';']).next() {
            Some("DTSTART") if is_event => format!("DTSTART:{}\r\n", at(to.start)),
            Some("DTEND" | "DURATION") if is_event => format!("DTEND:{}\r\n", at(to.end)),
            _ => format!("{}\r\n", line.trim_end()),
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_event_moves() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nDTSTART:19700101T000000\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\n\
            DTSTART;TZID=Europe/Berlin:20260101T090000\nDURATION:PT1H\nEND:VEVENT\nEND:VCALENDAR\n";
        let to =
            TimeRange::new("2026-07-01T08:30:00Z".parse().unwrap(), "2026-07-01T09:00:00Z".parse().unwrap());
        let expected = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nDTSTART:19700101T000000\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\n\
            DTSTART:20260701T083000Z\nDTEND:20260701T090000Z\nEND:VEVENT\nEND:VCALENDAR\n";
        assert_eq!(moved(text, to.unwrap()), expected.replace('\n', "\r\n"));
    }
}
