//! The sandbox as a process: its control API, planted faults and journal.

use std::{
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;
use testing::process::{Process, child_command, free_port};
use url::Url;

use super::{PATIENCE, program};

/// The imitation of the providers, with its append-only journal.
pub struct Sandbox {
    pub url: Url,
    process: Process,
    folder: PathBuf,
    client: http::Client,
    /// The position up to which the journal was read, and the entries read.
    read: std::sync::Mutex<(u64, Vec<Entry>)>,
}

impl Sandbox {
    pub(super) async fn start(folder: &Path, client: http::Client) -> Self {
        let port = free_port();
        let url: Url = format!("http://127.0.0.1:{port}/").parse().unwrap();
        let (process, read) = (Self::run(folder, port), std::sync::Mutex::default());
        let sandbox = Self { url, process, folder: folder.to_owned(), client, read };
        sandbox.until_there().await;
        sandbox
    }

    fn run(folder: &Path, port: u16) -> Process {
        let mut command = child_command(program());
        command.args(["sandbox", "serve", "--listen", &format!("127.0.0.1:{port}"), "--data"]);
        command.arg(folder.join("sandbox")).arg("--journal").arg(folder.join("journal.jsonl"));
        Process::start(command, &folder.join("sandbox.log"))
    }

    async fn until_there(&self) {
        let until = Instant::now() + PATIENCE;
        while self.try_get("/control/clock").await.is_none() {
            assert!(Instant::now() < until, "the sandbox does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the sandbox and starts it again after `away`, from where it stopped.
    pub async fn crash(&mut self, away: Duration) {
        self.process.kill();
        tokio::time::sleep(away).await;
        self.process = Self::run(&self.folder, self.url.port().unwrap());
        self.until_there().await;
    }

    async fn try_get(&self, path: &str) -> Option<Value> {
        let request = http::Request::new(http::Method::GET, self.url.join(path).unwrap());
        self.client.send(request).await.ok()?.json().ok()
    }

    pub async fn get(&self, path: &str) -> Value {
        self.control(http::Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        self.control(http::Method::POST, path, Some(body)).await
    }

    /// Plants a fault.
    pub async fn fault(&self, fault: Value) {
        self.post("/control/faults", &fault).await;
    }

    /// Removes all planted faults.
    pub async fn clear_faults(&self) {
        self.control(http::Method::DELETE, "/control/faults", None).await;
    }

    /// Asks until there is a response: a kept-alive connection may have ended with an earlier process.
    async fn control(&self, method: http::Method, path: &str, body: Option<&Value>) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut request = http::Request::new(method.clone(), self.url.join(path).unwrap());
            if let Some(body) = body {
                request = request.body("application/json", body.to_string());
            }
            match self.client.send(request).await {
                Ok(answer) => {
                    assert!(answer.status.is_success(), "{path}: {}", answer.text());
                    return answer.json().unwrap();
                }
                Err(error) => assert!(Instant::now() < until, "the sandbox does not answer {path}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The journal so far, read from its file.
    pub fn journal(&self) -> Vec<Entry> {
        let mut read = self.read.lock().unwrap();
        let mut file = std::fs::File::open(self.folder.join("journal.jsonl")).unwrap();
        file.seek(SeekFrom::Start(read.0)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        // The last line may be half written.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        read.0 += whole.len() as u64;
        read.1.extend(whole.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap()));
        read.1.clone()
    }
}

/// A line of the journal.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Entry {
    pub at: domain::Timestamp,
    pub key: Option<String>,
    pub outcome: String,
    pub status: u16,
}
