//! A private Redis server, which may be stopped, paused, emptied and restarted.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    process::{Process, child_command, free_port},
    until_said,
};

/// A private Redis server without persistence: after a restart it is empty. Killed when dropped.
#[derive(Debug)]
pub struct Redis {
    folder: PathBuf,
    port: u16,
    process: Process,
    own_folder: Option<TempDir>,
}

impl Redis {
    /// Starts a server that writes its log to a folder.
    pub fn start(folder: &Path) -> Self {
        let port = free_port();
        Self { folder: folder.to_owned(), port, process: Self::run(folder, port), own_folder: None }
    }

    /// Starts a server in a folder of its own, which is deleted with it.
    pub fn start_private() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self::start(folder.path());
        server.own_folder = Some(folder);
        server
    }

    fn run(folder: &Path, port: u16) -> Process {
        let log = folder.join("redis.log");
        let _none = std::fs::remove_file(&log);
        let mut command = child_command("redis-server");
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

    /// URL for clients.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the server again, with an empty database.
    pub fn restart(&mut self) {
        self.process = Self::run(&self.folder, self.port);
    }

    /// Keeps connections open and responds to nothing.
    pub fn suspend(&self) {
        self.process.signal("STOP");
    }

    /// Ends [`Self::suspend`].
    pub fn resume(&self) {
        self.process.signal("CONT");
    }

    /// The server's network address, which stays the same after restarts.
    pub fn address(&self) -> RedisAddress {
        RedisAddress { port: self.port }
    }

    /// Executes one command, see [`RedisAddress::command`].
    pub fn command(&self, command: &str) -> String {
        self.address().command(command)
    }
}

/// The network address of a private Redis server.
#[derive(Debug, Clone, Copy)]
pub struct RedisAddress {
    port: u16,
}

impl RedisAddress {
    /// Executes one command, written in its inline form, on a connection of its own; returns the first line of the
    /// response.
    pub fn command(self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let (mut response, mut byte) = (Vec::new(), [0]);
        while !response.ends_with(b"\r\n") {
            stream.read_exact(&mut byte).unwrap();
            response.extend(byte);
        }
        String::from_utf8_lossy(&response).trim().to_owned()
    }
}
