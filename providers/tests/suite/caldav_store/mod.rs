//! A CalDAV server in memory that hands out what it was given byte by byte, whatever that is.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use domain::Zone;
use providers::{Session, StaticCredentials, UnlimitedGate};
use url::Url;

/// The mailbox whose calendar it holds.
pub const ADA: &str = "ada@example.test";

/// What it holds.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// What stands in Ada's calendar: names and bytes.
    pub members: Vec<(String, Vec<u8>)>,
    /// The zone that the calendar tells, if it tells one.
    pub zone: Option<String>,
    /// Addresses of hers beside [`ADA`].
    pub addresses: Vec<String>,
    /// Answers that are given in place of its own, by the beginning of the request's method and path: bodies with 207.
    pub instead: Vec<(&'static str, String)>,
    /// Bodies with 200 that are given once each, in place of the next reports: what is no CalDAV.
    pub nonsense: Vec<String>,
    /// Collections beside the one with the members: response elements.
    pub collections: String,
}

/// The running server.
pub struct Store {
    /// Where it listens.
    pub url: Url,
    contents: Arc<Mutex<Contents>>,
}

impl Store {
    /// Serves these contents.
    pub fn serve(contents: Contents) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let contents = Arc::new(Mutex::new(contents));
        let served = contents.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &served);
            }
        });
        Self { url, contents }
    }

    /// Changes what it holds.
    pub fn change(&self, change: impl FnOnce(&mut Contents)) {
        change(&mut self.contents.lock().unwrap());
    }

    /// Access as the service account; `zone` is the owner's.
    pub fn session(&self, zone: Option<&str>) -> Session {
        Session {
            credentials: Arc::new(StaticCredentials(crate::caldav_script::basic("pw"))),
            gate: Arc::new(UnlimitedGate),
            server: Some(self.url.clone()),
            account: "svc@example.test".to_owned(),
            own: false,
            zone: zone.and_then(Zone::from_name),
            scope: "test".into(),
            rooms: None,
        }
    }
}

/// A request, as far as it matters.
struct Request {
    line: String,
    depth: String,
    body: String,
}

fn read(reader: &mut impl BufRead) -> Request {
    let mut request = Request { line: String::new(), depth: "0".to_owned(), body: String::new() };
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end();
        match line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value)) {
            None if line.is_empty() => break,
            None => line.trim_end_matches(" HTTP/1.1").clone_into(&mut request.line),
            Some((name, value)) if name == "depth" => value.clone_into(&mut request.depth),
            Some((name, value)) if name == "content-length" => length = value.parse().unwrap(),
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request.body = String::from_utf8_lossy(&body).into_owned();
    request
}

fn answer(stream: TcpStream, contents: &Mutex<Contents>) {
    let mut reader = BufReader::new(stream);
    let request = read(&mut reader);
    let (status, body) = judge(&request, &mut contents.lock().unwrap());
    let head = format!(
        "HTTP/1.1 {status} X\r\nDAV: 1, 3, calendar-access\r\nAllow: OPTIONS, GET, PUT, DELETE, REPORT\r\n\
         ETag: \"1\"\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = reader.into_inner();
    // A client that hung up has what it wanted.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

fn judge(request: &Request, contents: &mut Contents) -> (u16, Vec<u8>) {
    let (method, path) = request.line.split_once(' ').unwrap_or((&request.line, "/"));
    let path = path.replace("%40", "@");
    if let Some((_, body)) = contents.instead.iter().find(|(start, _)| request.line.starts_with(start)) {
        return (207, body.clone().into_bytes());
    }
    if method == "REPORT" && !contents.nonsense.is_empty() {
        return (200, contents.nonsense.remove(0).into_bytes());
    }
    let whole = request.depth == "1";
    match (method, path.trim_end_matches('/')) {
        ("OPTIONS", _) => (200, Vec::new()),
        ("GET", path) => match member(path, contents) {
            Some(bytes) => (200, bytes.to_vec()),
            None => (404, Vec::new()),
        },
        ("PROPFIND", "") => (207, multistatus(&response("/", OWN))),
        ("PROPFIND", "/principals") => {
            let all = ["svc", "ada"]
                .map(|name| response(&format!("/principals/{name}/"), &principal(name, contents)));
            (
                207,
                multistatus(&format!(
                    "{}{}",
                    response("/principals/", ""),
                    if whole { all.concat() } else { String::new() }
                )),
            )
        }
        ("PROPFIND", path) if matches!(path, "/principals/svc" | "/principals/ada") => {
            (207, multistatus(&response(&format!("{path}/"), &principal(&path[12..], contents))))
        }
        ("PROPFIND", path) if matches!(path, "/calendars/svc" | "/calendars/ada") => {
            let own = response(
                &format!("{path}/"),
                &format!("<resourcetype><collection/></resourcetype>{}", owner(&path[11..])),
            );
            let inside = if path.ends_with("ada") {
                format!("{}{}", calendar(contents), contents.collections)
            } else {
                String::new()
            };
            (207, multistatus(&format!("{own}{}", if whole { inside } else { String::new() })))
        }
        ("PROPFIND", "/calendars/ada/office") => {
            let members = if whole { members(contents, "") } else { Vec::new() };
            (207, [b"<multistatus xmlns=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:S=\"http://calendarserver.org/ns/\">".as_slice(), calendar(contents).as_bytes(), &members, b"</multistatus>"].concat())
        }
        ("REPORT", "/calendars/ada/office")
            if request.body.contains("calendar-query") || request.body.contains("calendar-multiget") =>
        {
            let members = members(contents, &request.body);
            (207, [HEAD, &members, b"</multistatus>"].concat())
        }
        ("REPORT", _) => (501, Vec::new()),
        _ => (404, Vec::new()),
    }
}

const HEAD: &[u8] = b"<multistatus xmlns=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\">";
const OWN: &str = "<current-user-principal><href>/principals/svc/</href></current-user-principal>\
    <principal-collection-set><href>/principals/</href></principal-collection-set>";

fn multistatus(inside: &str) -> Vec<u8> {
    [HEAD, inside.as_bytes(), b"</multistatus>"].concat()
}

/// A response element with properties that are there.
pub fn response(href: &str, props: &str) -> String {
    format!(
        "<response><href>{href}</href><propstat><prop>{props}</prop><status>HTTP/1.1 200 OK</status></propstat></response>"
    )
}

fn owner(name: &str) -> String {
    format!("<owner><href>/principals/{name}/</href></owner>")
}

fn principal(name: &str, contents: &Contents) -> String {
    let further = if name == "ada" { contents.addresses.clone() } else { Vec::new() };
    let addresses = std::iter::once(format!("{name}@example.test")).chain(further);
    let addresses: String =
        addresses.map(|address| format!("<href>mailto:{address}</href>")).collect::<Vec<_>>().concat();
    format!(
        "<resourcetype><principal/></resourcetype><displayname>{name}</displayname>\
         <C:calendar-home-set><href>/calendars/{name}/</href></C:calendar-home-set>\
         <C:calendar-user-address-set>{addresses}</C:calendar-user-address-set>"
    )
}

fn calendar(contents: &Contents) -> String {
    let zone = contents.zone.as_ref().map_or_else(String::new, |zone| {
        format!("<C:calendar-timezone>BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:{zone}\nEND:VTIMEZONE\nEND:VCALENDAR</C:calendar-timezone>")
    });
    let props = format!(
        "<resourcetype><collection/><C:calendar/></resourcetype><displayname>Work</displayname>{}{zone}\
         <C:supported-calendar-component-set><C:comp name=\"VEVENT\"/></C:supported-calendar-component-set>\
         <current-user-privilege-set><privilege><read/></privilege><privilege><write/></privilege></current-user-privilege-set>",
        owner("ada")
    );
    response("/calendars/ada/office/", &props)
}

fn member<'a>(path: &str, contents: &'a Contents) -> Option<&'a [u8]> {
    let name = path.strip_prefix("/calendars/ada/office/")?;
    contents.members.iter().find(|(known, _)| known == name).map(|(_, bytes)| bytes.as_slice())
}

/// The members that a report asks for, with their data where it asks for that.
fn members(contents: &Contents, report: &str) -> Vec<u8> {
    let named = report.contains("calendar-multiget");
    let mut all = Vec::new();
    for (name, bytes) in &contents.members {
        if named && !report.contains(&format!("/office/{name}<")) {
            continue;
        }
        let head = format!(
            "<response><href>/calendars/ada/office/{name}</href><propstat><prop><getetag>\"1\"</getetag>"
        );
        all.extend_from_slice(head.as_bytes());
        if report.contains("calendar-data") {
            all.extend_from_slice(b"<C:calendar-data>");
            all.extend(escaped(bytes));
            all.extend_from_slice(b"</C:calendar-data>");
        }
        all.extend_from_slice(b"</prop><status>HTTP/1.1 200 OK</status></propstat></response>");
    }
    all
}

/// Bytes as they may stand in XML; what XML may not hold at all stays what it is.
fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'&' => text.extend_from_slice(b"&amp;"),
            b'<' => text.extend_from_slice(b"&lt;"),
            b'>' => text.extend_from_slice(b"&gt;"),
            byte => text.push(*byte),
        }
    }
    text
}
