//! `graphql-transport-ws`, message by message and close code by close code.

use std::{sync::atomic::Ordering, time::Duration};

use api::{Config, transport::websocket::SocketConfig};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest as _, http::Request},
};

use crate::transport::support::{PATIENCE, Server, open};

pub struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

pub fn upgrade(server: &Server, headers: &[(&'static str, &str)]) -> Request<()> {
    let mut request = format!("ws://{}/graphql/ws", server.address).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

pub const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

impl Client {
    pub async fn with(server: &Server, headers: &[(&'static str, &str)]) -> Self {
        Self(connect_async(upgrade(server, headers)).await.expect("the upgrade succeeds").0)
    }

    /// A socket that speaks the protocol and has said nothing yet.
    pub async fn connect(server: &Server) -> Self {
        Self::with(server, &[PROTOCOL]).await
    }

    /// A socket that was acknowledged.
    pub async fn open(server: &Server) -> Self {
        let mut client = Self::connect(server).await;
        client.init(json!({})).await;
        client
    }

    pub async fn init(&mut self, payload: Value) {
        self.say(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(self.hear().await, json!({"type": "connection_ack"}));
    }

    pub async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({"type": "subscribe", "id": id, "payload": {"query": query}})).await;
    }

    pub async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a message in time");
        next.expect("the socket is open").expect("a whole frame")
    }

    pub async fn hear(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("not a text: {other:?}"),
        }
    }

    /// The code and the words with which the server closes; other messages are passed over.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.next().await {
                let frame = frame.expect("a close has a code");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    pub async fn closes_with(&mut self, code: u16) {
        assert_eq!(self.closed().await.0, code);
    }
}

pub fn with_socket(change: impl Fn(&mut SocketConfig)) -> Server {
    let mut config = open();
    change(&mut config.socket);
    Server::with(config)
}

#[tokio::test]
async fn a_subscription_is_answered_event_by_event_and_completed() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    client.subscribe("a", "subscription { count(to: 3) }").await;
    for n in 1..=3 {
        let next = json!({"type": "next", "id": "a", "payload": {"data": {"count": n}}});
        assert_eq!(client.hear().await, next);
    }
    assert_eq!(client.hear().await, json!({"type": "complete", "id": "a"}));
    client.subscribe("a", "subscription { count(to: 1) }").await;
    assert_eq!(client.hear().await["payload"]["data"]["count"], 1, "the id is free again");
}

#[tokio::test]
async fn queries_and_mutations_run_over_the_socket_too() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    for (query, data) in
        [("{ hello }", json!({"hello": "Hello, world!"})), ("mutation { bump }", json!({"bump": 1}))]
    {
        client.subscribe("q", query).await;
        assert_eq!(client.hear().await, json!({"type": "next", "id": "q", "payload": {"data": data}}));
        assert_eq!(client.hear().await, json!({"type": "complete", "id": "q"}));
    }
}

#[tokio::test]
async fn a_refused_operation_is_one_error_without_complete() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    for (payload, code) in [
        (json!({"query": "subscription { nothing }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "{"}), "GRAPHQL_PARSE_FAILED"),
        (json!({"query": 7}), "BAD_REQUEST"),
        (
            json!({"query": "subscription ($n: Int!) { count(to: $n) }", "variables": {"n": "3"}}),
            "BAD_USER_INPUT",
        ),
    ] {
        client.say(json!({"type": "subscribe", "id": "e", "payload": payload})).await;
        let error = client.hear().await;
        assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("e")));
        assert_eq!(error["payload"][0]["extensions"]["code"], code);
        assert!(error["payload"][0]["extensions"]["requestId"].is_string(), "{error}");
    }
    client.say(json!({"type": "ping"})).await;
    assert_eq!(client.hear().await["type"], "pong", "no complete came in between");
}

#[tokio::test]
async fn a_subscription_that_its_resolver_refuses_says_so() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    client.subscribe("f", "subscription { forbidden }").await;
    let answer = client.hear().await;
    let errors = if answer["type"] == "error" { &answer["payload"] } else { &answer["payload"]["errors"] };
    assert_eq!(errors[0]["extensions"]["code"], "FORBIDDEN", "{answer}");
    assert_eq!(errors[0]["message"], "You may not watch this.");
}

#[tokio::test]
async fn a_panic_ends_its_operation_and_not_the_socket() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    client.subscribe("p", "{ panics }").await;
    let error = client.hear().await;
    assert_eq!(
        (&error["type"], &error["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("INTERNAL"))
    );
    client.subscribe("p", "{ hello }").await;
    assert_eq!(client.hear().await["payload"]["data"]["hello"], "Hello, world!");
}

#[tokio::test]
async fn a_clients_complete_ends_the_source_and_is_answered_by_silence() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    client.subscribe("a", "subscription { forever }").await;
    assert_eq!(client.hear().await["payload"]["data"]["forever"], "here");
    client.say(json!({"type": "complete", "id": "a"})).await;
    tokio::time::timeout(PATIENCE, server.probe.dropped.notified()).await.expect("the source is dropped");
    client.say(json!({"type": "ping", "payload": {"n": 1}})).await;
    assert_eq!(client.hear().await, json!({"type": "pong", "payload": {"n": 1}}));
    client.say(json!({"type": "complete", "id": "never-seen"})).await;
    client.say(json!({"type": "ping"})).await;
    assert_eq!(client.hear().await, json!({"type": "pong"}));
}

#[tokio::test]
async fn s4400_a_message_that_breaks_the_protocol() {
    let server = Server::start();
    for bad in ["not json", "{}", r#"{"type":"start"}"#, r#"{"type":"subscribe","id":"1"}"#] {
        let mut client = Client::open(&server).await;
        client.0.send(Message::text(bad)).await.unwrap();
        client.closes_with(4400).await;
    }
    let mut client = Client::open(&server).await;
    client.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    client.closes_with(4400).await;
}

#[tokio::test]
async fn s4401_subscribe_before_the_acknowledgement() {
    let server = Server::start();
    let mut client = Client::connect(&server).await;
    client.subscribe("a", "{ hello }").await;
    assert_eq!(client.closed().await, (4401, "Unauthorized".to_owned()));
}

#[tokio::test]
async fn s4403_who_calls_cannot_be_told() {
    let server = Server::start();
    let mut client = Client::connect(&server).await;
    client.say(json!({"type": "connection_init", "payload": {"authorization": "Bearer wrong"}})).await;
    assert_eq!(client.closed().await, (4403, "Forbidden".to_owned()));
    let mut client = Client::connect(&server).await;
    let payload = json!({"Authorization": "Bearer vendor", "Muster-Tenant": "nowhere"});
    client.say(json!({"type": "connection_init", "payload": payload})).await;
    client.closes_with(4403).await;
    let mut client = Client::connect(&server).await;
    client.say(json!({"type": "connection_init", "payload": {"authorization": "Bearer unlucky"}})).await;
    client.closes_with(1013).await;
}

#[tokio::test]
async fn s4403_the_token_expires_while_the_socket_is_open() {
    let server = Server::start();
    let mut client = Client::connect(&server).await;
    client.init(json!({"authorization": "Bearer short"})).await;
    client.subscribe("a", "subscription { forever }").await;
    assert_eq!(client.hear().await["payload"]["data"]["forever"], "here");
    assert_eq!(client.closed().await, (4403, "token expired".to_owned()));
    tokio::time::timeout(PATIENCE, server.probe.dropped.notified()).await.expect("the source is dropped");
}

#[tokio::test]
async fn s4406_another_subprotocol_is_upgraded_then_closed() {
    let server = Server::start();
    Client::with(&server, &[]).await.closes_with(4406).await;
    // The old protocol's name. The client library insists on an answer to what it asks, so ask by hand.
    let upgrade = "GET /graphql/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        sec-websocket-protocol: graphql-ws\r\n\r\n";
    let reply = server.send(upgrade.as_bytes()).await;
    assert_eq!((reply.status, reply.header("sec-websocket-protocol")), (101, ""));
    assert!(reply.body.contains("Subprotocol not acceptable"), "{reply:?}");
}

#[tokio::test]
async fn s4408_no_connection_init_in_time() {
    let server = with_socket(|socket| socket.init_timeout = Duration::from_millis(100));
    let mut client = Client::connect(&server).await;
    assert_eq!(client.closed().await, (4408, "Connection initialisation timeout".to_owned()));
}

#[tokio::test]
async fn s4409_an_id_that_is_in_use() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    client.subscribe("twin", "subscription { forever }").await;
    client.subscribe("twin", "subscription { forever }").await;
    assert_eq!(client.closed().await, (4409, "Subscriber for twin already exists".to_owned()));
}

#[tokio::test]
async fn s4429_a_second_connection_init() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    client.say(json!({"type": "connection_init"})).await;
    assert_eq!(client.closed().await, (4429, "Too many initialisation requests".to_owned()));
}

#[tokio::test]
async fn s1012_the_server_stops() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    client.subscribe("a", "subscription { forever }").await;
    assert_eq!(client.hear().await["type"], "next");
    let (closed, ()) = tokio::join!(client.closed(), server.state.shut_down());
    assert_eq!(closed, (1012, "service restart".to_owned()));
    let refused = connect_async(upgrade(&server, &[PROTOCOL])).await.expect_err("no new socket");
    assert!(matches!(refused, tungstenite::Error::Http(reply) if reply.status() == 503));
}

#[tokio::test]
async fn s1009_a_message_beyond_its_limit() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    client.say(json!({"type": "ping", "payload": {"pad": "x".repeat(70_000)}})).await;
    client.closes_with(1009).await;
}

#[tokio::test]
async fn the_server_asks_for_a_sign_of_life_and_leaves_when_none_comes() {
    let server = with_socket(|socket| socket.keep_alive = Duration::from_millis(50));
    let mut client = Client::open(&server).await;
    for _ in 0..5 {
        assert_eq!(client.hear().await, json!({"type": "ping"}));
        client.say(json!({"type": "pong"})).await;
    }
    client.closes_with(1001).await;
}

#[tokio::test]
async fn the_upgrade_may_say_who_calls() {
    let server = Server::start();
    let mut client = Client::with(&server, &[PROTOCOL, ("authorization", "Bearer user")]).await;
    client.init(json!({})).await;
    client.subscribe("a", "{ me }").await;
    assert_eq!(client.hear().await["payload"]["data"]["me"], "user");
    let mut client = Client::with(&server, &[PROTOCOL, ("authorization", "Bearer user")]).await;
    client.init(json!({"authorization": "Bearer vendor"})).await;
    client.subscribe("a", "{ me }").await;
    assert_eq!(client.hear().await["payload"]["data"]["me"], "vendor", "connection_init goes first");
}

#[tokio::test]
async fn a_page_of_another_origin_gets_no_socket() {
    let server =
        Server::with(Config { allowed_origins: vec!["https://app.example.com".to_owned()], ..open() });
    let own = server.url("");
    for fine in [own.as_str(), "https://app.example.com"] {
        Client::with(&server, &[PROTOCOL, ("origin", fine)]).await.init(json!({})).await;
    }
    for bad in ["https://evil.example", "null"] {
        let refused =
            connect_async(upgrade(&server, &[PROTOCOL, ("origin", bad)])).await.expect_err("refused");
        assert!(matches!(refused, tungstenite::Error::Http(reply) if reply.status() == 403), "{bad}");
    }
}

#[tokio::test]
async fn a_plain_request_is_told_to_upgrade() {
    let server = Server::start();
    let reply = server.request("GET", "/graphql/ws", &[], "").await;
    assert_eq!((reply.status, reply.code().as_str()), (426, "UPGRADE_REQUIRED"));
}

#[tokio::test]
async fn a_socket_runs_fifty_operations_and_no_more() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    for n in 0..50 {
        client.subscribe(&format!("s{n}"), "subscription { forever }").await;
        assert_eq!(client.hear().await["type"], "next");
    }
    client.subscribe("one-more", "subscription { forever }").await;
    let error = client.hear().await;
    assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("one-more")));
    assert_eq!(error["payload"][0]["extensions"]["code"], "TOO_MANY_OPERATIONS");
    client.say(json!({"type": "complete", "id": "s0"})).await;
    client.subscribe("one-more", "subscription { forever }").await;
    assert_eq!(client.hear().await["type"], "next", "a place is free again");
}

#[tokio::test]
async fn a_tenant_has_so_many_sockets_and_no_more() {
    let server = with_socket(|socket| socket.per_tenant = 1);
    let user = json!({"authorization": "Bearer user"});
    let mut first = Client::connect(&server).await;
    first.init(user.clone()).await;
    let mut second = Client::connect(&server).await;
    second.say(json!({"type": "connection_init", "payload": user})).await;
    second.closes_with(1013).await;
    Client::open(&server).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_and_its_source_was_not_drained() {
    let server = with_socket(|socket| socket.send_timeout = Duration::from_millis(200));
    let mut client = Client::open(&server).await;
    client.subscribe("f", "subscription { flood }").await;
    tokio::time::timeout(PATIENCE, server.probe.dropped.notified()).await.expect("the source is dropped");
    let made = server.probe.flooded.load(Ordering::Relaxed);
    assert!((1..100_000).contains(&made), "{made} kilobytes were taken from the source");
}
