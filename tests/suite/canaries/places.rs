//! The places that are searched for secrets.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tracing_subscriber::fmt::MakeWriter;

use super::needles::{Kind, Needles, Search, forms};
use crate::harness::{ANSWERS, TestApp};

/// The output of the process's logger at the finest level, and of its panics.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Captures the log of the whole process.
    pub fn begin() -> Self {
        let log = Self::default();
        // The browser belongs to the test and logs the pages that it reads.
        let filter = "trace,selectors=off,html5ever=off,markup5ever=off";
        let lines = tracing_subscriber::fmt().json().with_env_filter(filter);
        lines.with_writer(log.clone()).try_init().expect("no other subscriber is installed");
        let panics = log.clone();
        std::panic::set_hook(Box::new(move |panic| {
            eprintln!("{panic}");
            let _ = writeln!(&panics, "{panic}");
        }));
        log
    }
}

impl Log {
    /// Whether a text occurs in the log.
    pub fn says(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.0.lock().unwrap()).contains(text)
    }
}

impl Write for &Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = &'a Log;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// All commands that any client sends to Redis.
#[derive(Debug)]
pub struct Monitor(Arc<Mutex<Vec<u8>>>);

impl Monitor {
    pub fn begin() -> Self {
        let mut stream = redis();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self(said)
    }

    /// Sends a text and waits until the monitor has seen it.
    fn send(&self, text: &str) {
        let mut stream = redis();
        let command = format!("*2\r\n$4\r\nECHO\r\n${}\r\n{text}\r\n", text.len());
        stream.write_all(command.as_bytes()).unwrap();
        let _answer = stream.read(&mut [0; 64]).unwrap();
        let seen = || String::from_utf8_lossy(&self.0.lock().unwrap()).contains(text);
        for _ in 0..1_000 {
            if seen() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

fn redis() -> TcpStream {
    let url: url::Url = std::env::var("MUSTER_TEST_REDIS").unwrap().parse().unwrap();
    TcpStream::connect((url.host_str().unwrap(), url.port().unwrap_or(6379))).unwrap()
}

/// The sources of the text to search.
pub struct Places<'a> {
    pub app: &'a TestApp,
    pub log: &'a Log,
    pub monitor: Option<&'a Monitor>,
}

impl Places<'_> {
    /// The secrets that are found, each with its encoding, place and surrounding text.
    pub async fn search(&self, needles: &Needles) -> Vec<String> {
        let (mut hits, search) = (Vec::new(), Search::new(needles));
        for (place, text) in self.texts().await {
            for (kind, form, at) in search.hits(&text) {
                if !is_shown_there(kind, place) {
                    hits.push(format!("{kind:?}, {form}, in the {place}: {}", around(&text, &at)));
                }
            }
        }
        hits
    }

    async fn texts(&self) -> Vec<(&'static str, Vec<u8>)> {
        // Reading the database writes to the log, so the log is not locked during the read.
        let database = self.database().await;
        let mut texts = vec![
            ("database", database),
            ("log", self.log.0.lock().unwrap().clone()),
            ("answers", ANSWERS.lock().unwrap().clone().into_bytes()),
        ];
        assert!(texts.iter().all(|(_, text)| text.len() > 1000), "every place contains text to search");
        if let Some(monitor) = self.monitor {
            texts.push(("Redis", monitor.0.lock().unwrap().clone()));
        }
        texts
    }

    /// All SQLite files as stored on disk, or all rows of all tables in PostgreSQL's text format.
    async fn database(&self) -> Vec<u8> {
        let Some(owner) = &self.app.config.migration_url else { return self.files() };
        let owner = entity::Store::connect_as_owner(owner).await.unwrap();
        let tables =
            rows(&owner, "SELECT quote_ident(tablename) AS t FROM pg_tables WHERE schemaname = 'public'")
                .await;
        assert!(tables.len() > 25, "{tables:?}");
        let mut dump = Vec::new();
        for table in tables {
            for row in rows(&owner, &format!("SELECT x::text AS t FROM {table} x")).await {
                dump.extend_from_slice(row.as_bytes());
            }
        }
        owner.close().await.unwrap();
        dump
    }

    fn files(&self) -> Vec<u8> {
        let url = &self.app.config.database_url;
        let path = url.trim_start_matches("sqlite://").split('?').next().unwrap();
        let read = |end: &str| std::fs::read(format!("{path}{end}")).unwrap_or_default();
        [read(""), read("-wal")].concat()
    }

    /// Leaks one secret to each place in turn, in one encoding; returns the places in which the search misses the
    /// secret.
    pub async fn missed_leaks(&self, needles: &Needles) -> Vec<String> {
        let (_, secret) = needles.all().find(|(kind, _)| *kind == Kind::RefreshToken).unwrap();
        let mut one = Needles::default();
        one.add(Kind::RefreshToken, secret);
        let mut missed = Vec::new();
        let mut places = vec!["log", "answers", "database"];
        places.extend(self.monitor.map(|_| "Redis"));
        for place in places {
            let before = self.search(&one).await.len();
            match place {
                "log" => tracing::trace!(leak = secret, "planted"),
                "answers" => ANSWERS.lock().unwrap().push_str(&forms_text(secret, "hex")),
                "database" => self.leak_to_the_database(&forms_text(secret, "base64")).await,
                _ => self.monitor.unwrap().send(secret),
            }
            let after = self.search(&one).await;
            if after.len() <= before || !after.iter().any(|hit| hit.contains(place)) {
                missed.push(place.to_owned());
            }
        }
        missed
    }

    async fn leak_to_the_database(&self, text: &str) {
        let tenants = "UPDATE tenant SET name = $1";
        let txn = self.app.node.services.store.write_installation().await.unwrap();
        let statement = Statement::from_sql_and_values(txn.get_database_backend(), tenants, [text.into()]);
        txn.execute_raw(statement).await.unwrap();
        txn.commit().await.unwrap();
    }
}

async fn rows(owner: &DatabaseConnection, sql: &str) -> Vec<String> {
    let rows = owner.query_all_raw(Statement::from_string(owner.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "t").unwrap()).collect()
}

fn forms_text(secret: &str, form: &str) -> String {
    let forms = forms(secret);
    let (_, bytes) = forms.iter().find(|(name, _)| *name == form).unwrap();
    String::from_utf8(bytes.clone()).unwrap()
}

/// Whether a response is meant to contain this kind of secret, once.
fn is_shown_there(kind: Kind, place: &str) -> bool {
    place == "answers" && matches!(kind, Kind::VendorKey | Kind::AccessToken | Kind::Link)
}

/// The text before and after a hit, which helps to locate it.
fn around(text: &[u8], at: &std::ops::Range<usize>) -> String {
    let (from, to) = (at.start.saturating_sub(300), (at.end + 120).min(text.len()));
    String::from_utf8_lossy(&text[from..to]).into_owned()
}
