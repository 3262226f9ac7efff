//! GraphQL over HTTP, check by check in the order in which they are made.

use std::time::Duration;

use api::{Config, Introspection, persisted_documents::PersistedDocuments};
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::transport::{
    socket::Client,
    support::{PATIENCE, Server, open},
};

const JSON: &str = "content-type: application/json";
const QUERY: &str = r#"{"query":"{ hello }"}"#;

#[tokio::test]
async fn a_known_document_runs_by_its_id_and_others_only_where_they_may() {
    let known = || {
        PersistedDocuments::from_manifest(br#"{"greeting":"query($n: String!) { hello(name: $n) }"}"#)
            .unwrap()
    };
    let server = Server::with(Config { documents: known(), ..open() });
    let by_id = r#"{"documentId":"greeting","variables":{"n":"Ada"}}"#;
    assert_eq!(server.post(by_id).await.json()["data"]["hello"], "Hello, Ada!");
    let address = "/graphql?documentId=greeting&variables=%7B%22n%22%3A%22Ada%22%7D";
    let accept = ["accept: application/graphql-response+json"];
    assert_eq!(server.request("GET", address, &accept, "").await.json()["data"]["hello"], "Hello, Ada!");
    assert_eq!(server.post(r#"{"documentId":"other"}"#).await.code(), "DOCUMENT_UNKNOWN");
    assert_eq!(server.query("{ hello }").await.status, 200, "texts run as well");

    let strict = Server::with(Config { documents: known().require_persisted(true), ..open() });
    assert_eq!(strict.post(by_id).await.status, 200);
    let reply = strict.query("{ hello }").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "DOCUMENT_REQUIRED"));
    let mut client = Client::open(&strict).await;
    for (payload, kind) in [
        (json!({ "query": "{ hello }" }), "error"),
        (json!({ "documentId": "greeting", "variables": { "n": "Ada" } }), "next"),
    ] {
        client.say(json!({ "type": "subscribe", "id": kind, "payload": payload })).await;
        assert_eq!(client.hear().await["type"], kind);
    }
}

#[tokio::test]
async fn a_query_is_answered_in_the_media_type_that_was_asked_for() {
    let server = Server::start();
    let new = server.query("{ hello(name: \"Ada\") }").await;
    assert_eq!(new.status, 200);
    assert_eq!(new.json(), json!({"data": {"hello": "Hello, Ada!"}}));
    assert_eq!(new.header("content-type"), "application/graphql-response+json; charset=utf-8");
    assert_eq!(new.header("vary"), "Accept, Accept-Language");
    let old = server.request("POST", "/graphql", &[JSON], QUERY).await;
    assert_eq!((old.status, old.header("content-type")), (200, "application/json; charset=utf-8"));
    assert_eq!(old.header("vary"), "Accept, Accept-Language");
}

#[tokio::test]
async fn only_get_and_post_are_answered() {
    let server = Server::start();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let reply = server.request(method, "/graphql", &["accept: text/html"], "").await;
        assert_eq!((reply.status, reply.code().as_str()), (405, "METHOD_NOT_ALLOWED"), "{method}");
        assert_eq!(reply.header("allow"), "GET, POST");
    }
}

#[tokio::test]
async fn pages_of_configured_origins_may_call_and_others_learn_nothing() {
    let origins = vec!["https://app.example.com".to_owned(), "http://localhost:3000".to_owned()];
    let server = Server::with(Config { allowed_origins: origins, ..open() });
    let asks = [
        "access-control-request-method: POST",
        "access-control-request-headers: authorization, content-type, muster-tenant",
    ];
    for origin in ["https://app.example.com", "http://localhost:3000"] {
        let from = format!("origin: {origin}");
        let preflight = server.request("OPTIONS", "/graphql", &[&from, asks[0], asks[1]], "").await;
        assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (200, origin));
        let allowed = preflight.header("access-control-allow-headers").to_lowercase();
        for header in ["authorization", "content-type", "muster-tenant", "accept-language"] {
            assert!(allowed.contains(header), "{allowed}");
        }
        assert_eq!(preflight.header("access-control-max-age"), "7200");
        assert_eq!(preflight.header("access-control-allow-credentials"), "", "cookies authenticate nobody");
        let reply = server.request("POST", "/graphql", &[JSON, &from], QUERY).await;
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, origin));
        let exposed = reply.header("access-control-expose-headers").to_lowercase();
        assert!(exposed.contains("retry-after") && exposed.contains("x-request-id"), "{exposed}");
        let vary = reply.header("vary").to_lowercase();
        assert!(vary.contains("origin") && vary.contains("accept-language"), "{vary}");
        let refused = server.request("POST", "/graphql", &[JSON, &from], "{").await;
        assert_eq!(
            (refused.status, refused.header("access-control-allow-origin")),
            (400, origin),
            "an error too"
        );
    }
    for origin in ["https://evil.example", "https://app.example.com.evil.example", "null"] {
        let from = format!("origin: {origin}");
        let preflight = server.request("OPTIONS", "/graphql", &[&from, asks[0], asks[1]], "").await;
        assert_eq!(preflight.header("access-control-allow-origin"), "", "{origin}");
        let reply = server.request("POST", "/graphql", &[JSON, &from], QUERY).await;
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, ""), "{origin}");
    }
    let without = Server::start();
    let preflight =
        without.request("OPTIONS", "/graphql", &["origin: https://app.example.com", asks[0]], "").await;
    assert_eq!((preflight.status, preflight.code().as_str()), (405, "METHOD_NOT_ALLOWED"));
}

#[tokio::test]
async fn what_cannot_be_accepted_is_refused_before_the_body_is_looked_at() {
    let server = Server::start();
    let reply =
        server.request("POST", "/graphql", &["accept: text/html", "content-type: text/plain"], "x").await;
    assert_eq!((reply.status, reply.code().as_str()), (406, "NOT_ACCEPTABLE"));
}

#[tokio::test]
async fn forms_and_plain_text_are_refused_so_that_no_other_site_can_send_them() {
    let server = Server::start();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=iso-8859-1",
        "application/json5",
    ] {
        let reply = server.request("POST", "/graphql", &[&format!("content-type: {kind}")], QUERY).await;
        assert_eq!((reply.status, reply.code().as_str()), (415, "UNSUPPORTED_MEDIA_TYPE"), "{kind}");
    }
    assert_eq!(server.request("POST", "/graphql", &[], QUERY).await.status, 415, "none at all");
    let compressed = server.request("POST", "/graphql", &[JSON, "content-encoding: gzip"], QUERY).await;
    assert_eq!(compressed.status, 415);
    let fine =
        server.request("POST", "/graphql", &["content-type: Application/JSON; Charset=UTF-8"], QUERY).await;
    assert_eq!(fine.status, 200);
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_refused_declared_or_not() {
    let server = Server::start();
    let declared =
        format!("POST /graphql HTTP/1.1\r\nhost: x\r\n{JSON}\r\ncontent-length: 300000000\r\n\r\n");
    let reply = server.send(declared.as_bytes()).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "BODY_TOO_LARGE"));
    let mut chunked =
        format!("POST /graphql HTTP/1.1\r\nhost: x\r\n{JSON}\r\ntransfer-encoding: chunked\r\n\r\n");
    chunked += &("40001\r\n".to_owned() + &"x".repeat(0x40001) + "\r\n");
    assert_eq!(server.send(chunked.as_bytes()).await.status, 413);
    let largest = json!({"query": "{ hello }", "extensions": {"pad": "x".repeat(262_000)}}).to_string();
    assert_eq!(server.post(&largest).await.status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let server = Server::with(Config { body_timeout: Duration::from_millis(100), ..open() });
    let slow =
        format!("POST /graphql HTTP/1.1\r\nhost: x\r\n{JSON}\r\ncontent-length: 20\r\n\r\n{{\"query\"");
    let reply = server.send(slow.as_bytes()).await;
    assert_eq!((reply.status, reply.code().as_str()), (408, "BODY_TIMEOUT"));
}

#[tokio::test]
async fn a_body_of_the_wrong_shape_is_refused_in_both_media_types() {
    let server = Server::start();
    for (body, code) in [
        ("", "MALFORMED_JSON"),
        ("{", "MALFORMED_JSON"),
        ("7", "BAD_REQUEST"),
        ("{}", "BAD_REQUEST"),
        (r#"{"query":7}"#, "BAD_REQUEST"),
        (r#"{"query":"{hello}","operationName":1}"#, "BAD_REQUEST"),
        (r#"{"query":"{hello}","variables":"x"}"#, "BAD_REQUEST"),
        (r#"{"query":"{hello}","extensions":[]}"#, "BAD_REQUEST"),
        (r#"[{"query":"{hello}"}]"#, "BATCH_REFUSED"),
    ] {
        let new = server.post(body).await;
        assert_eq!((new.status, new.code().as_str()), (400, code), "{body}");
        let old = server.request("POST", "/graphql", &[JSON], body).await;
        assert_eq!((old.status, old.code().as_str()), (400, code), "{body}");
        assert!(new.json().get("data").is_none(), "nothing ran, so there is no data: {}", new.body);
    }
}

#[tokio::test]
async fn a_document_that_cannot_run_tells_by_status_or_by_body() {
    let server = Server::start();
    for (query, variables, code) in [
        ("{", json!({}), "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("query ($n: String) { double(n: $n) }", json!({"n": "1"}), "GRAPHQL_VALIDATION_FAILED"),
        ("{ sum(pair: {left: 1, left: 2, right: 3}) }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("query ($n: Int!) { double(n: $n) }", json!({"n": "1"}), "BAD_USER_INPUT"),
        ("query ($n: Int!) { double(n: $n) }", json!({}), "BAD_USER_INPUT"),
        ("query ($p: Pair!) { sum(pair: $p) }", json!({"p": {"left": 1, "rihgt": 2}}), "BAD_USER_INPUT"),
        ("query A { hello } query B { hello }", json!({}), "OPERATION_UNKNOWN"),
        ("subscription { count(to: 1) }", json!({}), "SUBSCRIPTION_NEEDS_SOCKET"),
    ] {
        let body = json!({"query": query, "variables": variables}).to_string();
        let new = server.post(&body).await;
        assert_eq!((new.status, new.code().as_str()), (400, code), "{query}");
        assert!(new.json().get("data").is_none(), "{query}");
        let old = server.request("POST", "/graphql", &[JSON], &body).await;
        assert_eq!((old.status, old.code().as_str()), (200, code), "{query}");
        assert!(old.json().get("data").is_none(), "{query}");
    }
}

#[tokio::test]
async fn get_runs_queries_only_however_the_mutation_is_named() {
    let server = Server::start();
    let get = async |query: &str| server.request("GET", &format!("/graphql?{query}"), &[], "").await;
    let reply = get("query=query($n:Int!)%7Bdouble(n:$n)%7D&variables=%7B%22n%22:21%7D").await;
    assert_eq!(reply.json(), json!({"data": {"double": 42}}));
    for mutation in [
        "query=mutation%7Bbump%7D",
        "query=mutation%20M%7Bbump%7D",
        "query=query%20Q%7Bhello%7Dmutation%20M%7Bbump%7D&operationName=M",
        "query=mutation%7Bnothing%7D",
    ] {
        let reply = get(mutation).await;
        assert_eq!((reply.status, reply.code().as_str()), (405, "ONLY_QUERIES_BY_GET"), "{mutation}");
        assert_eq!(reply.header("allow"), "POST");
    }
    let chosen = get("query=query%20Q%7Bhello%7Dmutation%20M%7Bbump%7D&operationName=Q").await;
    assert_eq!(chosen.status, 200);
    assert_eq!(get("").await.status, 400);
}

#[tokio::test]
async fn the_callers_words_never_come_back_at_length() {
    let server = Server::start();
    let reply = server.query(&format!("{{ {} }}", "hunter2".repeat(2_000))).await;
    assert_eq!(reply.code(), "GRAPHQL_VALIDATION_FAILED");
    assert!(reply.body.len() < 600, "{} bytes of answer", reply.body.len());
    let reply = server.query(&"{ hello(name: ".repeat(50)).await;
    assert!(reply.body.len() < 2_000, "{} bytes of answer: {}", reply.body.len(), reply.body);
}

#[tokio::test]
async fn a_failing_nullable_field_leaves_its_siblings() {
    let server = Server::start();
    let reply = server.query("{ hello broken refused }").await;
    assert_eq!(reply.status, 200);
    let json = reply.json();
    assert_eq!(json["data"], json!({"hello": "Hello, world!", "broken": null, "refused": null}));
    let errors = json["errors"].as_array().unwrap();
    let code_at = |field: &str| {
        let error = errors.iter().find(|error| error["path"] == json!([field])).unwrap();
        error["extensions"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code_at("broken"), "INTERNAL");
    assert_eq!(code_at("refused"), "SLOT_TAKEN");
    assert!(!reply.body.contains("hunter2"), "the cause of a defect stays here: {}", reply.body);
}

#[tokio::test]
async fn a_panic_is_answered_and_its_words_are_not() {
    let server = Server::start();
    let reply = server.query("{ hello panics }").await;
    assert_eq!((reply.status, reply.code().as_str()), (500, "INTERNAL"));
    assert!(!reply.body.contains("hunter2"), "{}", reply.body);
    assert_eq!(server.query("{ hello }").await.status, 200, "the server goes on");
}

#[tokio::test]
async fn a_value_that_a_custom_scalar_refuses_is_bad_input() {
    let server = Server::start();
    assert_eq!(server.query("{ shout(word: \"hi\") }").await.json(), json!({"data": {"shout": "HI"}}));
    for body in [
        json!({"query": "{ shout(word: \"two words\") }"}),
        json!({"query": "query ($w: Word!) { shout(word: $w) }", "variables": {"w": "two words"}}),
        json!({"query": "query ($w: Word!) { shout(word: $w) }", "variables": {"w": {"a": 1}}}),
    ] {
        let reply = server.post(&body.to_string()).await;
        assert_eq!(reply.code(), "BAD_USER_INPUT", "{body} gave {}", reply.body);
    }
}

#[tokio::test]
async fn the_caller_and_the_request_id_reach_the_resolvers() {
    let server = Server::start();
    let body = r#"{"query":"{ me requestId }"}"#;
    let reply = server.post_as(&["authorization: Bearer user", "x-request-id: my-id.7"], body).await;
    assert_eq!(reply.json(), json!({"data": {"me": "user", "requestId": "my-id.7"}}));
    assert_eq!(reply.header("x-request-id"), "my-id.7");
    let made = server.post_as(&["x-request-id: <script>"], body).await;
    assert!(made.header("x-request-id").starts_with("req_"), "{made:?}");
    assert_eq!(made.json()["data"]["me"], "anonymous");
}

#[tokio::test]
async fn a_bad_token_is_refused_after_validation_and_before_anything_runs() {
    let server = Server::start();
    for (token, status, code) in [
        ("Bearer wrong", 401, "UNAUTHENTICATED"),
        ("Bearer expired", 401, "TOKEN_EXPIRED"),
        ("Bearer unlucky", 503, "UNAVAILABLE"),
    ] {
        let reply = server.post_as(&[&format!("authorization: {token}")], QUERY).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{token}");
        assert_eq!(reply.header("www-authenticate") == "Bearer", status == 401);
    }
    let foreign = server.post_as(&["authorization: Bearer vendor", "muster-tenant: nowhere"], QUERY).await;
    assert_eq!((foreign.status, foreign.code().as_str()), (403, "TENANT_NOT_FOUND"));
    let invalid = server.post_as(&["authorization: Bearer wrong"], r#"{"query":"{ nothing }"}"#).await;
    assert_eq!(invalid.code(), "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn the_schema_is_shown_to_whom_the_settings_say() {
    let body = r#"{"query":"{ __schema { queryType { name } } }"}"#;
    let server = Server::with(Config::default());
    let anonymous = server.post(body).await;
    assert_eq!((anonymous.status, anonymous.code().as_str()), (403, "INTROSPECTION_DISABLED"));
    assert_eq!(server.post_as(&["authorization: Bearer user"], body).await.code(), "INTROSPECTION_DISABLED");
    let admin = server.post_as(&["authorization: Bearer admin"], body).await;
    assert_eq!(admin.json()["data"]["__schema"]["queryType"]["name"], "Query");
    assert_eq!(server.query("{ __typename }").await.status, 200, "a type's name is no introspection");
    let nobody = Server::with(Config { introspection: Introspection::Nobody, ..Config::default() });
    assert_eq!(nobody.post_as(&["authorization: Bearer admin"], body).await.code(), "INTROSPECTION_DISABLED");
}

#[tokio::test]
async fn a_query_that_never_ends_is_given_up() {
    let server = Server::with(Config { execution_timeout: Duration::from_millis(100), ..open() });
    let reply = server.query("{ never }").await;
    assert_eq!((reply.status, reply.code().as_str()), (504, "TIMEOUT"));
}

#[tokio::test]
async fn a_begun_mutation_ends_even_when_the_client_hangs_up() {
    let server = Server::start();
    let body = r#"{"query":"mutation { slowBump }"}"#;
    let head =
        format!("POST /graphql HTTP/1.1\r\nhost: x\r\n{JSON}\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all((head + body).as_bytes()).await.unwrap();
    tokio::time::timeout(PATIENCE, server.probe.begun.notified()).await.expect("it begins");
    drop(stream);
    // A request that comes after shows that the server has had the chance to notice.
    assert_eq!(server.query("{ hello }").await.status, 200);
    server.probe.go.notify_one();
    tokio::time::timeout(PATIENCE, server.probe.done.notified()).await.expect("it ends");
}

#[tokio::test]
async fn a_document_beyond_a_limit_is_refused() {
    let server = Server::start();
    let aliases: Vec<String> = (0..31).map(|n| format!("a{n}: hello")).collect();
    let reply = server.query(&format!("{{ {} }}", aliases.join(" "))).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn one_of_takes_exactly_one() {
    let server = Server::start();
    assert_eq!(server.query("{ lookup(by: {id: \"7\"}) }").await.json(), json!({"data": {"lookup": "id 7"}}));
    let both = server.query("{ lookup(by: {id: \"7\", email: \"a@b.example\"}) }").await;
    assert_eq!(both.code(), "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn health_lives_and_readiness_tells_what_is_missing() {
    let server = Server::start();
    let health = server.request("GET", "/health", &[], "").await;
    assert_eq!((health.status, health.json()["status"].as_str()), (200, Some("ok")));
    let ready = server.request("GET", "/ready", &[], "").await;
    assert_eq!((ready.status, ready.json()["checks"][0]["name"].as_str()), (200, Some("store")));
    let down = Server::which_is_ready(open(), false);
    assert_eq!(down.request("GET", "/ready", &[], "").await.status, 503);
    assert_eq!(down.request("GET", "/health", &[], "").await.status, 200);
    server.state.shut_down().await;
    let stopping = server.request("GET", "/ready", &[], "").await;
    assert_eq!((stopping.status, stopping.json()["status"].as_str()), (503, Some("stopping")));
}
