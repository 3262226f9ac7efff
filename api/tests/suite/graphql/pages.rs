//! The routes of pages and notifications over HTTP, as everybody on the network can call them.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix_web::{dev::ServerHandle, web};
use api::{Config, State, graphql, service_adapter::ServiceAdapter};
use serde_json::json;
use services::providers::{
    google::PUSH_PATH as GOOGLE_PUSH_PATH, microsoft::PUSH_PATH as MICROSOFT_PUSH_PATH,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::graphql::setup::Setup;

/// Longer than anything here takes: only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pages of a setup, served on a free port.
struct Pages {
    address: SocketAddr,
    server: ServerHandle,
}

impl Pages {
    fn of(setup: &Setup, config: Config) -> Self {
        let services = setup.services.services().clone();
        let callers = Arc::new(ServiceAdapter(services.clone()));
        let schema = Arc::new(graphql::build_schema(services.clone()));
        let ids = services.ids.clone();
        let state = web::Data::new(State::new(config, schema, callers.clone(), callers, ids).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let more = move |routes: &mut web::ServiceConfig| api::pages::configure(routes, &services);
                let server = api::serve(listener, state, 1, more).unwrap();
                tell.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self { address, server: told.recv().unwrap() }
    }

    /// The status and the body of the answer to these bytes.
    async fn send(&self, bytes: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that refuses a body may reset the connection after its answer.
        let _ =
            tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is answered");
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

#[tokio::test]
async fn no_page_and_no_hook_waits_for_a_body_or_takes_a_huge_one() {
    let setup = Setup::new().await;
    let pages = Pages::of(&setup, Config { body_timeout: Duration::from_millis(200), ..Config::default() });
    for path in [
        "/connect/credentials",
        "/connect/authorise",
        "/connect/decline",
        "/connect/token/choose",
        "/connect/own/secret",
        "/terms",
        "/.well-known/jwks.json",
        MICROSOFT_PUSH_PATH,
        GOOGLE_PUSH_PATH,
    ] {
        let kind = "content-type: application/x-www-form-urlencoded";
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{kind}\r\n");
        let (status, body) = pages.send(&format!("{head}content-length: 20\r\n\r\nuser=a")).await;
        assert!(status == 408 && body.contains("BODY_TIMEOUT"), "{path}: {status} {body}");
        let (status, body) = pages.send(&format!("{head}content-length: 300000000\r\n\r\n")).await;
        assert!(status == 413 && body.contains("BODY_TOO_LARGE"), "{path}: {status} {body}");
    }
}

#[tokio::test]
async fn a_thousand_notices_from_nobody_known_cost_one_look_up() {
    let setup = Setup::new().await;
    let pages = Pages::of(&setup, Config::default());
    let item = |n: usize| json!({ "subscriptionId": format!("unknown-{n}"), "clientState": "guessed" });
    let body = json!({ "value": (0..1_000).map(item).collect::<Vec<_>>() }).to_string();
    let head = format!("POST {MICROSOFT_PUSH_PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    let before = setup.statements.load(Ordering::Relaxed);
    let (status, _) = pages.send(&format!("{head}content-length: {}\r\n\r\n{body}", body.len())).await;
    assert_eq!(status, 202, "nobody learns which channels there are");
    assert_eq!(setup.statements.load(Ordering::Relaxed) - before, 1);
}
