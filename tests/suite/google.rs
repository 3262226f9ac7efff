//! The main job on Google Workspace: a service account's key is typed, the delegation spreads, rooms answer.

use chrono::Duration;
use muster::demo::browser::Browser;
use providers::google::DELEGATED;
use serde_json::{Value, json};
use workflows::reconcile::Reconciler;

use crate::harness::{Org, Stack, TestApp};

/// A tenant whose organisation lives at Google, and its users.
async fn organisation(app: &TestApp) -> (Org, Vec<String>) {
    let order = json!({ "name": "Gmbh", "users": 6, "rooms": 2, "weeks": 1, "seed": 3, "out_of_scope": 1,
        "from": app.now().date_naive(), "resource_calendars": true });
    let sandbox = app.control("/control/organisations/generate", order).await;
    let input = json!({ "name": "Gmbh", "plan": "PLUS" });
    let made = app.vendor().mutate("createTenant", "tenant { id }", input).await;
    let tenant = made["tenant"]["id"].as_str().unwrap().to_owned();
    let input = json!({ "tenantId": tenant, "feature": "SERVICE_ACCOUNT", "on": true });
    app.vendor().mutate("setFeature", "tenant { id }", input).await;
    let org = Org { tenant, sandbox };
    let users = app.with_users(&org, 6).await;
    (org, users)
}

/// Walks the pages and types the key; the administrator's authorisation takes `delay_s` to spread.
async fn connect(app: &TestApp, org: &Org, integration: Option<&str>, delay_s: i64) -> String {
    let key = app.control("/control/google/service-accounts", json!({})).await;
    let order = json!({ "client_id": key["client_id"], "scopes": DELEGATED, "delay_s": delay_s });
    app.control(&format!("{}/delegations", at(org)), order).await;
    let input = json!({ "email": org.sandbox["admin"]["address"], "integrationId": integration });
    let made = app.vendor_for(&org.tenant).mutate("inviteAdministrator", "url", input).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let answers = [
        ("provider", "GOOGLE_WORKSPACE".to_owned()),
        ("user", text(&org.sandbox["admin"]["address"])),
        ("key", key.to_string()),
        ("service_mailbox", text(&org.sandbox["shared"][0]["address"])),
    ];
    let answers = answers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut browser = Browser::new(muster::demo::browser::client().unwrap(), answers);
    let link = text(&made["url"]);
    let walk = browser.walk(&link);
    // Time passes while the page waits for the delegation to spread.
    let mut walk = Box::pin(app.beside_jobs(walk));
    loop {
        tokio::select! {
            walked = &mut walk => break drop(walked.unwrap()),
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => app.clock.advance(Duration::seconds(20)),
        }
    }
    app.run_jobs().await;
    let row = app.integration(org).await;
    assert_eq!(row["state"], "ACTIVE", "{row}");
    text(&row["id"])
}

fn at(org: &Org) -> String {
    format!("/control/organisations/{}/google", org.sandbox["id"].as_str().unwrap())
}

async fn the_main_job(stack: Stack) {
    let app = TestApp::new(stack).await;
    let (org, users) = organisation(&app).await;
    let integration = connect(&app, &org, None, 0).await;
    let rooms = app.room_ids(&org).await;
    assert_eq!(rooms.len(), 2, "{rooms:?}");
    let room = rooms.values().next().unwrap();
    let booking = app.book(&org, &users[1], "first", json!({ "roomIds": [room] })).await;
    assert_eq!((&booking["state"], &booking["writtenVia"]), (&json!("CONFIRMED"), &json!("ORGANISER")));
    let organiser = org.sandbox["users"][1]["address"].as_str().unwrap();
    assert_eq!(app.interviews(&org, organiser).await.len(), 1);
    let closed = org.sandbox["users"].as_array().unwrap().iter().position(|user| user["in_scope"] == false);
    let more =
        json!({ "ignoreUnknown": true, "start": "2026-12-05T20:00:00Z", "end": "2026-12-05T20:30:00Z" });
    let booking = app.book(&org, &users[closed.unwrap()], "second", more).await;
    assert_eq!(booking["writtenVia"], "SERVICE_ACCOUNT", "{booking}");

    let held = app.observe(&at(&org)).await;
    let client = held["delegations"].as_object().unwrap().keys().next().unwrap().clone();
    app.control(&format!("{}/delegations/revoke", at(&org)), json!({ "client_id": client })).await;
    Reconciler::Health.round(&app.node.services).await.unwrap();
    assert_eq!(app.integration(&org).await["state"], "FAILING");
    assert_eq!(connect(&app, &org, Some(&integration), 0).await, integration);
    app.finish().await;
}

async fn a_slow_delegation(stack: Stack) {
    let app = TestApp::new(stack).await;
    let (org, _) = organisation(&app).await;
    connect(&app, &org, None, 90).await;
    let refused = app
        .journal(0)
        .await
        .iter()
        .filter(|entry| entry["path"] == "/google/token" && entry["status"] == 401)
        .count();
    assert!(refused > 0, "it was refused before it spread");
    app.finish().await;
}

macro_rules! on {
    ($module:ident, $stack:expr) => {
        mod $module {
            use crate::harness::Stack;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn the_main_job_runs_on_google_workspace() {
                super::the_main_job($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_delegation_that_spreads_slowly_is_waited_for() {
                super::a_slow_delegation($stack).await;
            }
        }
    };
}
on!(sqlite, Stack::Embedded);
on!(postgres, Stack::Servers);
