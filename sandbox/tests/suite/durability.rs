//! What survives: the state, the key, the journal.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::setup::{Setup, answer, launch, meeting, segment};

/// The same state on another port: the old one may be somebody else's by now.
async fn restart(setup: Setup, data: &Path, journal: &Path) -> Setup {
    setup.running.stop().await;
    let running = launch(Some(data), Some(journal)).await;
    let base = running.url().as_str().trim_end_matches('/').to_owned();
    Setup { running, base, client: setup.client, tenant: setup.tenant, organisation: setup.organisation }
}

#[tokio::test]
async fn a_restart_from_the_log_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (data, journal) = (folder.path().join("data"), folder.path().join("journal.jsonl"));
    let setup = Setup::furnish(launch(Some(&data), Some(&journal)).await).await;
    setup.consent().await;
    let token = setup.application().await;
    let guests = [("required", "bob@acme.test"), ("resource", "room-1@acme.test")];
    let event = setup.book(&token, "ada@acme.test", meeting("one", 9, 10, &guests)).await;
    setup.control("clock/advance", json!({"seconds": 5})).await;
    let path = format!("organisations/{}", setup.tenant);
    let before = (
        setup.ask("organisations").await,
        setup.ask(&format!("{path}/events")).await,
        setup.ask(&format!("{path}/mails")).await,
        setup.ask("journal").await,
        setup.ask("clock").await,
    );
    assert_eq!(before.1.as_array().unwrap().len(), 3);

    let setup = restart(setup, &data, &journal).await;
    let after = (
        setup.ask("organisations").await,
        setup.ask(&format!("{path}/events")).await,
        setup.ask(&format!("{path}/mails")).await,
        setup.ask("journal").await,
        setup.ask("clock").await,
    );
    assert_eq!(before, after);
    let read = format!("users/ada@acme.test/events/{}", segment(&event["id"]));
    assert_eq!(setup.get(&token, &read).await.0, 200, "tokens are still good");
    let (status, _) = setup.post(&token, "users/ada@acme.test/events", meeting("one", 9, 10, &[])).await;
    assert_eq!(status, 409, "used transaction ids are still used");
    let line = setup.ask("journal").await.as_array().unwrap().last().unwrap().clone();
    assert_eq!(line["n"], before.3.as_array().unwrap().len() + 2, "the journal counts on");
    setup.running.stop().await;
}

#[tokio::test]
async fn a_journal_line_is_on_the_disk_before_its_answer_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.jsonl");
    let setup = Setup::furnish(launch(None, Some(&journal)).await).await;
    setup.consent().await;
    let token = setup.application().await;
    for number in 1..4 {
        let key = format!("key-{number}");
        let event = setup.book(&token, "ada@acme.test", meeting(&key, 9 + number, 10 + number, &[])).await;
        let lines = std::fs::read_to_string(&journal).unwrap();
        let line: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        for (member, expected) in [
            ("n", json!(lines.lines().count())),
            ("method", json!("POST")),
            ("app", json!(crate::setup::CLIENT)),
            ("mailbox", json!("ada@acme.test")),
            ("key", json!(key)),
            ("outcome", json!("created")),
            ("status", json!(201)),
            ("event_id", event["id"].clone()),
        ] {
            assert_eq!(line[member], expected, "{member}");
        }
    }
    let (_, refused) = answer(setup.graph("rubbish", Method::GET, "users")).await;
    assert_eq!(refused["error"]["code"], "InvalidAuthenticationToken");
    let after = setup.ask("journal?after=1").await;
    let outcomes: Vec<&Value> = after.as_array().unwrap().iter().map(|line| &line["outcome"]).collect();
    assert_eq!(*outcomes.last().unwrap(), "refused");
    assert_eq!(after[0]["n"], 2);
    setup.running.stop().await;
}

#[tokio::test]
async fn a_generated_organisation_is_believable_and_may_be_asked_for_again() {
    let setup = Setup::new().await;
    let order = json!({"name": "Nordwind GmbH", "users": 40, "rooms": 6, "weeks": 3, "from": "2026-11-16", "seed": 5, "out_of_scope": true});
    let made = setup.control("organisations/generate", order.clone()).await;
    assert_eq!(made["domain"], "nordwind-gmbh.test");
    assert_eq!(made["admin"]["address"], "it-admin@nordwind-gmbh.test");
    assert_eq!(made["users"].as_array().unwrap().len(), 40);
    assert_eq!(made["rooms"].as_array().unwrap().len(), 6);
    assert_eq!(made["shared"][0]["address"], "bookings@nordwind-gmbh.test");
    let again =
        setup.client.post(setup.url("control/organisations/generate")).json(&order).send().await.unwrap();
    assert_eq!(again.status(), 400, "the domain is taken");
    let id = made["id"].as_str().unwrap();
    let events = setup.ask(&format!("organisations/{id}/events")).await;
    assert!(events.as_array().unwrap().len() > 500);
    assert_eq!(setup.ask(&format!("organisations/{id}/mails")).await, json!([]));
}
