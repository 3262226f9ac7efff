//! A real Radicale, or a real Xandikos, with the organisation of `tests/radicale`, for one test.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// A running server, stopped when dropped.
pub struct Radicale {
    /// The server's root on a loopback port.
    pub url: String,
    /// The service account's password.
    pub password: String,
    /// The file of user names and passwords; the server reads it at every request.
    pub users: PathBuf,
    server: Child,
    _data: tempfile::TempDir,
}

fn python() -> String {
    std::env::var("MUSTER_PYTHON").expect("MUSTER_PYTHON is not set: run the tests through scripts/test")
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Radicale {
    /// Starts Radicale with events that begin in the week of `start` (`YYYY-MM-DD`).
    pub fn start(start: &str) -> Self {
        Self::serve("tests/radicale/serve.py", "Radicale server ready", start)
    }

    /// Starts Xandikos with the same organisation.
    pub fn xandikos(start: &str) -> Self {
        Self::serve("tests/xandikos/serve.py", "Xandikos server ready", start)
    }

    fn serve(script: &str, ready: &str, start: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut server = Command::new(python())
            .arg(repository(script))
            .args(["--port", "0", "--json", "--start", start, "--data"])
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
            assert!(read > 0, "{script} ended before it was ready:\n{said}");
        }
        // The rest of the log is read away, so that the server never waits for a full pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let told: Value = serde_json::from_str(&told).unwrap();
        let text = |key: &str| told[key].as_str().unwrap().to_owned();
        Self {
            url: text("url"),
            password: text("password"),
            users: text("users").into(),
            server,
            _data: data,
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

    /// What the independent client finds for a UID in a principal's calendars; null for nothing.
    pub fn read_back(&self, principal: &str, uid: &str) -> Value {
        let answer = Command::new(python())
            .arg(repository("tests/python/read_back.py"))
            .args([self.url.as_str(), "svc", &self.password, principal, uid])
            .output()
            .unwrap();
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        serde_json::from_slice(&answer.stdout).unwrap()
    }
}

impl Drop for Radicale {
    fn drop(&mut self) {
        // Already gone is as good.
        let _gone = self.server.kill();
        let _reaped = self.server.wait();
    }
}
