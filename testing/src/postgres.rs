//! A private PostgreSQL server for one test, which may be crashed and restarted.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    process::{Process, child_command_as, free_port},
    until_said,
};

/// Maximum time that a server takes to stop, and the time after a crash in which a starting node may have been
/// affected.
const PATIENCE: Duration = Duration::from_mins(1);

/// A private PostgreSQL server. Acknowledged commits survive a crash of its processes: the server writes its log at
/// every commit, and the operating system keeps what was written. Only a power failure would lose them.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    process: Process,
    starts: u32,
    crashed: Option<Instant>,
}

impl Postgres {
    /// Starts a server with its files in a folder.
    pub fn start(folder: &Path) -> Self {
        Self::with_access(folder, None)
    }

    /// Starts a server that requires a password for these roles.
    pub fn with_passwords(folder: &Path, roles: &[&str]) -> Self {
        let roles = roles.join(",");
        let access =
            format!("host all {roles} 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n");
        Self::with_access(folder, Some(&access))
    }

    fn with_access(folder: &Path, access: Option<&str>) -> Self {
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

    /// URL for the owner of the databases.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Stops the server immediately without finishing any work, as in a crash, and starts it again after this time.
    pub async fn crash(&mut self, downtime: Duration) {
        self.process.signal("QUIT");
        assert!(self.process.wait_for_exit(PATIENCE).await.is_some(), "PostgreSQL does not end");
        tokio::time::sleep(downtime).await;
        self.starts += 1;
        self.process = Self::run(&self.folder, self.port, self.starts);
        self.crashed = Some(Instant::now());
    }

    /// Whether a starting node may have been affected by a recent crash.
    pub fn crashed_recently(&self) -> bool {
        self.crashed.is_some_and(|at| at.elapsed() < PATIENCE)
    }
}

/// The user as which the server runs if the test runs as root, because PostgreSQL refuses to run as root.
fn server_user() -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().unwrap();
    let is_root = String::from_utf8_lossy(&id.stdout).trim() == "0";
    let knows =
        |user: &str| Command::new("id").arg(user).output().is_ok_and(|output| output.status.success());
    is_root.then(|| if knows("postgres") { "postgres" } else { "nobody" })
}

fn server(program: &Path, folder: &Path) -> Command {
    let mut command = child_command_as(server_user(), program);
    command.current_dir(folder);
    command
}

/// The folder of PostgreSQL's server programs, which are not in the PATH on Debian.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> =
        installed.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let everywhere = folders.into_iter().rev().chain(std::env::split_paths(&path));
    let mut found = everywhere.filter(|folder| folder.join("initdb").exists());
    found.next().expect("PostgreSQL's server must be installed for the tests")
}
