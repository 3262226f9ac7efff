//! A small CalDAV server in memory whose every response can be replaced, to imitate what real servers send.

use std::{
    collections::BTreeMap,
    io::BufReader,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use providers::Session;
use url::Url;

use crate::caldav_script::{self as script, Reply, hear, multistatus, plain, response, say};

/// A recorded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The HTTP verb, such as `PROPFIND`.
    pub method: String,
    /// The path as sent, undecoded.
    pub path: String,
    /// The request line and the headers that matter, as one text.
    pub line: String,
    /// The XML that the client sent; empty for none.
    pub body: String,
}

impl Ask {
    /// Whether the request also covers the members directly below (`Depth: 1`).
    pub fn is_deep(&self) -> bool {
        self.line.ends_with(" 1")
    }

    /// Whether the request is a `calendar-query` for events with their data.
    pub fn is_query(&self) -> bool {
        self.body.contains("calendar-query") && self.body.contains("calendar-data")
    }
}

/// The server's content by path: properties of collections and principals, and texts of events.
pub type Nodes = BTreeMap<String, String>;

/// A running server.
pub struct Setup {
    /// The loopback URL that it listens on.
    pub url: Url,
    asked: Arc<Mutex<Vec<Ask>>>,
    nodes: Arc<Mutex<Nodes>>,
}

impl Setup {
    /// Serves `nodes`; a response by `other` takes precedence.
    pub fn serve(nodes: Nodes, other: impl Fn(&Ask) -> Option<Reply> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let (asked, nodes) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(nodes)));
        let (record, served) = (asked.clone(), nodes.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut reader = BufReader::new(stream.unwrap());
                let (line, body) = hear(&mut reader);
                let mut words = line.split(' ').map(str::to_owned);
                let (method, path) = (words.next().unwrap(), words.next().unwrap());
                let ask = Ask { method, path, line, body };
                record.lock().unwrap().push(ask.clone());
                let answer = other(&ask).unwrap_or_else(|| answer(&mut served.lock().unwrap(), &ask));
                say(reader, &answer);
            }
        });
        Self { url, asked, nodes }
    }

    /// A session of the service account.
    pub fn session(&self) -> Session {
        Session { server: Some(self.url.clone()), ..script::session(&script::Script::raw([])) }
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Ask> {
        self.asked.lock().unwrap().clone()
    }

    /// The number of requests so far that satisfy a condition.
    pub fn count(&self, fits: impl Fn(&Ask) -> bool) -> usize {
        self.asked().iter().filter(|ask| fits(ask)).count()
    }

    /// The server's content, for changing it.
    pub fn nodes(&self) -> std::sync::MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap()
    }
}

fn answer(nodes: &mut Nodes, ask: &Ask) -> Reply {
    let path = decode(&ask.path);
    let is_event = |node: &str| node.starts_with("BEGIN:VCALENDAR");
    match (ask.method.as_str(), nodes.get(&path)) {
        ("PUT", there) => {
            let status = if there.is_some() { 204 } else { 201 };
            nodes.insert(path, ask.body.clone());
            (status, vec![("ETag", etag(&ask.body))], String::new())
        }
        (_, None) => plain(404),
        ("DELETE", Some(_)) => {
            nodes.remove(&path);
            plain(204)
        }
        ("GET", Some(node)) if is_event(node) => (200, vec![("ETag", etag(node))], node.clone()),
        ("OPTIONS", Some(_)) => {
            let allow = "GET, PUT, DELETE, PROPFIND, REPORT";
            (200, vec![("Allow", allow.into()), ("DAV", "1, calendar-access".into())], String::new())
        }
        ("PROPFIND", Some(props)) => {
            let mut all = response(&path, props);
            let children = nodes.iter().filter(|(child, _)| ask.is_deep() && is_child(&path, child));
            all.extend(children.map(|(child, node)| match is_event(node) {
                true => response(child, &format!("<getetag>{}</getetag>", etag(node))),
                false => response(child, node),
            }));
            multistatus(&all)
        }
        ("REPORT", Some(_)) if ask.body.contains("calendar-query") || ask.body.contains("multiget") => {
            let wanted =
                |child: &str| !ask.body.contains("multiget") || ask.body.contains(&format!(">{child}<"));
            let events = nodes.iter().filter(|(child, node)| is_child(&path, child) && is_event(node));
            let with = ask.body.contains("calendar-data");
            multistatus(
                &events
                    .filter(|(child, _)| wanted(child))
                    .map(|(child, node)| member(child, node, with))
                    .collect::<String>(),
            )
        }
        _ => plain(501),
    }
}

/// One member of a multistatus response.
pub fn member(path: &str, text: &str, with_data: bool) -> String {
    let data = if with_data {
        format!("<C:calendar-data><![CDATA[{text}]]></C:calendar-data>")
    } else {
        String::new()
    };
    response(path, &format!("<getetag>{}</getetag>{data}", etag(text)))
}

fn is_child(parent: &str, child: &str) -> bool {
    child
        .strip_prefix(parent)
        .is_some_and(|rest| !rest.is_empty() && !rest.trim_end_matches('/').contains('/'))
}

fn etag(text: &str) -> String {
    let sum =
        text.bytes().take(4_000).fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("\"{sum:x}-{}\"", text.len())
}

fn decode(path: &str) -> String {
    path.replace("%40", "@").replace("%20", " ")
}

/// The properties of a principal with these mail addresses and homes.
pub fn principal(name: &str, addresses: &[&str], homes: &[&str]) -> String {
    let hrefs = |all: &[&str], before: &str| -> String {
        all.iter().map(|href| format!("<href>{before}{href}</href>")).collect::<Vec<_>>().concat()
    };
    format!(
        "<resourcetype><principal/><collection/></resourcetype><displayname>{name}</displayname>\
         <C:calendar-user-address-set>{}</C:calendar-user-address-set><C:calendar-home-set>{}</C:calendar-home-set>",
        hrefs(addresses, "mailto:"),
        hrefs(homes, "")
    )
}

/// The properties of a calendar, followed by `more`.
pub fn calendar(more: &str) -> String {
    format!("<resourcetype><collection/><C:calendar/></resourcetype>{more}")
}

/// A `DAV:owner` property.
pub fn owner(href: &str) -> String {
    format!("<owner><href>{href}</href></owner>")
}

/// A set of privileges: reading and writing, or only reading.
pub fn rights(writes: bool) -> &'static str {
    if writes {
        "<current-user-privilege-set><privilege><read/></privilege><privilege><write/></privilege></current-user-privilege-set>"
    } else {
        "<current-user-privilege-set><privilege><read/></privilege></current-user-privilege-set>"
    }
}

/// A resource with one event of an hour, at the given hour of Saturday.
pub fn event(uid: &str, hour: u32, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Other//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261101T080000Z\r\n\
         DTSTART:20261205T{hour:02}0000Z\r\nDURATION:PT1H\r\nSUMMARY:{uid}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// Content for an account that lists `/p/ada/` at `/p/` among its principals, with the home `/c/ada/`.
pub fn nodes(more: impl IntoIterator<Item = (&'static str, String)>) -> Nodes {
    let own = "<current-user-principal><href>/p/svc/</href></current-user-principal>\
               <principal-collection-set><href>/p/</href></principal-collection-set>";
    let first = [
        ("/", own.to_owned()),
        ("/p/", "<resourcetype><collection/></resourcetype>".to_owned()),
        ("/p/svc/", principal("Service", &["svc@corp.test"], &["/c/svc/"])),
        ("/p/ada/", principal("Ada", &["ada@corp.test"], &["/c/ada/"])),
        ("/c/svc/", "<resourcetype><collection/></resourcetype>".to_owned()),
        ("/c/ada/", "<resourcetype><collection/></resourcetype>".to_owned()),
    ];
    first.into_iter().chain(more).map(|(path, node)| (path.to_owned(), node)).collect()
}
