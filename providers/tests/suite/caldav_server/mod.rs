//! A real Radicale or Xandikos with the organisation of `tests/radicale`, one per test, and an independent client.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Ids, SharedClock, TestClock, Timestamp};
use providers::{
    Credential, Session, StaticCredentials, UnlimitedGate,
    caldav::{CalDav, Config},
};
use url::Url;

/// The Monday in which the fixture's events begin.
pub const MONDAY: &str = "2026-11-30";

/// The server program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Principals are named by their addresses; rooms are marked in their descriptions.
    Radicale,
    /// Principals are named by the part before the `@`; the server publishes addresses and rooms.
    Xandikos,
}

/// A running server; stopped when dropped.
pub struct Server {
    /// The loopback address, with the port that the server listens on.
    pub url: Url,
    /// The service account's password.
    pub password: String,
    kind: Kind,
    data: tempfile::TempDir,
    server: Child,
}

impl Server {
    /// Starts a server with a fresh organisation and waits until it is ready.
    pub fn start(kind: Kind) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (script, ready) = match kind {
            Kind::Radicale => ("tests/radicale/serve.py", "Radicale server ready"),
            Kind::Xandikos => ("tests/xandikos/serve.py", "Xandikos server ready"),
        };
        let mut server = Command::new(python())
            .arg(repository().join(script))
            .args(["--port", "0", "--json", "--start", MONDAY, "--data"])
            .arg(data.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the Python of MUSTER_PYTHON starts");
        let mut told = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut told).unwrap();
        let mut log = BufReader::new(server.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains(ready) {
            let read = log.read_line(&mut said).unwrap();
            assert!(read > 0, "the calendar server ended before it was ready:\n{said}");
        }
        // The rest of the log is read away, so that the server never waits for a full pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let text = |key: &str| told[key].as_str().unwrap().to_owned();
        Self { url: text("url").parse().unwrap(), password: text("password"), kind, data, server }
    }

    /// Starts Radicale.
    pub fn radicale() -> Self {
        Self::start(Kind::Radicale)
    }

    /// Starts Xandikos.
    pub fn xandikos() -> Self {
        Self::start(Kind::Xandikos)
    }

    /// Makes the server forget every sync token that it has issued for a person's calendar.
    pub fn forget_tokens(&self, address: &str) {
        let collections = self.data.path().join("collections");
        match self.kind {
            Kind::Radicale => {
                let calendar = collections.join("collection-root").join(address).join("calendar");
                let tokens = calendar.join(".Radicale.cache/sync-token");
                std::fs::remove_dir_all(tokens).expect("Radicale has given tokens away");
                // The token of the state that still holds is made of that state: the state has to change too.
                let old = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Fixture//EN\r\nBEGIN:VEVENT\r\nUID:old\r\n\
                           DTSTAMP:20010101T000000Z\r\nDTSTART:20010101T000000Z\r\nSUMMARY:Old\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
                std::fs::write(calendar.join("old.ics"), old).unwrap();
            }
            Kind::Xandikos => {
                let calendar = collections.join(local(address)).join("calendars/calendar");
                let answer = Command::new(python())
                    .arg(repository().join("tests/xandikos/forget.py"))
                    .arg(calendar)
                    .output()
                    .unwrap();
                assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
            }
        }
    }

    /// Limits the service account to a person's busy times, which only Xandikos' gate can do.
    pub fn close(&self, address: &str) {
        assert_eq!(self.kind, Kind::Xandikos);
        std::fs::write(self.data.path().join("closed"), format!("{address}\n")).unwrap();
    }

    /// Puts a resource into a person's calendar, as another program would. Returns the status.
    pub async fn put(&self, address: &str, name: &str, text: &str) -> u16 {
        let at = match self.kind {
            Kind::Radicale => format!("{address}/calendar/{name}"),
            Kind::Xandikos => format!("{}/calendars/calendar/{name}", local(address)),
        };
        let request = http::Request::new(http::Method::PUT, self.url.join(&at).unwrap())
            .authorization(&format!("Basic {}", BASE64_STANDARD.encode(format!("svc:{}", self.password))))
            .body("text/calendar; charset=utf-8", text.to_owned());
        client().send(request).await.unwrap().status.as_u16()
    }

    /// A session of the service account.
    pub fn session(&self) -> Session {
        self.session_with(&self.password)
    }

    /// A session of the service account with the given password.
    pub fn session_with(&self, password: &str) -> Session {
        let (user, password) = ("svc".to_owned(), password.to_owned().into());
        Session {
            credentials: Arc::new(StaticCredentials(Credential::Basic { user, password })),
            gate: Arc::new(UnlimitedGate),
            server: Some(self.url.clone()),
            account: "svc@corp.test".to_owned(),
            own: false,
            zone: None,
            scope: "test".into(),
            rooms: None,
        }
    }

    /// Changes the service account's password on the running server.
    pub fn change_password(&self, password: &str) {
        let file = self.data.path().join("users");
        let users = std::fs::read_to_string(&file).unwrap();
        let line = |line: &str| match line.split_once(':') {
            Some(("svc", _)) => format!("svc:{password}\n"),
            _ => format!("{line}\n"),
        };
        // Replaced at once, so that the server never reads half a file.
        let new = file.with_extension("new");
        std::fs::write(&new, users.lines().map(line).collect::<String>()).unwrap();
        std::fs::rename(new, file).unwrap();
    }

    /// What the independent client finds for a UID in a principal's calendars.
    pub fn read_back(&self, principal: &str, uid: &str) -> serde_json::Value {
        let principal = if self.kind == Kind::Xandikos { local(principal) } else { principal };
        let answer = Command::new(python())
            .arg(repository().join("tests/python/read_back.py"))
            .args([self.url.as_str(), "svc", &self.password, principal, uid])
            .output()
            .unwrap();
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        serde_json::from_slice(&answer.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A connector whose clock stands still in the week before the fixture's.
pub fn caldav() -> CalDav {
    caldav_at(clock())
}

/// A clock that stands still in the week before the fixture's.
pub fn clock() -> Arc<TestClock> {
    Arc::new(TestClock::at(at("2026-11-25T09:00:00Z")))
}

/// A connector with the given clock.
pub fn caldav_at(clock: Arc<TestClock>) -> CalDav {
    let clock: SharedClock = clock;
    CalDav::new(Config::default(), client(), clock.clone(), Ids::seeded(clock, 1))
}

fn client() -> http::Client {
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap()
}

/// The part of an address before the `@`.
fn local(address: &str) -> &str {
    address.split('@').next().unwrap_or(address)
}

/// Parses an instant.
pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn python() -> PathBuf {
    let hint = "run the tests with scripts/test: it installs Radicale and sets MUSTER_PYTHON to a Python that has it";
    let python = std::env::var_os("MUSTER_PYTHON").map(PathBuf::from);
    python.filter(|python| python.is_file()).unwrap_or_else(|| panic!("{hint}"))
}

/// The addresses of everybody in the fixture, as the folders in which the server keeps them.
pub fn people() -> BTreeSet<String> {
    let list = "import fixture; print(*(p for p, _, _ in fixture.principals() if '@' in p and not p.startswith('room-')))";
    let answer = Command::new(python())
        .current_dir(repository().join("tests/radicale"))
        .args(["-B", "-c", list])
        .output()
        .unwrap();
    String::from_utf8(answer.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}
