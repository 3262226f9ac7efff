//! Disconnecting at the other providers (S6.7), and people's own consents (S6.6).

use demo::browser::Browser;
use serde_json::{Value, json};

use super::{preview, request_disconnection, to_the_end, with_removed};
use crate::{
    google,
    harness::{Org, TestApp},
    radicale::Radicale,
};

/// Disconnects the tenant's one integration; returns what an administrator has to do at the provider.
async fn leave(app: &TestApp, org: &Org, id: &str) -> String {
    let run = request_disconnection(app, org, id).await;
    to_the_end(app, org, &run).await;
    assert_eq!(app.remains(org).await, []);
    let kept = with_removed(app, org).await.remove(0);
    assert_eq!((&kept["id"], &kept["state"]), (&json!(id), &json!("REMOVED")));
    kept["reason"]["nextAction"].as_str().unwrap().to_owned()
}

/// How often a consent was withdrawn at Google.
async fn withdrawals(app: &TestApp) -> usize {
    app.journal(0).await.iter().filter(|entry| entry["path"] == "/google/revoke").count()
}

/// Somebody consents at Google for their own calendar.
async fn consent_as(app: &TestApp, org: &Org, users: &[String], index: usize) {
    let (mut browser, page) = google::own_consent(app, org, &users[index]).await;
    google::answer_as(app, &mut browser, page, org.people()[index]).await;
    app.run_jobs().await;
    assert_eq!(app.connections(org).await[org.people()[index]]["route"], "OWN");
}

async fn s6_7_google_withdraws_own_consents_and_leaves_the_delegation_to_its_administrator(app: TestApp) {
    let (org, users) = google::organisation(&app).await;
    let id = google::connect(&app, &org, None, 0).await;
    consent_as(&app, &org, &users, org.insider()).await;
    let shown = preview(&app, &org, &id).await;
    let facts =
        ["ownConsents", "ownConsentsWithdrawn", "secrets", "consentWithdrawn"].map(|name| &shown[name]);
    assert_eq!(facts, [&json!(1), &json!(1), &json!(1), &json!(false)], "{shown}");
    let next = leave(&app, &org, &id).await;
    assert!(next.contains("domain-wide delegation"), "{next}");
    assert_eq!(withdrawals(&app).await, 1);
    app.finish().await;
}

async fn s6_6_a_persons_own_consent_is_withdrawn_with_the_mailbox(app: TestApp) {
    let (org, users) = google::organisation(&app).await;
    google::connect(&app, &org, None, 0).await;
    consent_as(&app, &org, &users, org.insider()).await;
    let address = org.people()[org.insider()].to_owned();
    let mailbox = app.connections(&org).await[&address]["id"].clone();
    let vendor = app.vendor_for(&org.tenant);
    let made = vendor.mutate("disconnectConnectedMailbox", "run { id }", json!({ "id": mailbox })).await;
    to_the_end(&app, &org, &made["run"]["id"]).await;
    assert_eq!(withdrawals(&app).await, 1);
    let left = app.connections(&org).await[&address].clone();
    assert_eq!((&left["state"], &left["route"]), (&json!("DISCONNECTED"), &json!("DELEGATED")));
    assert!(app.remains(&org).await.contains(&("consent_grant", 1)), "the organisation's alone");

    // Its owner connects it again.
    let user = app.user(&org.tenant, &users[org.insider()]).await;
    let again =
        user.query("mutation { activateMyCalendar { run { id } userErrors { code } } }", json!({})).await;
    assert_eq!(again["activateMyCalendar"]["userErrors"], json!([]), "{again}");
    app.run_jobs().await;
    assert_eq!(app.mailbox_state(&org, &address).await, "ACTIVE");
    app.finish().await;
}

/// Walks the connect pages with typed credentials; returns the integration's id.
async fn type_in(app: &TestApp, org: &Org, link: &str, answers: &[(&str, &str)]) -> String {
    let answers = answers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut browser = Browser::new(demo::browser::local_client().unwrap(), answers);
    let _walked = app.beside_jobs(browser.complete_pages(link)).await;
    app.run_jobs().await;
    let row = app.integration(org).await;
    assert_eq!(row["state"], "ACTIVE", "{row}");
    row["id"].as_str().unwrap().to_owned()
}

async fn s6_7_exchange_is_left_and_its_password_is_to_be_changed(app: TestApp) {
    let org = app.with_tenant("Exchange", 3, 1).await;
    app.with_users(&org, 3).await;
    let path = format!("/control/organisations/{}/technical-account", org.sandbox["id"].as_str().unwrap());
    let made = app.control(&path, json!({ "password": "correct horse" })).await;
    let answers = [
        ("provider", "EXCHANGE"),
        ("server", app.sandbox.as_str()),
        ("user", made["user"].as_str().unwrap()),
        ("password", "correct horse"),
        ("service_mailbox", org.mailbox()),
    ];
    let id = type_in(&app, &org, &app.invite(&org).await, &answers).await;
    let next = leave(&app, &org, &id).await;
    assert!(next.contains("Change the password"), "{next}");
    app.finish().await;
}

async fn s6_7_a_caldav_server_is_left_and_its_password_is_to_be_changed(app: TestApp) {
    let radicale = Radicale::start("2026-11-30");
    let org = app.with_tenant("Dav", 1, 0).await;
    let input = json!({ "email": "it@corp.test" });
    let made = app.vendor_for(&org.tenant).mutate("inviteAdministrator", "url", input).await;
    let answers = [
        ("provider", "CALDAV"),
        ("server", radicale.url.as_str()),
        ("user", "svc"),
        ("password", radicale.password.as_str()),
        ("service_mailbox", "svc@127.0.0.1"),
    ];
    let id = type_in(&app, &org, made["url"].as_str().unwrap(), &answers).await;
    let shown: Value = preview(&app, &org, &id).await;
    assert_eq!((&shown["secrets"], &shown["consentWithdrawn"]), (&json!(1), &json!(false)), "{shown}");
    let next = leave(&app, &org, &id).await;
    assert!(next.contains("Change the password"), "{next}");
    app.finish().await;
}

both! {
    s6_7_google_withdraws_own_consents_and_leaves_the_delegation_to_its_administrator,
    s6_6_a_persons_own_consent_is_withdrawn_with_the_mailbox,
    s6_7_exchange_is_left_and_its_password_is_to_be_changed,
    s6_7_a_caldav_server_is_left_and_its_password_is_to_be_changed,
}
