//! The calendar server itself, asked without Muster: what it holds, and whom it lets in.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Client, HeaderName, Method, Request, StatusCode};
use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesRef, Event as Xml},
};
use url::Url;

use super::{
    error::{Error, Result, ensure, unexpected},
    wire,
};

const DEPTH: HeaderName = HeaderName::from_static("depth");
const KINDS: &str = r#"<propfind xmlns="DAV:"><prop><resourcetype/><C:calendar-home-set xmlns:C="urn:ietf:params:xml:ns:caldav"/></prop></propfind>"#;
const EVERYTHING: &str = r#"<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/></C:comp-filter></C:filter></C:calendar-query>"#;

/// How the technical account's access is taken away and given back.
#[derive(Debug, Clone)]
pub enum Lock {
    /// Lines of `user:password` in a file that the server reads at every request.
    File(PathBuf),
    /// Shell commands of the operator's.
    Commands {
        /// Takes it away.
        revoke: String,
        /// Gives it back.
        restore: String,
    },
}

/// A CalDAV server with the technical account's credentials.
#[derive(Debug, Clone)]
pub struct Dav {
    client: Client,
    /// Where it is.
    pub url: Url,
    /// The technical account.
    pub user: String,
    lock: Lock,
}

/// An event as the server holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// `UID`.
    pub uid: String,
    /// `SUMMARY`.
    pub title: String,
    /// `DESCRIPTION`.
    pub text: String,
    /// `DTSTART`, with its parameters and as it stands there.
    pub start: String,
}

impl Dav {
    /// The server at `url`; the address ends in a slash.
    pub fn new(client: Client, mut url: Url, user: String, lock: Lock) -> Self {
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Self { client, url, user, lock }
    }

    /// Whether the server lets the technical account in.
    pub async fn lets_in(&self, password: &str) -> Result<bool> {
        let answer = self.propfind(&self.url, password).await?;
        Ok(answer.0.is_success())
    }

    /// Whether the technical account reaches a calendar of this mailbox.
    pub async fn reaches(&self, mailbox: &str, password: &str) -> Result<bool> {
        Ok(!self.calendars(mailbox, password).await?.is_empty())
    }

    /// The events of a mailbox's calendars.
    pub async fn events(&self, mailbox: &str, password: &str) -> Result<Vec<Event>> {
        let mut found = Vec::new();
        for calendar in self.calendars(mailbox, password).await? {
            let request = self.request(b"REPORT", &calendar, password)?.header(DEPTH, "1");
            let answer = wire::send(&self.client, request.body("application/xml", EVERYTHING)).await?;
            let status = answer.status;
            ensure(status.is_success(), || format!("the calendar server answered {status} to {calendar}"))?;
            found.extend(Listing::read(&answer.text())?.texts.iter().flat_map(|text| read(text)));
        }
        Ok(found)
    }

    /// The calendars of a mailbox: those that its principal's collection lists, else those in the homes that its
    /// principal names. A mailbox of the server's own host has no domain there.
    async fn calendars(&self, mailbox: &str, password: &str) -> Result<Vec<Url>> {
        let local = mailbox.split('@').next().unwrap_or(mailbox);
        for name in [mailbox, local] {
            let place = self.url.join(&format!("{name}/"));
            let place = place.map_err(|_| unexpected(format!("{name} is no part of an address")))?;
            let listing = self.listing(&place, password).await?;
            let mut calendars = joined(&place, &listing.calendars);
            if calendars.is_empty() {
                for home in joined(&place, &listing.homes) {
                    calendars.extend(joined(&home, &self.listing(&home, password).await?.calendars));
                }
            }
            if !calendars.is_empty() {
                return Ok(calendars);
            }
        }
        Ok(Vec::new())
    }

    async fn listing(&self, place: &Url, password: &str) -> Result<Listing> {
        let (status, text) = self.propfind(place, password).await?;
        if status.is_success() {
            return Listing::read(&text);
        }
        let absent = matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN);
        ensure(absent, || format!("the calendar server answered {status} to {place}"))?;
        Ok(Listing::default())
    }

    async fn propfind(&self, url: &Url, password: &str) -> Result<(StatusCode, String)> {
        let request =
            self.request(b"PROPFIND", url, password)?.header(DEPTH, "1").body("application/xml", KINDS);
        let answer = wire::send(&self.client, request).await?;
        Ok((answer.status, answer.text()))
    }

    fn request(&self, method: &[u8], url: &Url, password: &str) -> Result<Request> {
        let method = Method::from_bytes(method).map_err(|_| unexpected("this is no method"))?;
        let basic = STANDARD.encode(format!("{}:{password}", self.user));
        Ok(Request::new(method, url.clone()).authorization(&format!("Basic {basic}")))
    }

    /// Takes the access away: the password becomes `fresh`, or the operator's command does it.
    pub async fn revoke(&self, fresh: &str) -> Result<()> {
        match &self.lock {
            Lock::File(path) => {
                let file = |source| Error::File { path: path.display().to_string(), source };
                let text = std::fs::read_to_string(path).map_err(file)?;
                let changed = with_password(&text, &self.user, fresh)
                    .ok_or_else(|| unexpected(format!("the users file does not name {}", self.user)))?;
                std::fs::write(path, changed).map_err(file)
            }
            Lock::Commands { revoke, .. } => shell(revoke).await,
        }
    }

    /// Gives the access back. Answers the password that counts from now on: a changed one stays changed.
    pub async fn restore(&self, before: &str, fresh: &str) -> Result<String> {
        match &self.lock {
            Lock::File(_) => Ok(fresh.to_owned()),
            Lock::Commands { restore, .. } => shell(restore).await.map(|()| before.to_owned()),
        }
    }
}

/// The users file with another password for one user.
fn with_password(text: &str, user: &str, password: &str) -> Option<String> {
    let is_theirs = |line: &str| line.split_once(':').is_some_and(|(name, _)| name == user);
    text.lines().any(is_theirs).then(|| {
        let lines = text
            .lines()
            .map(|line| if is_theirs(line) { format!("{user}:{password}\n") } else { format!("{line}\n") });
        lines.collect()
    })
}

async fn shell(command: &str) -> Result<()> {
    let status = tokio::process::Command::new("sh").arg("-c").arg(command).status().await;
    let status = status.map_err(|source| Error::File { path: "sh".to_owned(), source })?;
    ensure(status.success(), || format!("the command `{command}` ended with {status}"))
}

fn joined(base: &Url, hrefs: &[String]) -> Vec<Url> {
    hrefs.iter().filter_map(|href| base.join(href).ok()).collect()
}

/// What a multistatus answer lists.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listing {
    /// The addresses of calendars.
    calendars: Vec<String>,
    /// The homes that a principal names.
    homes: Vec<String>,
    /// The texts of calendar resources.
    texts: Vec<String>,
}

impl Listing {
    fn read(xml: &str) -> Result<Self> {
        let broken = |error: quick_xml::Error| unexpected(format!("the server's XML is broken: {error}"));
        let mut reader = Reader::from_str(xml);
        let (mut found, mut open, mut text) = (Self::default(), Vec::<String>::new(), String::new());
        let mut href = None;
        loop {
            match reader.read_event().map_err(broken)? {
                Xml::Eof => return Ok(found),
                Xml::Start(tag) => {
                    text.clear();
                    open.push(tag.local_name().as_ref().to_owned());
                }
                Xml::Empty(tag) if tag.local_name().as_ref() == "calendar" => {
                    found.calendars.extend(href.take());
                }
                Xml::Text(piece) => text.push_str(&piece),
                Xml::CData(piece) => text.push_str(&piece),
                Xml::GeneralRef(reference) => text.push_str(&resolved(&reference)),
                Xml::End(_) => {
                    let name = open.pop().unwrap_or_default();
                    match (name.as_str(), open.last().map(String::as_str)) {
                        ("href", Some("response")) => href = Some(std::mem::take(&mut text)),
                        ("href", Some("calendar-home-set")) => found.homes.push(std::mem::take(&mut text)),
                        ("calendar-data", _) => found.texts.push(std::mem::take(&mut text)),
                        ("calendar", Some("resourcetype")) => found.calendars.extend(href.take()),
                        ("response", _) => href = None,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }
}

/// The character that an entity of XML's own, or a number, stands for.
fn resolved(reference: &BytesRef<'_>) -> String {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => character.to_string(),
        _ => resolve_predefined_entity(reference).unwrap_or_default().to_owned(),
    }
}

/// The events of an iCalendar text (RFC 5545), read without Muster's own reader.
fn read(text: &str) -> Vec<Event> {
    let unfolded = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let (mut events, mut current) = (Vec::new(), None::<Event>);
    for line in unfolded.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match (name.split(';').next().unwrap_or(name), current.as_mut()) {
            ("BEGIN", _) if value == "VEVENT" => current = Some(Event::default()),
            ("END", Some(_)) if value == "VEVENT" => events.extend(current.take()),
            ("UID", Some(event)) => value.clone_into(&mut event.uid),
            ("SUMMARY", Some(event)) => event.title = unescaped(value),
            ("DESCRIPTION", Some(event)) => event.text = unescaped(value),
            ("DTSTART", Some(event)) => line.clone_into(&mut event.start),
            _ => {}
        }
    }
    events
}

fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n")
        .replace("\\N", "\n")
        .replace("\\,", ",")
        .replace("\\;", ";")
        .replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_password_is_changed_and_no_other() {
        let users = "ada@corp.test:x:y\nsvc:old\n";
        assert_eq!(with_password(users, "svc", "new").as_deref(), Some("ada@corp.test:x:y\nsvc:new\n"));
        assert_eq!(with_password(users, "nobody", "new"), None);
    }

    #[test]
    fn calendars_are_told_from_other_collections() {
        let xml = r#"<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
            <response><href>/ada/</href><propstat><prop><resourcetype><collection/></resourcetype></prop></propstat></response>
            <response><href>/ada/calendar/</href><propstat><prop><resourcetype><collection/><C:calendar/></resourcetype></prop></propstat></response>
            </multistatus>"#;
        assert_eq!(Listing::read(xml).unwrap().calendars, ["/ada/calendar/"]);
        assert_eq!(Listing::read("<multistatus><response>").unwrap(), Listing::default());
    }

    #[test]
    fn homes_and_texts_are_found_in_what_a_server_lists() {
        let xml = r#"<m:multistatus xmlns:m="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><m:response>
            <m:href>/ada/</m:href><m:propstat><m:prop><C:calendar-home-set><m:href>/ada/c&amp;d/</m:href>
            </C:calendar-home-set></m:prop></m:propstat></m:response><m:response><m:href>/x.ics</m:href><m:propstat>
            <m:prop><C:calendar-data>A&#13;&lt;B</C:calendar-data></m:prop></m:propstat></m:response></m:multistatus>"#;
        let listing = Listing::read(xml).unwrap();
        assert_eq!((listing.homes, listing.texts), (vec!["/ada/c&d/".to_owned()], vec!["A\r<B".to_owned()]));
    }

    #[test]
    fn an_event_is_read_over_folded_lines() {
        let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Europe/Berlin:20260101T090000\r\n\
                    SUMMARY:Talk\\, short\r\nDESCRIPTION:This booking\r\n  has been\\nOrganised by Ada\r\nEND:VEVENT\r\n\
                    END:VCALENDAR\r\n";
        let event = Event {
            uid: "1".to_owned(),
            title: "Talk, short".to_owned(),
            text: "This booking has been\nOrganised by Ada".to_owned(),
            start: "DTSTART;TZID=Europe/Berlin:20260101T090000".to_owned(),
        };
        assert_eq!(read(text), [event]);
    }
}
