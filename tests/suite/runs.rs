//! Every run explains itself: what it did, where it is, why, what a person should do, and how to repeat it (B20).

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Org, TestApp};

async fn run(app: &TestApp, org: &Org, id: &Value) -> Value {
    let query = "query($id: ID!) { run(id: $id) { status state diagram nextAction finishedAt reason { code message nextAction } \
                 history(first: 100) { nodes { state outcome attempt nextState node at reason { code message } } } } }";
    app.vendor_for(&org.tenant).query(query, json!({ "id": id })).await["run"].clone()
}

/// State and outcome of each committed step, oldest first.
fn steps(run: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let nodes = run["history"]["nodes"].as_array().unwrap();
    nodes.iter().map(|step| (text(&step["state"]), text(&step["outcome"]))).collect()
}

async fn b20_every_run_explains_itself(app: TestApp) {
    let org = app.with_tenant("Explained", 3, 1).await;
    let users = app.with_users(&org, 3).await;
    app.connect(&org).await;
    let booking = app.book(&org, &users[org.insider()], "one", json!({})).await;
    let written = run(&app, &org, &booking["run"]["id"]).await;
    assert_eq!((&written["status"], &written["reason"]), (&json!("DONE"), &Value::Null), "{written}");
    assert!(written["finishedAt"].is_string(), "{written}");
    assert_eq!(steps(&written).last().unwrap().1, "DONE");

    app.fault(json!({ "times": 10_000, "action": "outage" })).await;
    let vendor = app.vendor_for(&org.tenant);
    let cancel = json!({ "id": booking["id"], "idempotencyKey": "cancel" });
    let id = vendor.mutate("cancelBooking", "run { id }", cancel).await["run"]["id"].clone();
    app.run_jobs().await;
    let waiting = run(&app, &org, &id).await;
    let state = waiting["state"].as_str().unwrap().to_owned();
    assert_eq!(waiting["status"], "WAITING", "{waiting}");
    assert!(waiting["diagram"].as_str().unwrap().contains(&format!("class {state} present")), "{waiting}");
    assert_eq!(waiting["reason"]["code"], "PROVIDER_UNAVAILABLE", "{waiting}");
    let retried = waiting["history"]["nodes"].as_array().unwrap().last().unwrap();
    assert_eq!((&retried["outcome"], &retried["attempt"]), (&json!("RETRIED"), &json!(1)), "{retried}");
    assert_eq!(retried["reason"]["code"], "PROVIDER_UNAVAILABLE", "{retried}");

    for _ in 0..62 {
        app.advance(Duration::minutes(31)).await;
    }
    let undoing = run(&app, &org, &id).await;
    assert_eq!(
        (&undoing["status"], &undoing["reason"]["code"]),
        (&json!("UNDOING"), &json!("PROVIDER_UNAVAILABLE")),
        "the provider is needed to undo, too"
    );
    app.clear_faults().await;
    app.advance(Duration::hours(1)).await;
    let failed = run(&app, &org, &id).await;
    assert_eq!(
        (&failed["status"], &failed["reason"]["code"]),
        (&json!("FAILED"), &json!("PROVIDER_UNAVAILABLE"))
    );
    assert!(failed["reason"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{failed}");
    let was = |outcome: &str| (state.clone(), outcome.to_owned());
    let steps_then = steps(&failed);
    let last = steps_then.iter().position(|step| *step == was("FAILED")).unwrap();
    let attempts = steps_then[..last].iter().filter(|step| **step == was("RETRIED")).count();
    assert_eq!(attempts, 59, "sixty attempts, of which the last failed for good");

    let again = vendor.mutate("retryRun", "run { id status }", json!({ "id": id })).await;
    assert_eq!(again["run"]["id"], id, "the same run: {again}");
    app.settle().await;
    let done = run(&app, &org, &id).await;
    assert_eq!((&done["status"], &done["reason"]), (&json!("DONE"), &Value::Null), "{done}");
    assert!(steps(&done).iter().any(|step| step.1 == "REVIVED"), "the history keeps what was before: {done}");
    assert_eq!(app.booking(&org, booking["id"].as_str().unwrap()).await["state"], "CANCELLED");
    app.finish().await;
}

both! { b20_every_run_explains_itself }
