//! Child processes that do not outlive their test, and the signals sent to them, always by process id.

use std::{
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A child process, killed when dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts a command with its output in a file.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let copy = file.try_clone().unwrap();
        let child = command.stdin(Stdio::null()).stdout(file).stderr(copy).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}")))
    }

    /// Id by which signals are sent.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends `SIGKILL` and waits for the end.
    pub fn kill(&mut self) {
        // Already gone is as good.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success(), "{name} could not be sent");
    }

    /// The exit status; `None` while the process runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    /// Waits for the end; `None` if it takes longer than `max_wait`.
    pub async fn wait_for_exit(&mut self, max_wait: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + max_wait;
        loop {
            if let Some(status) = self.exit_status() {
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command whose process ends with this process, even if this process is killed, where the operating system supports
/// that.
pub fn child_command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    child_command_as(None, program)
}

/// Like [`child_command`], but runs the command as another operating-system user.
pub fn child_command_as(user: Option<&str>, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let can = Path::new("/usr/bin/setpriv").exists() || Path::new("/bin/setpriv").exists();
    if !can {
        assert!(user.is_none(), "as root the tests need setpriv (Debian: util-linux)");
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A free TCP port. Another process could use it first, but no test process does.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The end of a log file, to be included in the message of a failed test.
pub fn read_log_end(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
