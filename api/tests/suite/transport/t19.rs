//! A credential is accepted only in its designated place, and only if it occurs exactly once (T19).

use serde_json::{Value, json};
use tokio_tungstenite::{connect_async, tungstenite};

use crate::transport::{
    socket::{Client, PROTOCOL, upgrade},
    support::{Reply, Server},
};

const QUERY: &str = r#"{"query":"{ me }"}"#;

/// Header lines that must not authenticate a request.
const REFUSED: [&[&str]; 16] = [
    &["authorization: Bearer user", "authorization: Bearer wrong"],
    &["authorization: Bearer wrong", "authorization: Bearer user"],
    &["authorization: Bearer user", "authorization: Bearer user"],
    &["authorization: Bearer user", "Authorization: Bearer vendor"],
    &["authorization: ", "authorization: Bearer user"],
    &["authorization: Bearer user, Bearer wrong"],
    &["authorization: Bearer user,Bearer user"],
    &["authorization: Bearer Bearer user"],
    &["authorization: Basic user"],
    &["authorization: user"],
    &["authorization: "],
    &["authorization: Bearer us\u{e9}r"],
    &["authorization: Bearer user\u{a0}"],
    &["authorization: Bearer vendor", "muster-tenant: a", "muster-tenant: b"],
    &["authorization: Bearer vendor", "muster-tenant: a", "Muster-Tenant: a"],
    &["authorization: Bearer vendor", "muster-tenant: \u{e9}"],
];

/// Header lines that carry no credential for Muster.
const NOT_READ: [&str; 9] = [
    "proxy-authorization: Bearer user",
    "x-authorization: Bearer user",
    "x-forwarded-authorization: Bearer user",
    "x-original-authorization: Bearer user",
    "x-access-token: user",
    "x-api-key: user",
    "cookie: authorization=Bearer user; access_token=user; token=user",
    "sec-websocket-protocol: graphql-transport-ws, Bearer.user",
    "www-authenticate: Bearer user",
];

fn me(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["data"]["me"].clone()
}

#[tokio::test]
async fn t19_a_credential_counts_once_and_where_it_belongs() {
    let server = Server::start();
    assert_eq!(
        me(&server.post_as(&["authorization: Bearer user"], QUERY).await),
        "user",
        "a single credential is accepted"
    );
    for lines in REFUSED {
        let reply = server.post_as(lines, QUERY).await;
        let code = if lines.len() > 1 && lines[1].contains("tenant") { 403 } else { 401 };
        assert_eq!(reply.status, code, "{lines:?}: {reply:?}");
    }
    for line in NOT_READ {
        assert_eq!(me(&server.post_as(&[line], QUERY).await), "anonymous", "{line}");
    }
    for path in
        ["access_token=user", "authorization=Bearer%20user", "token=user", "Authorization=Bearer+user"]
    {
        let query = format!("/graphql?query=%7Bme%7D&{path}");
        let reply = server.request("GET", &query, &["accept: application/json"], "").await;
        assert!(reply.status != 200 || me(&reply) == "anonymous", "{path}: {reply:?}");
    }
    for name in ["access_token", "authorization", "token"] {
        let body = json!({ "query": "{ me }", name: "Bearer user", "extensions": { name: "Bearer user" } });
        let reply = server.post(&body.to_string()).await;
        assert!(reply.status != 200 || me(&reply) == "anonymous", "{name}: {reply:?}");
    }
}

#[tokio::test]
async fn t19_a_socket_believes_one_credential_only() {
    let server = Server::start();
    for payload in [
        json!({"authorization": "Bearer user", "Authorization": "Bearer vendor"}),
        json!({"authorization": "Bearer wrong", "AUTHORIZATION": "Bearer user"}),
        json!({"authorization": ["Bearer user"]}),
        json!({"authorization": {"bearer": "user"}}),
        json!({"authorization": true}),
        json!({"authorization": ""}),
        json!({"authorization": "Bearer user, Bearer user"}),
        json!({"authorization": "Bearer vendor", "tenant": "a", "muster-tenant": "b"}),
        json!({"authorization": "Bearer vendor", "tenant": ["a"]}),
    ] {
        let mut client = Client::connect(&server).await;
        client.say(json!({"type": "connection_init", "payload": payload})).await;
        client.closes_with(4403).await;
    }
    for payload in [
        json!({"headers": {"authorization": "Bearer user"}}),
        json!({"access_token": "user", "token": "Bearer user"}),
        json!({"authorization": null}),
    ] {
        let mut client = Client::connect(&server).await;
        client.init(payload.clone()).await;
        client.subscribe("a", "{ me }").await;
        assert_eq!(client.hear().await["payload"]["data"]["me"], "anonymous", "{payload}");
    }
    let mut twice = upgrade(&server, &[PROTOCOL, ("authorization", "Bearer user")]);
    twice.headers_mut().append("authorization", "Bearer wrong".parse().unwrap());
    let refused = connect_async(twice).await.expect_err("the upgrade is refused");
    assert!(matches!(refused, tungstenite::Error::Http(reply) if reply.status() == 401));
}
