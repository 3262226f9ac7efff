//! A server that answers by a script: for what no real server does on demand.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use domain::{Ids, SharedClock, TestClock, TimeRange};
use providers::{
    Credential, Session, StaticCredentials, UnlimitedGate,
    caldav::{CalDav, Config},
};
use url::Url;

/// One answer: status, headers, body. Status 0 breaks the connection off after the request was read.
pub type Reply = (u16, Vec<(&'static str, String)>, String);

/// The running script.
pub struct Script {
    /// Where it listens.
    pub url: Url,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// Answers one request after the other with these; what comes after them is answered 418. What every look-up begins
    /// with (who the account is, who else is there) is answered beside them and not told by [`Self::heard`].
    pub fn play(answers: impl IntoIterator<Item = Reply>) -> Self {
        Self::begin(answers, true)
    }

    /// Answers every request with these.
    pub fn raw(answers: impl IntoIterator<Item = Reply>) -> Self {
        Self::begin(answers, false)
    }

    fn begin(answers: impl IntoIterator<Item = Reply>, is_found: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (mut answers, record) = (answers.into_iter().collect::<VecDeque<_>>(), heard.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut reader = BufReader::new(stream.unwrap());
                let (heard, body) = hear(&mut reader);
                if let Some(answer) = discovery(&heard, &body).filter(|_| is_found) {
                    say(reader, &answer);
                    continue;
                }
                let answer = answers.pop_front().unwrap_or((418, Vec::new(), String::new()));
                record.lock().unwrap().push(heard);
                say(reader, &answer);
            }
        });
        Self { url, heard }
    }

    /// What was asked: method, path and the headers and values that matter.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// Who the account is, and that Ada is there.
fn discovery(heard: &str, body: &str) -> Option<Reply> {
    let principal = "<resourcetype><principal/></resourcetype>";
    if body.contains(EVERYTHING) {
        return Some(plain(501));
    }
    if body.contains("current-user-principal") {
        return Some(multistatus(&response("/", OWN)));
    }
    if heard.starts_with("PROPFIND /svc/ ") && heard.ends_with(" 0") {
        return Some(multistatus(&response("/svc/", ACCOUNT)));
    }
    (heard.starts_with("PROPFIND / ") && heard.ends_with(" 1"))
        .then(|| multistatus(&(response("/svc/", principal) + &response("/ada%40corp.test/", principal))))
}

/// What a query for all events of a calendar holds.
pub const EVERYTHING: &str = "<C:comp-filter name=\"VEVENT\"></C:comp-filter>";
/// The properties of the root: the account's principal.
pub const OWN: &str = "<current-user-principal><href>/svc/</href></current-user-principal>";
/// The properties of the account's principal.
pub const ACCOUNT: &str = "<resourcetype><principal/></resourcetype>\
    <C:calendar-home-set><href>/svc/</href></C:calendar-home-set>\
    <C:calendar-user-address-set><href>mailto:svc@corp.test</href></C:calendar-user-address-set>";

/// What was asked: method, path and the headers that matter; and the body.
pub fn hear(reader: &mut BufReader<TcpStream>) -> (String, String) {
    let (mut heard, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end();
        let Some((name, value)) = line.split_once(": ") else {
            if line.is_empty() {
                break;
            }
            heard.push_str(line.trim_end_matches(" HTTP/1.1"));
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "if-match" | "if-none-match" | "depth" | "authorization" => heard.extend([" ", value]),
            _ => {}
        }
    }
    let mut read = vec![0; length];
    reader.read_exact(&mut read).unwrap();
    (heard, String::from_utf8(read).unwrap())
}

/// Answers, or breaks off.
pub fn say(reader: BufReader<TcpStream>, (status, headers, body): &Reply) {
    if *status == 0 {
        return;
    }
    let mut text = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    // A client that hung up has what it wanted.
    let _ = reader.into_inner().write_all(format!("{text}\r\n{body}").as_bytes());
}

/// `207` with these responses.
pub fn multistatus(responses: &str) -> Reply {
    let body = format!(
        r#"<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{responses}</multistatus>"#
    );
    (207, Vec::new(), body)
}

/// One response with properties that are there.
pub fn response(href: &str, props: &str) -> String {
    format!(
        "<response><href>{href}</href><propstat><prop>{props}</prop><status>HTTP/1.1 200 OK</status></propstat></response>"
    )
}

/// An answer without anything.
pub fn plain(status: u16) -> Reply {
    (status, Vec::new(), String::new())
}

/// A connector whose clock stands still in the week before.
pub fn caldav() -> CalDav {
    let clock: SharedClock = Arc::new(TestClock::at("2026-11-25T09:00:00Z".parse().unwrap()));
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    CalDav::new(Config::default(), client, clock.clone(), Ids::seeded(clock, 1))
}

/// The service account's password.
pub fn basic(password: &str) -> Credential {
    Credential::Basic { user: "svc".to_owned(), password: password.to_owned().into() }
}

/// Access as the service account.
pub fn session(script: &Script) -> Session {
    Session {
        credentials: Arc::new(StaticCredentials(basic("pw"))),
        gate: Arc::new(UnlimitedGate),
        server: Some(script.url.clone()),
        account: "svc@corp.test".to_owned(),
        own: false,
        zone: None,
        scope: "test".into(),
        rooms: None,
    }
}

/// The window of the tests.
pub fn saturday() -> TimeRange {
    TimeRange::new("2026-12-05T00:00:00Z".parse().unwrap(), "2026-12-06T00:00:00Z".parse().unwrap()).unwrap()
}
