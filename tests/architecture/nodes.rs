//! Nodes as processes of their own, and requests to them.

use std::{collections::BTreeMap, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStderr, Command},
};
use url::Url;

/// The environment of a process.
pub type Environment = BTreeMap<String, String>;

/// A process of our binary with this environment and no other. It ends with the value.
fn command(arguments: &[String], environment: &Environment) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(arguments).env_clear().envs(environment).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command to its end; whether it went well, and what it said.
pub async fn said(arguments: &[&str], environment: &Environment) -> (bool, String) {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let output = command(&arguments, environment).output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Runs a command to its end.
pub async fn run(arguments: &[String], environment: &Environment) {
    let output = command(arguments, environment).output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A node that serves.
pub struct Node {
    child: Child,
    log: tokio::io::Lines<BufReader<ChildStderr>>,
    base: Url,
}

impl Node {
    /// Starts a node and waits until it logs that it serves.
    pub async fn start(arguments: &[String], environment: &Environment) -> Self {
        let listen = &environment["MUSTER_LISTEN"];
        let mut child = command(arguments, environment).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while !said.contains("\"serving\"") {
            let line = log.next_line().await.unwrap();
            said.push_str(&line.unwrap_or_else(|| panic!("the node ended before it served: {said}")));
        }
        Self { child, log, base: format!("http://{listen}").parse().unwrap() }
    }

    /// The status of an address.
    pub async fn status(&self, path: &str) -> u16 {
        let request = http::Request::new(http::Method::GET, self.base.join(path).unwrap());
        client().send(request).await.unwrap().status.as_u16()
    }

    /// Asks GraphQL as the holder of a vendor key, for a tenant where one is named.
    pub async fn ask(&self, key: &str, tenant: Option<&str>, query: &str) -> Value {
        let mut request = http::Request::new(http::Method::POST, self.base.join("/graphql").unwrap())
            .authorization(&format!("Bearer {key}"))
            .body("application/json", json!({ "query": query }).to_string());
        if let Some(tenant) = tenant {
            request = request.header(http::HeaderName::from_static("muster-tenant"), tenant);
        }
        client().send(request).await.unwrap().json().unwrap()
    }

    /// Asks the process to end, as an engine for containers does, and waits until it has.
    pub async fn stop(mut self) {
        let id = self.child.id().unwrap().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        assert!(asked.success());
        let mut said = String::new();
        while let Some(line) = self.log.next_line().await.unwrap() {
            said.push_str(&line);
        }
        assert!(said.contains("\"stopping\""), "{said}");
        assert!(self.child.wait().await.unwrap().success(), "{said}");
    }
}

fn client() -> http::Client {
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap()
}
