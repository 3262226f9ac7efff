//! A server that plays a script of responses and records the requests: for behaviour that the sandbox does not imitate,
//! and for the exact shape of requests.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use domain::{BusyKind, Ids, TestClock, TimeRange, Timestamp, state::Answer};
use providers::{
    Attendee, AttendeeRole, Credential, NamedAddress, NewEvent, Session, StaticCredentials, UnlimitedGate,
    exchange::{Config, Exchange},
};
use url::Url;

/// One response: status, header lines and body. Status 0 closes the connection after reading the request.
pub type Reply = (u16, &'static str, String);

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The method and the path.
    pub line: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The SOAP envelope that the connector sent.
    pub body: String,
}

impl Heard {
    /// The value of a header by its lower-case name; `None` when absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The text of the body between the first `start` and the next `end`.
    pub fn between(&self, start: &str, end: &str) -> &str {
        let rest = self.body.split_once(start).map(|(_, rest)| rest).unwrap_or_default();
        rest.split_once(end).map(|(inside, _)| inside).unwrap_or_default()
    }

    /// The operation: the content of the envelope's body.
    pub fn operation(&self) -> &str {
        self.between("<soap:Body>", "</soap:Body>")
    }
}

/// A running server.
pub struct Script {
    /// The loopback URL that it listens on.
    pub url: Url,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Script {
    /// Sends the given responses one after the other, then `418`.
    pub fn play(answers: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (mut answers, record) = (answers.into_iter().collect::<VecDeque<_>>(), heard.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let answer = answers.pop_front().unwrap_or((418, "", String::new()));
                serve(stream.unwrap(), &answer, &record);
            }
        });
        Self { url, heard }
    }

    /// All requests so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, (status, headers, body): &Reply, record: &Mutex<Vec<Heard>>) {
    let mut reader = BufReader::new(stream);
    let mut heard = Heard { line: String::new(), headers: Vec::new(), body: String::new() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match (line.trim_end(), line.trim_end().split_once(": ")) {
            ("", _) => break,
            (_, Some((name, value))) => heard.headers.push((name.to_ascii_lowercase(), value.to_owned())),
            (line, None) => line.trim_end_matches(" HTTP/1.1").clone_into(&mut heard.line),
        }
    }
    let length = heard.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut read = vec![0; length];
    reader.read_exact(&mut read).unwrap();
    heard.body = String::from_utf8(read).unwrap();
    record.lock().unwrap().push(heard);
    if *status == 0 {
        return;
    }
    let text = format!(
        "HTTP/1.1 {status} Told\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    // A client that hung up has what it wanted.
    let _ = reader.into_inner().write_all(text.as_bytes());
}

/// A success with this body.
pub fn soap(inside: &str) -> Reply {
    let text = format!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">{inside}</s:Body></s:Envelope>"#
    );
    (200, "", text)
}

/// The response to an operation, with these messages.
pub fn messages(operation: &str, messages: &str) -> Reply {
    soap(&format!(
        "<m:{operation}Response><m:ResponseMessages>{messages}</m:ResponseMessages></m:{operation}Response>"
    ))
}

/// A response message that reports success.
pub fn fine(operation: &str, inside: &str) -> String {
    format!(
        r#"<m:{operation}ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{inside}</m:{operation}ResponseMessage>"#
    )
}

/// A response message that reports an error.
pub fn refused(operation: &str, code: &str) -> String {
    format!(
        r#"<m:{operation}ResponseMessage ResponseClass="Error"><m:MessageText>-</m:MessageText><m:ResponseCode>{code}</m:ResponseCode></m:{operation}ResponseMessage>"#
    )
}

/// The mailbox that the requests are about.
pub const MAILBOX: &str = "ada@corp.test";
pub const EFFECT: &str = r#"<t:ExtendedFieldURI PropertySetId="5b0f6e2c-93c4-4b7e-8d15-6a1de0a7c94f" PropertyName="effectKey" PropertyType="String"/>"#;
pub const CALENDAR: &str = r#"<t:DistinguishedFolderId Id="calendar"/>"#;

pub fn exchange(autodiscover: &[String]) -> Exchange {
    let clock = Arc::new(TestClock::at(at("2026-11-25T09:00:00Z")));
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    Exchange::new(Config { autodiscover: autodiscover.to_vec() }, client, Ids::seeded(clock, 1))
}

pub fn session(script: &Script) -> Session {
    let basic = Credential::Basic { user: "svc@corp.test".to_owned(), password: "pw".to_owned().into() };
    Session {
        credentials: Arc::new(StaticCredentials(basic)),
        gate: Arc::new(UnlimitedGate),
        server: Some(script.url.clone()),
        account: "svc@corp.test".to_owned(),
        own: false,
        zone: None,
        scope: "test".into(),
        rooms: None,
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn window(start: &str, end: &str) -> TimeRange {
    TimeRange::new(at(start), at(end)).unwrap()
}

pub fn day() -> TimeRange {
    window("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z")
}

pub fn interview() -> NewEvent {
    let party =
        |name: &str, address: &str| NamedAddress { name: name.to_owned(), address: address.to_owned() };
    let attendee = |party, role| Attendee { party, role, answer: Answer::None };
    NewEvent {
        effect_key: "bkg-1".to_owned(),
        title: "Interview".to_owned(),
        text: "Agenda".to_owned(),
        range: window("2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z"),
        zone: "Europe/Berlin".to_owned(),
        location: Some("Room 1".to_owned()),
        organiser: party("Ada", MAILBOX),
        attendees: vec![
            attendee(party("Bob", "bob@corp.test"), AttendeeRole::Required),
            attendee(party("Room 1", "room-1@corp.test"), AttendeeRole::Room),
        ],
        busy: Some(BusyKind::Busy),
        online_meeting: false,
    }
}

/// A FindItem response.
pub fn found(items: &str, whole: bool) -> Reply {
    let root = format!(
        r#"<m:RootFolder TotalItemsInView="1" IncludesLastItemInRange="{whole}"><t:Items>{items}</t:Items></m:RootFolder>"#
    );
    messages("FindItem", &fine("FindItem", &root))
}

/// A GetItem response with one item.
pub fn got(item: &str) -> String {
    fine("GetItem", &format!("<m:Items>{item}</m:Items>"))
}

pub fn item(id: &str, key: &str, inside: &str) -> String {
    format!(
        r#"<t:CalendarItem><t:ItemId Id="{id}" ChangeKey="{key}"/><t:Subject>Interview</t:Subject><t:ExtendedProperty>{EFFECT}<t:Value>bkg-1</t:Value></t:ExtendedProperty><t:UID>uid-1</t:UID><t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End>{inside}</t:CalendarItem>"#
    )
}

pub const GUEST: &str = "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:Name>Bob</t:Name><t:EmailAddress>bob@corp.test</t:EmailAddress></t:Mailbox><t:ResponseType>Unknown</t:ResponseType></t:Attendee></t:RequiredAttendees>";
