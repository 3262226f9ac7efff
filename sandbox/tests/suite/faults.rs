//! Faults that are planted, and the limit on concurrent requests.

use reqwest::Method;
use serde_json::json;

use crate::setup::{Setup, answer, meeting};

#[tokio::test]
async fn a_request_that_is_cut_after_it_acted_has_left_its_event_behind() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    setup.control("faults", json!({
        "match": {"method": "POST", "path_contains": "ada@acme.test/events"}, "times": 1, "action": "drop_after"
    })).await;
    let path = "users/ada@acme.test/events";
    let cut = setup.graph(&token, Method::POST, path).json(&meeting("one", 9, 10, &[])).send().await;
    assert!(cut.is_err(), "{cut:?}");
    assert_eq!(setup.calendar("ada@acme.test").await.len(), 1);
    let journal = setup.ask("journal").await;
    let line = journal.as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&line["outcome"], &line["status"], &line["key"]),
        (&json!("created"), &json!(0), &json!("one"))
    );
    assert_eq!(setup.post(&token, path, meeting("one", 9, 10, &[])).await.0, 409);
}

#[tokio::test]
async fn throttling_and_outages_change_nothing_and_end() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    for (fault, status, code) in [
        (json!({"action": "throttle", "retry_after": 7}), 429, "ApplicationThrottled"),
        (json!({"action": "outage", "match": {"path_contains": "/events"}}), 503, "serviceNotAvailable"),
    ] {
        setup.control("faults", fault).await;
        let request = setup.graph(&token, Method::POST, "users/ada@acme.test/events");
        let sent = request.json(&meeting("one", 9, 10, &[])).send().await.unwrap();
        assert_eq!(sent.status(), status);
        assert_eq!(sent.headers().contains_key("retry-after"), status == 429);
        let body: serde_json::Value = sent.json().await.unwrap();
        assert_eq!(body["error"]["code"], code);
    }
    assert_eq!(setup.calendar("ada@acme.test").await.len(), 0);
    setup.book(&token, "ada@acme.test", meeting("one", 9, 10, &[])).await;
}

#[tokio::test]
async fn a_request_that_is_held_back_never_acts() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    setup.control("faults", json!({"action": "timeout_before", "ms": 10, "match": {"method": "POST"}})).await;
    let request = setup.graph(&token, Method::POST, "users/ada@acme.test/events");
    assert!(request.json(&meeting("one", 9, 10, &[])).send().await.is_err());
    assert_eq!(setup.calendar("ada@acme.test").await.len(), 0);
}

#[tokio::test]
async fn the_fifth_request_at_a_time_to_one_mailbox_is_throttled() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let seen = setup.ask("journal").await.as_array().unwrap().len();
    setup.control("faults", json!({"action": "slow", "ms": 60_000, "times": 4})).await;
    let mut slow = tokio::task::JoinSet::new();
    for _ in 0..4 {
        slow.spawn(setup.graph(&token, Method::GET, "users/ada@acme.test/calendar").send());
    }
    // Their lines are written while they still hold their places.
    let lines = setup.ask(&format!("journal?after={}&wait_ms=20000", seen + 3)).await;
    assert_eq!(lines.as_array().unwrap().len(), 1);
    let sent = setup.graph(&token, Method::GET, "users/ada@acme.test/calendar").send().await.unwrap();
    assert_eq!((sent.status().as_u16(), sent.headers().contains_key("retry-after")), (429, true));
    let (status, _) = answer(setup.graph(&token, Method::GET, "users/bob@acme.test/calendar")).await;
    assert_eq!(status, 200, "another mailbox is not concerned");
    slow.abort_all();
    setup.running.stop().await;
}
