//! A real Radicale with the organisation of `tests/radicale`, one per test, and the independent client.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use domain::{Ids, SharedClock, TestClock, Timestamp};
use providers::{
    Credential, OpenGate, Session, StaticCredentials,
    caldav::{CalDav, Config},
};
use url::Url;

/// The Monday in which the fixture's events begin.
pub const MONDAY: &str = "2026-11-30";

/// A running server; it ends with this value.
pub struct Radicale {
    /// Where it is.
    pub url: Url,
    /// The service account's password.
    pub password: String,
    users: PathBuf,
    server: Child,
    _data: tempfile::TempDir,
}

impl Radicale {
    /// Starts a server with a fresh organisation and waits until it says that it is ready.
    pub fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut server = Command::new(python())
            .arg(repository().join("tests/radicale/serve.py"))
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
        while !said.contains("Radicale server ready") {
            let read = log.read_line(&mut said).unwrap();
            assert!(read > 0, "Radicale ended before it was ready:\n{said}");
        }
        // The rest of the log is read away, so that the server never waits for a full pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let text = |key: &str| told[key].as_str().unwrap().to_owned();
        Self {
            url: text("url").parse().unwrap(),
            password: text("password"),
            users: text("users").into(),
            server,
            _data: data,
        }
    }

    /// Access as the service account.
    pub fn session(&self) -> Session {
        self.session_with(&self.password)
    }

    /// Access as the service account with this password.
    pub fn session_with(&self, password: &str) -> Session {
        let (user, password) = ("svc".to_owned(), password.to_owned().into());
        Session {
            credentials: Arc::new(StaticCredentials(Credential::Basic { user, password })),
            gate: Arc::new(OpenGate),
            server: Some(self.url.clone()),
            account: "svc@corp.test".to_owned(),
            own: false,
        }
    }

    /// Changes the service account's password on the running server.
    pub fn change_password(&self, password: &str) {
        let users = std::fs::read_to_string(&self.users).unwrap();
        let line = |line: &str| match line.split_once(':') {
            Some(("svc", _)) => format!("svc:{password}\n"),
            _ => format!("{line}\n"),
        };
        // Replaced at once, so that the server never reads half a file.
        let new = self.users.with_extension("new");
        std::fs::write(&new, users.lines().map(line).collect::<String>()).unwrap();
        std::fs::rename(new, &self.users).unwrap();
    }

    /// What the independent client finds under a UID in a principal's calendars.
    pub fn read_back(&self, principal: &str, uid: &str) -> serde_json::Value {
        let answer = Command::new(python())
            .arg(repository().join("tests/python/read_back.py"))
            .args([self.url.as_str(), "svc", &self.password, principal, uid])
            .output()
            .unwrap();
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        serde_json::from_slice(&answer.stdout).unwrap()
    }
}

impl Drop for Radicale {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A connector whose clock stands still in the week before the fixture's.
pub fn caldav() -> CalDav {
    let clock: SharedClock = Arc::new(TestClock::at(at("2026-11-25T09:00:00Z")));
    let allowance = http::Allowance::hosts(["127.0.0.1".to_owned()]);
    let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    CalDav::new(Config::default(), client, clock.clone(), Ids::seeded(clock, 1))
}

/// An instant.
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

/// The addresses of everybody whom the fixture lists, as the folders that the server keeps them in.
pub fn people() -> BTreeSet<String> {
    let list = "import fixture; print(*(p for p, _, _ in fixture.principals() if '@' in p and not p.startswith('room-')))";
    let answer = Command::new(python())
        .current_dir(repository().join("tests/radicale"))
        .args(["-B", "-c", list])
        .output()
        .unwrap();
    String::from_utf8(answer.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}
