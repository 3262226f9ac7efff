//! A socket whose credential is revoked, or whose caller may do less.

use std::{sync::atomic::Ordering, time::Duration};

use api::Config;
use serde_json::{Value, json};

use crate::transport::{
    socket::{Client, with_socket},
    support::{PATIENCE, Server, open},
};

async fn mortal(server: &Server) -> Client {
    let mut client = Client::connect(server).await;
    client.init(json!({"authorization": "Bearer mortal"})).await;
    client
}

fn forbidden() -> (u16, String) {
    (4403, "Forbidden".to_owned())
}

#[tokio::test]
async fn s6_9_an_idle_socket_is_closed_when_its_credential_is_revoked() {
    let server = Server::start();
    let mut client = mortal(&server).await;
    server.authenticator.revoke();
    server.authenticator.tell(true);
    assert_eq!(client.closed().await, forbidden());
}

#[tokio::test]
async fn a_socket_that_was_told_nothing_runs_no_further_operation() {
    let server = Server::start();
    let mut client = mortal(&server).await;
    client.subscribe("a", "mutation { bump }").await;
    assert_eq!(client.hear().await["payload"]["data"]["bump"], 1);
    assert_eq!(client.hear().await["type"], "complete");
    server.authenticator.revoke();
    client.subscribe("b", "mutation { bump }").await;
    assert_eq!(client.closed().await, forbidden());
    assert_eq!(server.probe.bumped.load(Ordering::SeqCst), 1, "the second one did not run");
}

#[tokio::test]
async fn s6_9_a_socket_that_was_told_nothing_sends_no_further_event() {
    let server = Server::start();
    let mut client = mortal(&server).await;
    client.subscribe("a", "subscription { news }").await;
    assert_eq!(client.hear().await["payload"]["data"]["news"], "here");
    server.authenticator.revoke();
    server.probe.go.notify_one();
    assert_eq!(client.closed().await, forbidden(), "and not the news");
}

#[tokio::test]
async fn a_socket_that_was_told_nothing_and_is_idle_is_closed_at_its_keep_alive() {
    let server = with_socket(|socket| socket.keep_alive = Duration::from_millis(50));
    let mut client = mortal(&server).await;
    server.authenticator.revoke();
    assert_eq!(client.closed().await, forbidden());
}

#[tokio::test]
async fn an_operation_has_the_permissions_of_its_moment() {
    let server = Server::start();
    let mut client = mortal(&server).await;
    let mut rights = async |id: &str| {
        client.subscribe(id, "{ rights }").await;
        let answer = client.hear().await["payload"]["data"]["rights"].clone();
        assert_eq!(client.hear().await["type"], "complete");
        answer
    };
    assert_ne!(rights("a").await, 0);
    server.authenticator.demote();
    server.authenticator.tell(false);
    assert_eq!(rights("b").await, Value::from(0), "whether or not the change was heard of");
    server.authenticator.tell(true);
    assert_eq!(rights("c").await, Value::from(0), "and the socket stays open: it is the same caller");
}

#[tokio::test]
async fn an_operation_goes_on_while_its_socket_waits_to_authenticate() {
    for document in ["{ slowHello }", "subscription { slowNews { text } }"] {
        let server = Server::start();
        let mut client = mortal(&server).await;
        client.subscribe("a", document).await;
        server.probe.begun.notified().await;
        server.authenticator.hold(true);
        client.subscribe("b", "{ hello }").await;
        server.authenticator.waits.notified().await;
        server.probe.go.notify_one();
        let done = tokio::time::timeout(PATIENCE, server.probe.done.notified()).await;
        done.expect("what an operation holds is not kept until the socket has authenticated");
        server.authenticator.hold(false);
        let mut told = [client.hear().await, client.hear().await, client.hear().await, client.hear().await]
            .map(|message| format!("{} {}", message["id"], message["type"]));
        told.sort_unstable();
        assert_eq!(told, [r#""a" "complete""#, r#""a" "next""#, r#""b" "complete""#, r#""b" "next""#]);
    }
}

#[tokio::test]
async fn what_an_ended_operation_had_ready_is_not_said_any_more() {
    let server = Server::start();
    let mut client = mortal(&server).await;
    // Whether the result or `complete` is seen first is chance, so it is tried several times.
    for n in 0..8 {
        client.subscribe("a", "{ slowHello }").await;
        server.probe.begun.notified().await;
        server.authenticator.hold(true);
        client.subscribe("b", "{ hello }").await;
        server.authenticator.waits.notified().await;
        server.probe.go.notify_one();
        server.probe.done.notified().await;
        client.say(json!({ "type": "complete", "id": "a" })).await;
        client.say(json!({ "type": "ping", "payload": { "n": n } })).await;
        server.authenticator.hold(false);
        while client.hear().await["type"] != "pong" {}
        client.subscribe("c", "{ me }").await;
        loop {
            let message = client.hear().await;
            assert_ne!(message["id"], "a", "{message}");
            if message["id"] == "c" && message["type"] == "complete" {
                break;
            }
        }
    }
}

/// Runs a mutation of two root fields; `meanwhile` happens while the first one runs.
async fn two_fields(server: &Server, second: &str, meanwhile: impl FnOnce()) -> Value {
    let body = json!({ "query": format!("mutation {{ slowBump {second} }}") }).to_string();
    let mortal = ["authorization: Bearer mortal"];
    let others = async {
        server.probe.begun.notified().await;
        meanwhile();
        server.probe.go.notify_one();
    };
    let (reply, ()) = tokio::join!(server.post_as(&mortal, &body), others);
    reply.json()
}

#[tokio::test]
async fn no_root_field_begins_for_a_caller_who_lost_access() {
    let server = Server::start();
    let reply = two_fields(&server, "bump", || server.authenticator.revoke()).await;
    assert_eq!(reply["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{reply}");
    assert_eq!(reply["errors"][0]["path"], json!(["bump"]));
    assert_eq!(server.probe.bumped.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_root_field_has_the_permissions_of_its_moment() {
    let server = Server::start();
    assert_ne!(two_fields(&server, "rights", || {}).await["data"]["rights"], 0);
    let reply = two_fields(&server, "rights", || server.authenticator.demote()).await;
    assert_eq!(reply["data"]["rights"], 0, "{reply}");
}

#[tokio::test]
async fn no_root_field_begins_once_the_client_was_told_that_it_took_too_long() {
    let server = Server::with(Config { execution_timeout: Duration::from_millis(50), ..open() });
    let body = r#"{"query":"mutation { slowBump bump }"}"#;
    let reply = server.post_as(&["authorization: Bearer mortal"], body).await;
    assert_eq!((reply.status, reply.code().as_str()), (504, "TIMEOUT"));
    server.probe.go.notify_one();
    server.probe.done.notified().await;
    server.state.shut_down().await;
    assert_eq!(server.probe.bumped.load(Ordering::SeqCst), 0);
}
