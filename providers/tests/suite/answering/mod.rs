//! A loopback server that answers each request with a function, and the three connectors that talk to it.

pub mod exchange;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use domain::{Ids, TestClock, TimeRange, Timestamp, UnreadableReason, Zone};
use providers::{
    Credential, EventPage, Provider, Session, StaticCredentials, UnlimitedGate,
    exchange::{Config, Exchange},
    google::Google,
    microsoft::{self, ClientCredential, Microsoft},
};
use secrecy::SecretString;
use url::Url;

use crate::{google_setup, microsoft_recorder::Asked};

/// The response that the test's function returns.
#[derive(Debug, Clone)]
pub struct Told {
    pub status: u16,
    /// Header lines, each ending with `\r\n`.
    pub headers: String,
    pub body: Vec<u8>,
}

impl Told {
    /// A `200` without extra headers.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: String::new(), body: body.into() }
    }

    /// A refusal without a body.
    pub fn refused(status: u16, headers: &str) -> Self {
        Self { status, headers: headers.to_owned(), body: Vec::new() }
    }
}

/// An HTTP server on a random loopback port; it records every request.
pub struct Server {
    pub url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Asked) -> Told + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let record = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let request = read(&mut stream);
                record.lock().unwrap().push(request.clone());
                tell(stream.into_inner(), &answer(&request));
            }
        });
        Self { url, asked }
    }

    /// The requests since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Asked {
    let mut lines = stream.lines().map(Result::unwrap).take_while(|line| !line.is_empty());
    let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    Asked { line, headers, body: String::from_utf8(body).unwrap() }
}

fn tell(mut stream: TcpStream, Told { status, headers, body }: &Told) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} Told\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n");
    // A client that hung up has what it wanted.
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
}

/// The three connectors, each with a session for the server.
pub fn connectors(url: &Url, zone: Option<&str>) -> Vec<(&'static str, Box<dyn Provider>, Session)> {
    let zone = zone.map(|name| Zone::from_name(name).unwrap());
    let bearer = Credential::Bearer(SecretString::from("t1"));
    let login = Credential::Basic { user: "svc@corp.test".to_owned(), password: "pw".to_owned().into() };
    let session = |credential, server| Session {
        credentials: Arc::new(StaticCredentials(credential)),
        gate: Arc::new(UnlimitedGate),
        server,
        account: "svc@corp.test".to_owned(),
        own: false,
        zone: zone.clone(),
        scope: "test".into(),
        rooms: None,
    };
    vec![
        ("graph", Box::new(graph(url)) as Box<dyn Provider>, session(bearer.clone(), None)),
        ("google", Box::new(google(url)), session(bearer, None)),
        ("exchange", Box::new(on_premises()), session(login, Some(url.clone()))),
    ]
}

fn client() -> http::Client {
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    let max_body = 1024 * 1024;
    http::Client::new(http::Config { allowance, max_body, ..http::Config::default() }).unwrap()
}

fn graph(url: &Url) -> Microsoft {
    let secret = ClientCredential::Secret(SecretString::from("a secret made for this test"));
    let config = microsoft::Config::new(url.clone(), url.join("v1.0").unwrap(), "client", secret);
    let clock = Arc::new(TestClock::at(at("2026-11-29T09:00:00Z")));
    Microsoft::new(config, client(), clock.clone(), Ids::seeded(clock, 1))
}

fn google(url: &Url) -> Google {
    let clock = Arc::new(TestClock::at(at("2026-11-29T09:00:00Z")));
    Google::new(google_setup::config(url), client(), clock.clone(), Ids::seeded(clock, 1))
}

fn on_premises() -> Exchange {
    let clock = Arc::new(TestClock::at(at("2026-11-29T09:00:00Z")));
    Exchange::new(Config { autodiscover: Vec::new() }, client(), Ids::seeded(clock, 1))
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A range in December 2026, from texts such as `07T00:00`.
pub fn december(start: &str, end: &str) -> TimeRange {
    let at = |text: &str| at(&format!("2026-12-{text}:00Z"));
    TimeRange::new(at(start), at(end)).unwrap()
}

/// The window that a connector's request covers; `None` for other requests.
pub fn window_of(asked: &Asked) -> Option<TimeRange> {
    let between = |text: &str, start: &str, end: &str| {
        Some(text.split_once(start)?.1.split_once(end)?.0.replace("%3A", ":").replace("%2B", "+"))
    };
    let query = |name: &str| between(&format!("{}&", asked.line), &format!("{name}="), "&");
    let xml = |name: &str| between(&asked.body, &format!("{name}=\""), "\"");
    let element =
        |name: &str| between(&asked.body, &format!("<t:{name}>"), "<").map(|text| format!("{text}Z"));
    let json = |name: &str| between(&asked.body, &format!("\"{name}\":\""), "\"");
    let graph = |name: &str| {
        let inside = between(&asked.body, &format!("\"{name}\":{{"), "}")?;
        between(&inside, "\"dateTime\":\"", "\"").map(|text| format!("{text}Z"))
    };
    let start = query("startDateTime").or_else(|| query("timeMin")).or_else(|| xml("StartDate"));
    let start =
        start.or_else(|| element("StartTime")).or_else(|| json("timeMin")).or_else(|| graph("startTime"));
    let end = query("endDateTime").or_else(|| query("timeMax")).or_else(|| xml("EndDate"));
    let end = end.or_else(|| element("EndTime")).or_else(|| json("timeMax")).or_else(|| graph("endTime"));
    TimeRange::new(start?.parse().ok()?, end?.parse().ok()?)
}

/// The mailbox that the requests are about.
pub const ADA: &str = "ada@corp.test";

/// The window that the tests read.
pub fn week() -> TimeRange {
    december("07T00:00", "14T00:00")
}

/// Reads the events of the week.
pub async fn events(provider: &dyn Provider, session: &Session) -> EventPage {
    provider.events(session, ADA, week(), None).await.unwrap()
}

/// The titles, and the ranges of events without one.
pub fn told(page: &EventPage) -> (Vec<String>, Vec<TimeRange>) {
    let titles = page.items.iter().filter_map(|event| event.title.clone()).collect();
    let blocks = page.items.iter().filter(|event| event.title.is_none() && event.busy.is_some());
    (titles, blocks.map(|event| event.range).collect())
}

/// The marked items: UID, reason, and whether they block.
pub fn marks(page: &EventPage) -> Vec<(String, UnreadableReason, bool)> {
    page.unreadable.iter().map(|mark| (mark.uid.clone(), mark.reason, mark.blocks)).collect()
}
