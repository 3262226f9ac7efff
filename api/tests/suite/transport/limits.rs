//! What an answer may take, in bytes and in time, and what a refusal says about its limit.

use std::{sync::atomic::Ordering, time::Duration};

use api::Config;
use serde_json::{Value, json};

use crate::transport::{
    socket::Client,
    support::{Server, open},
};

const ANSWER: usize = 100 * 1024;

fn small_answers() -> Server {
    Server::with(Config { answer_limit: ANSWER, ..open() })
}

fn hurried() -> Server {
    Server::with(Config { execution_timeout: Duration::from_millis(100), ..open() })
}

/// That an error is about an answer of more than [`ANSWER`] bytes, given up soon after.
fn assert_too_large(error: &Value) {
    let extensions = &error["extensions"];
    assert_eq!((&extensions["code"], &extensions["limit"]), (&json!("ANSWER_TOO_LARGE"), &json!(ANSWER)));
    let actual = extensions["actual"].as_u64().unwrap();
    assert!((ANSWER as u64..2 * ANSWER as u64).contains(&actual), "{actual}");
}

#[tokio::test]
async fn an_answer_beyond_its_limit_is_given_up_at_the_limit() {
    let server = small_answers();
    let fits = server.query("{ members(first: 90) { kilobyte } }").await;
    assert_eq!((fits.status, fits.json()["data"]["members"].as_array().unwrap().len()), (200, 90));
    server.probe.kilobytes.store(0, Ordering::Relaxed);
    let reply = server.query("{ members(first: 1000) { kilobyte } }").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "ANSWER_TOO_LARGE"));
    let json = reply.json();
    assert!(json.get("data").is_none(), "{json}");
    assert_eq!(json["errors"].as_array().unwrap().len(), 1, "one sentence, not one for each field");
    assert_too_large(&json["errors"][0]);
    let resolved = server.probe.kilobytes.load(Ordering::Relaxed);
    assert!((90..200).contains(&resolved), "{resolved} kilobytes were made for an answer of a hundred");
}

#[tokio::test]
async fn numbers_and_brackets_count_as_well() {
    let server = Server::with(Config { answer_limit: 1_000, ..open() });
    let reply = server.query("{ members(first: 100) { busy } }").await;
    assert_eq!(reply.code(), "ANSWER_TOO_LARGE");
}

#[tokio::test]
async fn an_answer_beyond_its_limit_is_one_error_on_a_socket() {
    let server = small_answers();
    let mut client = Client::open(&server).await;
    for operation in ["{ members(first: 1000) { kilobyte } }", "subscription { growing { kilobyte } }"] {
        client.subscribe("a", operation).await;
        let mut message = client.hear().await;
        let mut heard = 0;
        while message["type"] == "next" {
            heard += 1;
            message = client.hear().await;
        }
        assert_eq!(message["type"], "error", "{operation}");
        assert_too_large(&message["payload"][0]);
        assert_eq!(
            heard,
            if operation.starts_with('{') { 0 } else { 7 },
            "events that fit are sent: 1 to 64"
        );
    }
    client.say(json!({"type": "ping"})).await;
    assert_eq!(client.hear().await["type"], "pong", "the socket goes on");
}

#[tokio::test]
async fn a_resolver_that_never_waits_is_given_up_in_time() {
    let server = hurried();
    let reply = server.query("{ members(first: 1000) { busy } }").await;
    assert_eq!((reply.status, reply.code().as_str()), (504, "TIMEOUT"));
}

#[tokio::test]
async fn finding_out_who_calls_is_part_of_the_time() {
    let server = hurried();
    let reply = server.post_as(&["authorization: Bearer slow"], r#"{"query":"{ hello }"}"#).await;
    assert_eq!((reply.status, reply.code().as_str()), (504, "TIMEOUT"));
}

#[tokio::test]
async fn queries_and_first_events_on_a_socket_are_given_up_in_time() {
    let server = hurried();
    let mut client = Client::open(&server).await;
    for operation in ["{ never }", "{ members(first: 1000) { busy } }", "subscription { stuck { never } }"] {
        client.subscribe("a", operation).await;
        let message = client.hear().await;
        assert_eq!(message["type"], "error", "{operation}");
        assert_eq!(message["payload"][0]["extensions"]["code"], "TIMEOUT", "{operation}");
    }
}

#[tokio::test]
async fn whoever_exceeds_a_limit_is_told_the_limit_and_what_was_found() {
    let server = Server::start();
    let excess = async |query: &str| {
        let reply = server.query(query).await;
        assert_eq!(reply.code(), "LIMIT_EXCEEDED", "{query}");
        let extensions = reply.json()["errors"][0]["extensions"].clone();
        (extensions["limit"].as_u64().unwrap(), extensions["actual"].as_u64().unwrap())
    };
    let repeated = |item: &str, times: usize| format!("{{ {} }}", item.repeat(times));
    assert_eq!(excess(&repeated("hello ", 2_001)).await, (2_000, 2_003), "tokens");
    assert_eq!(excess(&repeated("hello ", 21)).await, (20, 21), "root fields");
    assert_eq!(
        excess(&format!("{{ members(first: 1) {} }}", repeated("a: busy ", 31))).await,
        (30, 31),
        "aliases"
    );
    assert_eq!(excess("{ members(first: 50000) { busy } }").await, (20_000, 50_001), "cost");
    let body = json!({"query": "{ hello }", "extensions": {"pad": "x".repeat(300_000)}}).to_string();
    let reply = server.post(&body).await;
    let extensions = &reply.json()["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "BODY_TOO_LARGE");
    assert_eq!((&extensions["limit"], &extensions["actual"]), (&json!(256 * 1024), &json!(body.len())));
}
