//! Who asks for too much is refused, and told when to come back; what cannot be done in time is not begun.

use std::{sync::atomic::Ordering, time::Duration};

use api::{Config, admission::AdmissionConfig};
use futures::{StreamExt as _, stream::FuturesUnordered};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::transport::{
    edges::Connection,
    socket::Client,
    support::{PATIENCE, Reply, Server, open},
};

const USER: &str = "authorization: Bearer user";
const HELLO: &str = r#"{"query":"{ hello }"}"#;

/// Asserts that a response refuses for now and asks the caller to wait for `after` seconds.
fn assert_refused(reply: &Reply, status: u16, code: &str, after: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code));
    assert_eq!(reply.header("retry-after"), after);
    let extensions = &reply.json()["errors"][0]["extensions"];
    assert_eq!(extensions["retryable"], true);
    assert_eq!(extensions["retryAfter"].to_string(), after);
}

#[tokio::test]
async fn a_caller_spends_what_its_documents_cost_and_is_told_what_is_left() {
    let server = Server::start();
    server.authenticator.remaining_units.caller.store(25, Ordering::SeqCst);
    let reply = server.post_as(&[USER], HELLO).await;
    assert_eq!(reply.header("ratelimit-policy"), "\"caller\";q=4294967295;w=30");
    assert_eq!(reply.header("ratelimit"), "\"caller\";r=24;t=2");
    let reply = server.post_as(&[USER], r#"{"query":"mutation { bump }"}"#).await;
    assert_eq!(reply.header("ratelimit"), "\"caller\";r=14;t=2", "a change costs ten at least");
    let many = r#"{"query":"{ members(first: 20) { busy } }"}"#;
    assert_refused(&server.post_as(&[USER], many).await, 429, "RATE_LIMITED", "7");
    assert_eq!(server.probe.bumped.load(Ordering::SeqCst), 1);
    let legacy = ["content-type: application/json", USER];
    let reply = server.request("POST", "/graphql", &legacy, many).await;
    assert_refused(&reply, 429, "RATE_LIMITED", "7");
    assert_eq!(server.post_as(&[USER], HELLO).await.status, 200, "what was refused was not taken");
    server.authenticator.remaining_units.caller.store(9, Ordering::SeqCst);
    let reply = server.post_as(&[USER], r#"{"query":"mutation { bump }"}"#).await;
    assert_refused(&reply, 429, "RATE_LIMITED", "7");
    assert_eq!(server.probe.bumped.load(Ordering::SeqCst), 1, "what is refused has not run");
}

#[tokio::test]
async fn operations_on_a_socket_are_charged_as_well() {
    let server = Server::start();
    let mut client = Client::connect(&server).await;
    client.init(json!({ "authorization": "Bearer user" })).await;
    // A new document costs one more, to read it.
    server.authenticator.remaining_units.caller.store(2, Ordering::SeqCst);
    client.subscribe("a", "{ hello }").await;
    assert_eq!(client.hear().await["type"], "next");
    assert_eq!(client.hear().await["type"], "complete");
    client.subscribe("b", "subscription { count(to: 3) }").await;
    let refused = client.hear().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("b")), "{refused}");
    let extensions = &refused["payload"][0]["extensions"];
    assert_eq!((&extensions["code"], &extensions["retryAfter"]), (&json!("RATE_LIMITED"), &json!(7)));
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await["type"], "pong", "the socket goes on");
}

#[tokio::test]
async fn who_has_not_said_who_they_are_spends_from_their_address() {
    let server = Server::start();
    server.authenticator.remaining_units.address.store(3, Ordering::SeqCst);
    assert_eq!(server.post(HELLO).await.header("ratelimit"), "\"address\";r=1;t=2");
    assert_eq!(server.request("GET", "/form", &[], "").await.status, 200, "a page costs one");
    assert_refused(&server.request("GET", "/form", &[], "").await, 429, "RATE_LIMITED", "7");
    assert_refused(&server.post(HELLO).await, 429, "RATE_LIMITED", "7");
    assert_eq!(server.post_as(&[USER], HELLO).await.status, 200, "a caller does not depend on an address");
    for path in ["/health", "/ready"] {
        assert_eq!(server.request("GET", path, &[], "").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn guessing_credentials_is_slow_and_stops_nobody_who_has_one() {
    let server = Server::start();
    server.authenticator.remaining_units.refused.store(3, Ordering::SeqCst);
    for credential in ["guess", "expired", "guess"] {
        let header = format!("authorization: Bearer {credential}");
        assert_eq!(server.post_as(&[&header], HELLO).await.status, 401);
    }
    let guess = ["authorization: Bearer guess"];
    assert_refused(&server.post_as(&guess, HELLO).await, 429, "RATE_LIMITED", "7");
    assert_eq!(server.post_as(&[USER], HELLO).await.status, 200);
    let mut client = Client::connect(&server).await;
    client.say(json!({ "type": "connection_init", "payload": { "authorization": "Bearer guess" } })).await;
    client.closes_with(1013).await;
}

/// One place, and a change in it that waits for the test.
fn narrow(patience: Duration) -> Server {
    let admission = AdmissionConfig { at_once: 1, each: 1, waiting: 1, waiting_each: 1, patience };
    Server::with(Config { admission, ..open() })
}

#[tokio::test]
async fn what_cannot_be_done_in_time_is_refused_and_not_begun() {
    let server = narrow(Duration::from_millis(50));
    let slow = server.post_as(&[USER], r#"{"query":"mutation { slowBump }"}"#);
    let others = async {
        server.probe.begun.notified().await;
        let reply = server.post_as(&[USER], r#"{"query":"mutation { bump }"}"#).await;
        let after = reply.header("retry-after").to_owned();
        assert!((1..=5).contains(&after.parse::<u64>().unwrap()), "{after}");
        assert_refused(&reply, 503, "OVERLOADED", &after);
        assert_eq!(server.request("GET", "/health", &[], "").await.status, 200, "health is answered");
        let page = server.request("GET", "/form", &[], "").await;
        assert_eq!((page.status, page.code().as_str()), (503, "OVERLOADED"));
        server.probe.go.notify_one();
    };
    let (slow, ()) = tokio::join!(slow, others);
    assert_eq!(slow.json()["data"]["slowBump"], 1, "what had begun is finished, and nothing else has run");
    assert_eq!(server.post_as(&[USER], HELLO).await.status, 200);
}

#[tokio::test]
async fn what_can_wait_waits_and_a_queue_is_bounded() {
    let server = narrow(Duration::from_secs(30));
    let slow = server.post_as(&[USER], r#"{"query":"mutation { slowBump }"}"#);
    let others = async {
        server.probe.begun.notified().await;
        // Of three that come at the same time one waits; which, nobody knows.
        let mut three: FuturesUnordered<_> = (0..3).map(|_| server.post_as(&[USER], HELLO)).collect();
        let [first, second] = [three.next().await.unwrap(), three.next().await.unwrap()];
        assert_eq!([first.status, second.status], [503, 503]);
        server.probe.go.notify_one();
        assert_eq!(three.next().await.unwrap().status, 200);
    };
    let (slow, ()) = tokio::join!(slow, others);
    assert_eq!(slow.status, 200);
}

#[tokio::test]
async fn an_address_has_so_many_open_requests() {
    let server = Server::with(Config { requests_each: 1, ..open() });
    let slow = server.post_as(&[USER], r#"{"query":"mutation { slowBump }"}"#);
    let others = async {
        server.probe.begun.notified().await;
        let reply = server.post_as(&[USER], HELLO).await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "OVERLOADED"));
        let mut kept = Connection::open(&server).await;
        let head = format!("POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{USER}");
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{HELLO}", HELLO.len());
        for _ in 0..2 {
            let answer = kept.exchange(&request).await;
            assert!(answer.starts_with("HTTP/1.1 503"), "a short body costs no connection: {answer}");
        }
        server.probe.go.notify_one();
    };
    let (slow, ()) = tokio::join!(slow, others);
    assert_eq!(slow.status, 200);
    let data: Value = server.post_as(&[USER], HELLO).await.json();
    assert_eq!(data["data"]["hello"], "Hello, world!");
}

#[tokio::test]
async fn documents_that_are_refused_are_paid_for_by_whoever_sends_them() {
    let server = Server::start();
    server.authenticator.remaining_units.address.store(100, Ordering::SeqCst);
    let faulty = format!("{{ members(first: 1) {{ {} nope }} }}", "kilobyte ".repeat(110));
    let left = || server.authenticator.remaining_units.address.load(Ordering::SeqCst);
    assert_eq!(server.query(&faulty).await.code(), "GRAPHQL_VALIDATION_FAILED");
    assert!((20..60).contains(&left()), "a kilobyte to read costs about fifty units: {} are left", left());
    assert_eq!(server.query(&faulty).await.code(), "RATE_LIMITED");
    assert_eq!(server.query("{ hello }").await.status, 200, "what is short is still read");
}

#[tokio::test]
async fn a_body_that_does_not_come_keeps_nobody_from_a_place() {
    let server = narrow(Duration::from_millis(50));
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"POST /form HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx").await.unwrap();
    // A request on the same thread that is answered shows that the one before it has been seen.
    for path in ["/health", "/form"] {
        assert_eq!(server.request("GET", path, &[], "").await.status, 200, "{path}");
    }
    assert_eq!(server.post_as(&[USER], HELLO).await.status, 200);
}

#[tokio::test]
async fn strangers_leave_half_of_the_open_requests_to_those_who_are_known() {
    let server = Server::with(Config { requests: 2, ..open() });
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"POST /form HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx").await.unwrap();
    assert_eq!(server.request("GET", "/health", &[], "").await.status, 200);
    let stranger = server.post(HELLO).await;
    assert_eq!((stranger.status, stranger.code().as_str()), (503, "OVERLOADED"));
    assert_eq!(server.post_as(&[USER], HELLO).await.status, 200);
}

#[tokio::test]
async fn slow_bodies_of_one_address_keep_no_other_address_out() {
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = Server::with(Config { requests: 8, trusted_proxies: proxies, ..open() });
    let mut slow = Vec::new();
    for path in ["/graphql", "/graphql", "/form", "/form"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.1\r\ncontent-type: application/json"
        );
        stream.write_all(format!("{head}\r\ncontent-length: 10\r\n\r\nx").as_bytes()).await.unwrap();
        // A request on the same thread that is answered shows that the one before it has been seen.
        assert_eq!(server.request("GET", "/health", &[], "").await.status, 200);
        slow.push(stream);
    }
    let same = server.post_as(&["x-forwarded-for: 192.0.2.1"], HELLO).await;
    assert_eq!((same.status, same.code().as_str()), (503, "OVERLOADED"), "it has all that there are");
    assert_eq!(server.post_as(&["x-forwarded-for: 192.0.2.2"], HELLO).await.status, 200);
    let mut answer = String::new();
    slow[0].read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "the oldest has given way: {answer}");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_dropped() {
    let server = Server::with(Config { unread_timeout: Duration::from_millis(100), requests: 2, ..open() });
    let body = r#"{"query":"{ members(first: 3000) { kilobyte } }"}"#;
    let head =
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer user";
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    silent.write_all(request.as_bytes()).await.unwrap();
    // It is over when nothing more can be sent: the server has closed its end with the answer unread.
    let refused = async {
        while silent.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("the connection is dropped in time");
    assert_eq!(server.post_as(&[USER], HELLO).await.status, 200);
}

#[tokio::test]
async fn an_address_has_a_bounded_number_of_connections() {
    let ask = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    let server = Server::with(Config { connections_each: 2, ..open() });
    let (mut one, mut two) = (Connection::open(&server).await, Connection::open(&server).await);
    // A connection is counted once it has got a response.
    for kept in [&mut one, &mut two] {
        assert!(kept.exchange(ask).await.starts_with("HTTP/1.1 200"));
    }
    // A client that sends nothing is sure to read the response; unread bytes would reset the connection.
    let reply = server.send(b"").await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "OVERLOADED"));
    assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{reply:?}");
    assert!(one.exchange(ask).await.starts_with("HTTP/1.1 200"), "those that are there stay");
    // A WebSocket counts as a socket, not as a connection.
    drop(two);
    let asks = async || {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let mut answer = Vec::new();
        let whole = format!("{}\r\n", ask.replace("\r\n\r\n", "\r\nconnection: close\r\n"));
        if stream.write_all(whole.as_bytes()).await.is_ok() {
            let _ = stream.read_to_end(&mut answer).await;
        }
        answer.starts_with(b"HTTP/1.1 200")
    };
    let freed = async { while !asks().await {} };
    tokio::time::timeout(PATIENCE, freed).await.expect("a place is free again");
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(Client::connect(&server).await);
    }
    // The one before may be closing still.
    let freed = async { while !asks().await {} };
    tokio::time::timeout(PATIENCE, freed).await.expect("sockets take no places");

    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let behind = Server::with(Config { connections_each: 1, trusted_proxies: proxies, ..open() });
    let mut kept = Vec::new();
    for _ in 0..4 {
        let mut connection = Connection::open(&behind).await;
        assert!(connection.exchange(ask).await.starts_with("HTTP/1.1 200"));
        kept.push(connection);
    }
}

#[tokio::test]
async fn the_introspection_is_not_multiplied_by_aliases() {
    let server = Server::start();
    for query in [
        "{ a: __schema { types { name } } b: __schema { types { name } } }",
        "{ __schema { types { a: fields { name } b: fields { name } } } }",
        "{ ...F } fragment F on Query { __schema { ...G } } fragment G on __Schema { t: types { name } }",
    ] {
        assert_eq!(server.query(query).await.code(), "GRAPHQL_VALIDATION_FAILED", "{query}");
    }
    let plain = server.query("{ __schema { types { name fields { name } } } }").await;
    assert_eq!(plain.status, 200);
    let left: u32 = u32::MAX - server.authenticator.remaining_units.address.load(Ordering::SeqCst);
    assert!(left > 2_000, "a look at the schema has its price: {left}");
}
