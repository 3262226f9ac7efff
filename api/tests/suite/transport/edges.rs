//! What holds for every route and every connection: times, sizes, names, and how many sockets there may be.

use std::time::Duration;

use api::{Config, graphiql::GraphiQl};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{connect_async, tungstenite};

use crate::transport::{
    socket::{Client, PROTOCOL, upgrade},
    support::{PATIENCE, Server, open},
};

const SHORT: Duration = Duration::from_millis(200);

/// A server that waits for a head for a moment only, and keeps idle connections for long.
fn hurried() -> Server {
    Server::with(Config { head_timeout: SHORT, keep_alive: PATIENCE * 100, ..open() })
}

/// A connection of which the server closes its end.
pub struct Connection(TcpStream);

impl Connection {
    pub async fn open(server: &Server) -> Self {
        Self(TcpStream::connect(server.address).await.unwrap())
    }

    /// Sends a whole request and reads the whole answer, which is an object.
    pub async fn exchange(&mut self, request: &str) -> String {
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            assert_ne!(self.0.read_buf(&mut answer).await.unwrap(), 0, "the connection is kept");
        }
        String::from_utf8(answer).unwrap()
    }

    async fn ask(&mut self) {
        let answer = self.exchange("GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    async fn closes(mut self) -> bool {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.is_ok()
    }
}

#[tokio::test]
async fn a_second_head_on_a_kept_connection_is_waited_for_no_longer_than_the_first() {
    let server = hurried();
    let mut first = Connection::open(&server).await;
    first.0.write_all(b"GET /health HTTP/1.1\r\nho").await.unwrap();
    assert!(first.closes().await, "the first head");
    let mut second = Connection::open(&server).await;
    second.ask().await;
    second.ask().await;
    second.0.write_all(b"GET /health HTTP/1.1\r\nho").await.unwrap();
    assert!(second.closes().await, "the third head");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = Server::with(Config { keep_alive: SHORT, ..open() });
    let mut idle = Connection::open(&server).await;
    idle.ask().await;
    assert!(idle.closes().await);
}

#[tokio::test]
async fn a_request_that_takes_longer_than_a_head_may_is_answered_and_its_connection_is_kept() {
    let mut config = Config { head_timeout: SHORT, keep_alive: SHORT, body_timeout: SHORT * 5, ..open() };
    config.execution_timeout = SHORT * 5;
    let server = Server::with(config);
    let mut slow = Connection::open(&server).await;
    let body = r#"{"query":"{ never }"}"#;
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    slow.0.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}]}") {
        assert_ne!(slow.0.read_buf(&mut answer).await.unwrap(), 0, "it is answered");
    }
    slow.ask().await;
}

#[tokio::test]
async fn a_socket_outlives_what_a_head_may_take() {
    let mut config = Config { head_timeout: SHORT / 2, keep_alive: SHORT / 2, ..open() };
    config.socket.keep_alive = SHORT * 4;
    let server = Server::with(config);
    let mut client = Client::open(&server).await;
    assert_eq!(client.hear().await["type"], "ping", "the server speaks first, after a while");
    client.subscribe("a", "{ hello }").await;
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn a_body_is_bounded_on_every_route() {
    let server = Server::with(Config { body_timeout: SHORT, execution_timeout: SHORT, ..open() });
    let reply = server.request("POST", "/form", &[], "a=1").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "3 bytes"), "what is small and quick arrives");
    for path in ["/form", "/never", "/health", "/graphql", "/nowhere"] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n");
        let slow = server.send(format!("{head}content-length: 20\r\n\r\na").as_bytes()).await;
        assert_eq!((slow.status, slow.code().as_str()), (408, "BODY_TIMEOUT"), "{path}");
        let large = server.send(format!("{head}content-length: 300000000\r\n\r\n").as_bytes()).await;
        assert_eq!((large.status, large.code().as_str()), (413, "BODY_TOO_LARGE"), "{path}");
        let mut chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
        chunked += &("40001\r\n".to_owned() + &"x".repeat(0x40001) + "\r\n");
        assert_eq!(server.send(chunked.as_bytes()).await.status, 413, "{path}");
    }
    let never = server.request("POST", "/never", &[], "").await;
    assert_eq!((never.status, never.code().as_str()), (504, "TIMEOUT"));
}

/// The status and the code with which an upgrade is refused.
async fn refused(server: &Server) -> (u16, String) {
    let refused = connect_async(upgrade(server, &[PROTOCOL])).await.expect_err("no socket");
    let tungstenite::Error::Http(reply) = refused else { panic!("{refused}") };
    let body: serde_json::Value =
        serde_json::from_slice(reply.body().as_deref().unwrap_or_default()).unwrap();
    (reply.status().as_u16(), body["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn sockets_of_nobody_known_are_counted_from_the_upgrade_on() {
    let full = (503, "TOO_MANY_SOCKETS".to_owned());
    let mut config = open();
    config.socket.unidentified_per_address = 1;
    let server = Server::with(config);
    let mut first = Client::connect(&server).await;
    assert_eq!(refused(&server).await, full, "one that has said nothing counts");
    first.init(json!({})).await;
    assert_eq!(refused(&server).await, full, "so does an anonymous one");
    first.say(json!({"type": "connection_init"})).await;
    first.closes_with(4429).await;
    let mut second = Client::connect(&server).await;
    second.init(json!({"authorization": "Bearer vendor"})).await;
    assert_eq!(refused(&server).await, full, "and a vendor's without a tenant");
    second.say(json!({"type": "connection_init"})).await;
    second.closes_with(4429).await;
    let mut third = Client::connect(&server).await;
    third.init(json!({"authorization": "Bearer user"})).await;
    let _fourth = Client::connect(&server).await;
}

#[tokio::test]
async fn however_many_sockets_say_nothing_whoever_says_who_they_are_gets_in() {
    let mut config = open();
    config.socket.unidentified = 2;
    let server = Server::with(config);
    let mut known = Client::connect(&server).await;
    known.init(json!({"authorization": "Bearer user"})).await;
    let mut silent = Client::connect(&server).await;
    let mut anonymous = Client::connect(&server).await;
    anonymous.init(json!({})).await;
    let mut late = Client::connect(&server).await;
    silent.closes_with(1013).await;
    late.init(json!({"authorization": "Bearer user"})).await;
    for client in [&mut known, &mut anonymous, &mut late] {
        client.say(json!({"type": "ping"})).await;
        assert_eq!(client.hear().await["type"], "pong", "nobody else is closed");
    }
}

#[tokio::test]
async fn browsers_are_told_to_come_back_over_https_where_the_server_is_reached_so() {
    let secure = Server::with(Config { hsts: true, ..open() });
    for path in ["/health", "/graphql", "/nowhere", "/graphql/ws"] {
        let reply = secure.request("GET", path, &[], "").await;
        assert_eq!(reply.header("strict-transport-security"), "max-age=31536000", "{path}");
        let plain = Server::start().request("GET", path, &[], "").await;
        assert_eq!(plain.header("strict-transport-security"), "", "{path}");
    }
}

#[tokio::test]
async fn only_names_that_nobody_else_can_own_are_served_where_that_is_asked_for() {
    let graphiql = Some(GraphiQl::default());
    let hosts = vec!["muster.example".to_owned()];
    let server = Server::with(Config { hosts, graphiql, ..open() });
    let get = async |path: &str, host: &str, more: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{more}connection: close\r\n\r\n");
        server.send(head.as_bytes()).await
    };
    let hello = "/graphql?query=%7Bhello%7D";
    for path in [hello, "/graphiql", "/health", "/graphql/ws", "/form", "/nowhere"] {
        let reply = get(path, "rebound.example:4000", "").await;
        assert_eq!((reply.status, reply.code().as_str()), (421, "HOST_REFUSED"), "{path}");
        let reply = get(path, "localhost:4000", "origin: http://evil.example\r\n").await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "ORIGIN_REFUSED"), "{path}");
    }
    for path in [hello, "/graphiql", "/health"] {
        for host in ["localhost:4000", "127.0.0.1:4000", "[::1]:4000", "muster.example"] {
            let origin = format!("origin: http://{host}\r\n");
            assert_eq!(get(path, host, &origin).await.status, 200, "{path} at {host}");
        }
    }
}
