//! A real browser, driven by `tests/node/walk.mjs`.

use std::{path::PathBuf, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// A running browser with one page; it ends with its input, when it is dropped.
pub struct Chromium {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Chromium {
    /// Starts the browser with a window of this size in pixels.
    pub fn start(width: u32, height: u32) -> Self {
        let folder = std::env::var_os("MUSTER_NODE_DIR").map(PathBuf::from);
        let folder = folder.expect("MUSTER_NODE_DIR is not set: run the tests through scripts/test");
        let chromium = std::env::var("MUSTER_CHROMIUM").expect("MUSTER_CHROMIUM is not set");
        let mut process = Command::new("node")
            .arg(folder.join("walk.mjs"))
            .args([chromium, width.to_string(), height.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { input: process.stdin.take().unwrap(), output, _process: process }
    }

    /// Executes a command. Returns what the page then shows; a command that fails, and an error in the browser's
    /// console, fail the test.
    pub async fn tell(&mut self, command: &str, mut arguments: Value) -> Value {
        arguments["command"] = json!(command);
        self.input.write_all(format!("{arguments}\n").as_bytes()).await.unwrap();
        let line = self.output.next_line().await.unwrap().expect("the browser has ended");
        let shown: Value = serde_json::from_str(&line).unwrap();
        assert!(shown["error"].is_null(), "{arguments}: {shown}");
        assert_eq!(shown["problems"], json!([]), "{arguments}: {shown}");
        shown
    }

    pub async fn open(&mut self, url: &str) -> Value {
        self.tell("open", json!({ "url": url })).await
    }

    /// Fills in a field.
    pub async fn fill(&mut self, name: &str, value: &str) {
        self.tell("fill", json!({ "name": name, "value": value })).await;
    }

    /// Presses what the selector finds, and waits for the next page.
    pub async fn press(&mut self, selector: &str) -> Value {
        self.tell("press", json!({ "selector": selector })).await
    }

    /// Waits until the page shows no pending work.
    pub async fn settle(&mut self) -> Value {
        self.tell("settle", json!({})).await
    }
}
