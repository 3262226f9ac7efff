//! The reference clients and suites of others: npm `graphql-http` and `graphql-ws`.

use serde_json::{Value, json};

use crate::transport::support::{Server, node};

#[tokio::test]
async fn all_61_audits_of_graphql_over_http_pass() {
    let server = Server::start();
    let output = node("audit.mjs", &[&server.url("/graphql")]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let results: Vec<Value> = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
    let failed: Vec<&Value> = results.iter().filter(|result| result["status"] != "ok").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(results.len(), 61, "the suite has 61 audits");
}

#[tokio::test]
async fn the_reference_client_subscribes_queries_and_mutates() {
    let server = Server::start();
    let output =
        node("subscribe.mjs", &[&format!("ws://{}/graphql/ws", server.address), "Bearer user"]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let seen: Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(seen["counted"], json!([1, 2, 3]));
    assert_eq!(seen["me"], "user");
    assert_eq!(seen["bumped"], 1);
    assert_eq!(seen["refused"], "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(seen["firstOfEndless"], "here");
}

#[tokio::test]
async fn the_reference_client_comes_back_after_a_restart_notice_and_stays_away_after_a_refusal() {
    let server = Server::start();
    let url = format!("ws://{}/graphql/ws", server.address);
    let output = node("reconnect.mjs", &[&url]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let seen: Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(seen["closedWith"], 4403, "the short token expires");
    assert_eq!(seen["connections"], 2, "the client fetches a new token and comes back");
    assert_eq!(seen["events"], json!(["here", "here"]));
}

/// The exceptions are named in the script, one by one.
#[tokio::test]
async fn the_schema_passes_graphql_eslint() {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql");
    let output = node("lint-schema.mjs", &[schema]).await;
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert!(findings.is_empty(), "{findings:#?}");
}
