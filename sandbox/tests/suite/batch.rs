//! `$batch`: several requests in one, each answered by itself.

use serde_json::{Value, json};

use crate::setup::{Setup, meeting};

fn status_of(answers: &Value, id: &str) -> u64 {
    let all = answers["responses"].as_array().unwrap();
    all.iter().find(|answer| answer["id"] == id).unwrap()["status"].as_u64().unwrap()
}

#[tokio::test]
async fn each_request_of_a_batch_is_answered_by_itself() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let event = meeting("one", 9, 10, &[]);
    let json_body = json!({ "Content-Type": "application/json" });
    setup.control(
        "faults",
        json!({ "match": { "path_contains": "mailboxSettings" }, "action": "throttle", "retry_after": 3 }),
    ).await;
    let requests = json!([
        { "id": "user", "method": "GET", "url": "/users/ada@acme.test?$select=id" },
        { "id": "busy", "method": "GET", "url": "/users/ada@acme.test/mailboxSettings" },
        { "id": "after", "method": "GET", "url": "/users/ada@acme.test", "dependsOn": ["busy"] },
        { "id": "write", "method": "POST", "url": "/users/ada@acme.test/events", "headers": json_body, "body": event },
        { "id": "nobody", "method": "GET", "url": "/users/nobody@acme.test" },
    ]);
    let (status, answers) = setup.post(&token, "$batch", json!({ "requests": requests })).await;
    assert_eq!(status, 200);
    let statuses = ["user", "busy", "after", "write", "nobody"].map(|id| status_of(&answers, id));
    assert_eq!(statuses, [200, 429, 424, 201, 404]);
    let throttled = &answers["responses"][1];
    assert_eq!(throttled["headers"]["Retry-After"], "3", "each has headers of its own");
    assert_eq!(answers["responses"][0]["body"].get("displayName"), None, "a query counts");
    let journal = setup.ask("journal").await;
    let outcomes: Vec<&str> =
        journal.as_array().unwrap().iter().filter_map(|entry| entry["outcome"].as_str()).collect();
    assert!(outcomes.contains(&"created") && outcomes.contains(&"throttled"), "{outcomes:?}");
}

#[tokio::test]
async fn a_batch_that_makes_no_sense_is_refused_as_a_whole() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let get = |id: usize| json!({ "id": id.to_string(), "method": "GET", "url": "/users/ada@acme.test" });
    let many: Vec<Value> = (0..21).map(get).collect();
    let no_type = json!([{ "id": "1", "method": "POST", "url": "/users/ada@acme.test/events", "body": {} }]);
    let ahead = json!([{ "id": "1", "method": "GET", "url": "/users", "dependsOn": ["2"] }]);
    let absolute = json!([{ "id": "1", "method": "GET", "url": "https://elsewhere.test/users" }]);
    for requests in [json!(many), json!([]), json!([get(1), get(1)]), no_type, ahead, absolute] {
        let (status, refused) = setup.post(&token, "$batch", json!({ "requests": requests })).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &json!("BadRequest")), "{requests}");
    }
    let fine: Vec<Value> = (0..20).map(get).collect();
    assert_eq!(setup.post(&token, "$batch", json!({ "requests": fine })).await.0, 200);
}
