//! A private PostgreSQL and a private Redis of one test, which may be stopped, paused, emptied and started again.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::process::{Process, bound, bound_as, free_port, tail};

/// How long a server may take to be ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// PostgreSQL. What it has acknowledged survives the death of its processes: it writes its log at every commit, and
/// the system keeps what was written. Only a power cut would lose it.
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    process: Process,
    starts: u32,
    crashed: Option<Instant>,
}

impl Postgres {
    pub fn start(folder: &Path) -> Self {
        Self::letting_in(folder, None)
    }

    /// The same, which lets nobody in as one of these roles without a password.
    pub fn asking_for_passwords(folder: &Path, roles: &[&str]) -> Self {
        let roles = roles.join(",");
        let access =
            format!("host all {roles} 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n");
        Self::letting_in(folder, Some(&access))
    }

    fn letting_in(folder: &Path, access: Option<&str>) -> Self {
        let folder = folder.join("postgres");
        let data = folder.join("data");
        std::fs::create_dir_all(&data).unwrap();
        if let Some(user) = server_user() {
            let owned = Command::new("chown").arg("-R").arg(user).arg(&folder).status().unwrap();
            assert!(owned.success());
        }
        let mut command = server(&programs().join("initdb"), &folder);
        command.arg("--pgdata").arg(&data).args(["--username", "postgres", "--auth", "trust"]);
        command.args(["--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"]);
        let made = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert!(made.success(), "a private PostgreSQL cannot be made");
        if let Some(access) = access {
            std::fs::write(data.join("pg_hba.conf"), access).unwrap();
        }
        let port = free_port();
        let process = Self::run(&folder, port, 0);
        Self { folder, port, process, starts: 0, crashed: None }
    }

    fn run(folder: &Path, port: u16, start: u32) -> Process {
        let log = folder.parent().unwrap().join(format!("postgres-{start}.log"));
        let mut command = server(&programs().join("postgres"), folder);
        command.arg("-D").arg(folder.join("data")).arg("-p").arg(port.to_string());
        command.arg("-k").arg(folder.join("data")).env("LC_ALL", "C");
        for setting in [
            "listen_addresses=127.0.0.1",
            "max_connections=200",
            "fsync=off",
            "full_page_writes=off",
            "jit=off",
        ] {
            command.args(["-c", setting]);
        }
        let mut process = Process::start(command, &log);
        until_said(&mut process, &log, "ready to accept connections");
        process
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends at once without finishing anything, as after a crash, and starts again.
    pub async fn crash(&mut self, away: Duration) {
        self.process.signal("QUIT");
        assert!(self.process.end(PATIENCE).await.is_some(), "PostgreSQL does not end");
        tokio::time::sleep(away).await;
        self.starts += 1;
        self.process = Self::run(&self.folder, self.port, self.starts);
        self.crashed = Some(Instant::now());
    }

    /// Whether a node that was starting may have met a crash.
    pub fn crashed_lately(&self) -> bool {
        self.crashed.is_some_and(|at| at.elapsed() < PATIENCE)
    }
}

/// PostgreSQL refuses to run as root.
fn server_user() -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().unwrap();
    let is_root = String::from_utf8_lossy(&id.stdout).trim() == "0";
    let knows =
        |user: &str| Command::new("id").arg(user).output().is_ok_and(|output| output.status.success());
    is_root.then(|| if knows("postgres") { "postgres" } else { "nobody" })
}

fn server(program: &Path, folder: &Path) -> Command {
    let mut command = bound_as(server_user(), program);
    command.current_dir(folder);
    command
}

/// Where PostgreSQL's server programs are; Debian keeps them out of the PATH.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> =
        installed.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let everywhere = folders.into_iter().rev().chain(std::env::split_paths(&path));
    let mut found = everywhere.filter(|folder| folder.join("initdb").exists());
    found.next().expect("PostgreSQL's server must be installed for the chaos tests")
}

/// Redis, without any persistence: a restart is an empty one.
pub struct Redis {
    folder: PathBuf,
    port: u16,
    process: Process,
}

impl Redis {
    pub fn start(folder: &Path) -> Self {
        let port = free_port();
        Self { folder: folder.to_owned(), port, process: Self::run(folder, port) }
    }

    fn run(folder: &Path, port: u16) -> Process {
        let log = folder.join("redis.log");
        let _none = std::fs::remove_file(&log);
        let mut command = bound("redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.arg("--dir").arg(folder);
        let mut process = Process::start(command, &log);
        until_said(&mut process, &log, "Ready to accept connections");
        process
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Forgets everything. Returns how many hints were lost.
    pub fn flush(&self) -> u64 {
        let script = "local n = 0 for _, key in ipairs(redis.call('KEYS', '*:hints}:*')) do \
                      n = n + redis.call('XLEN', key) end redis.call('FLUSHALL') return n";
        let answer = self.lane().ask(&format!("EVAL \"{script}\" 0"));
        number(&answer)
    }

    /// How many hints wait or were read and are not settled.
    pub fn hints(&self) -> u64 {
        self.lane().hints()
    }

    /// The lanes, to be looked at from elsewhere.
    pub fn lane(&self) -> Lane {
        Lane { port: self.port }
    }

    /// Is killed, is away for a while, and is empty when it comes back. Returns how many hints were lost.
    pub async fn restart_empty(&mut self, away: Duration) -> u64 {
        let lost = self.hints();
        self.process.kill();
        tokio::time::sleep(away).await;
        self.process = Self::run(&self.folder, self.port);
        lost
    }

    /// Stands still for a while with its connections open.
    pub async fn pause(&self, away: Duration) {
        self.stand_still();
        tokio::time::sleep(away).await;
        self.go_on();
    }

    pub fn stand_still(&self) {
        self.process.signal("STOP");
    }

    pub fn go_on(&self) {
        self.process.signal("CONT");
    }
}

/// What stands in Redis.
#[derive(Debug, Clone, Copy)]
pub struct Lane {
    port: u16,
}

impl Lane {
    /// How many hints wait or were read and are not settled.
    pub fn hints(self) -> u64 {
        let script = "local n = 0 for _, key in ipairs(redis.call('KEYS', '*:hints}:*')) do \
                      n = n + redis.call('XLEN', key) end return n";
        number(&self.ask(&format!("EVAL \"{script}\" 0")))
    }

    /// How many hints workers have read since Redis was empty.
    pub fn read(self) -> u64 {
        let script = "local n = 0 for _, key in ipairs(redis.call('KEYS', '*:hints}:*')) do \
                      for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do \
                      for i = 1, #group, 2 do if group[i] == 'entries-read' and group[i + 1] then \
                      n = n + group[i + 1] end end end end return n";
        number(&self.ask(&format!("EVAL \"{script}\" 0")))
    }

    /// One command in its inline form; returns the first line of the answer.
    fn ask(self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"\r\n") {
            stream.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        String::from_utf8_lossy(&answer).trim().to_owned()
    }
}

fn number(answer: &str) -> u64 {
    answer
        .strip_prefix(':')
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("Redis says {answer}"))
}

fn until_said(process: &mut Process, log: &Path, text: &str) {
    let until = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(log).unwrap_or_default().contains(text) {
        assert!(
            process.ended().is_none() && Instant::now() < until,
            "a server does not start: {}",
            tail(log)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
