//! The main job on Google Workspace: a service account's key is typed or the account named, the delegation spreads, rooms
//! answer; and a person's own consent.

mod consents;

use chrono::Duration;
use demo::browser::Browser;
use providers::google::DELEGATED_SCOPES;
use serde_json::{Value, json};
use workflows::reconcile::Reconciler;

use self::consents::{a_strangers_domain, an_own_consent, another_customers_consent, anothers_consent};
pub use self::consents::{answer_as, at_google, own_consent};
use crate::harness::{Org, Stack, TestApp, steps::member};

/// A tenant whose organisation lives at Google, and its users.
pub async fn organisation(app: &TestApp) -> (Org, Vec<String>) {
    organisation_called(app, "Gmbh").await
}

/// The same under another name.
pub async fn organisation_called(app: &TestApp, name: &str) -> (Org, Vec<String>) {
    let order = json!({ "name": name, "users": 6, "rooms": 2, "weeks": 1, "seed": 3, "out_of_scope": 1,
        "from": app.now().date_naive(), "resource_calendars": true });
    let sandbox = app.control("/control/organisations/generate", order).await;
    let input = json!({ "name": name, "plan": "PLUS" });
    let made = app.vendor().mutate("createTenant", "tenant { id }", input).await;
    let tenant = made["tenant"]["id"].as_str().unwrap().to_owned();
    let input = json!({ "tenantId": tenant, "feature": "SERVICE_ACCOUNT", "on": true });
    app.vendor().mutate("setFeature", "tenant { id }", input).await;
    let org = Org { tenant, sandbox };
    let users = app.with_users(&org, 6).await;
    (org, users)
}

/// Walks the pages and types the key; the administrator's authorisation takes `delay_s` to spread.
pub async fn connect(app: &TestApp, org: &Org, integration: Option<&str>, delay_s: i64) -> String {
    let key = app.control("/control/google/service-accounts", json!({})).await;
    delegate(app, org, &key, delay_s).await;
    let mut browser = browser(org, &[("key", key.to_string())]);
    let link = invite(app, org, integration).await;
    let walk = browser.complete_pages(&link);
    let mut walk = Box::pin(app.beside_jobs(walk));
    // Time passes once Google has refused what it has not spread yet.
    let refused = refusals(app).await;
    loop {
        tokio::select! {
            walked = &mut walk => break drop(walked.unwrap()),
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {
                if refusals(app).await > refused {
                    app.clock.advance(Duration::seconds(20));
                }
            }
        }
    }
    app.run_jobs().await;
    let row = app.integration(org).await;
    assert_eq!(row["state"], "ACTIVE", "{row}");
    text(&row["id"])
}

/// How often Google refused a token.
async fn refusals(app: &TestApp) -> usize {
    let journal = app.journal(0).await;
    journal.iter().filter(|entry| entry["path"] == "/google/token" && entry["status"] == 401).count()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The organisation's administrator authorises a service account, which takes `delay_s` to spread.
pub async fn delegate(app: &TestApp, org: &Org, account: &Value, delay_s: i64) {
    let order = json!({ "client_id": account["client_id"], "scopes": DELEGATED_SCOPES, "delay_s": delay_s });
    app.control(&format!("{}/delegations", at(org)), order).await;
}

/// A link for the organisation's administrator, without a return URL.
pub async fn invite(app: &TestApp, org: &Org, integration: Option<&str>) -> String {
    let input = json!({ "email": org.sandbox["admin"]["address"], "integrationId": integration });
    let made = app.vendor_for(&org.tenant).mutate("inviteAdministrator", "url", input).await;
    text(&made["url"])
}

/// The administrator's browser, which types this besides.
fn browser(org: &Org, more: &[(&str, String)]) -> Browser {
    let answers = [
        ("provider", "GOOGLE_WORKSPACE".to_owned()),
        ("user", text(&org.sandbox["admin"]["address"])),
        ("service_mailbox", text(&org.sandbox["shared"][0]["address"])),
    ];
    let answers = answers.into_iter().chain(more.iter().cloned());
    let answers = answers.map(|(name, value)| (name.to_owned(), value)).collect();
    Browser::new(demo::browser::local_client().unwrap(), answers)
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
    app.reconcile(Reconciler::Health).await;
    assert_eq!(app.integration(&org).await["state"], "FAILING");
    assert_eq!(connect(&app, &org, Some(&integration), 0).await, integration);
    app.finish().await;
}

async fn a_slow_delegation(stack: Stack) {
    let app = TestApp::new(stack).await;
    let (org, _) = organisation(&app).await;
    connect(&app, &org, None, 90).await;
    assert!(refusals(&app).await > 0, "it was refused before it spread");
    app.finish().await;
}

/// A service account whose key Google keeps, authorised by the organisation; and a browser that names it.
async fn named(app: &TestApp, org: &Org) -> (Value, Browser) {
    let order = json!({ "name": "keyless", "keyless": true });
    let account = app.control("/control/google/service-accounts", order).await;
    delegate(app, org, &account, 0).await;
    let browser = browser(org, &[("service_account", text(&account["client_email"]))]);
    (account, browser)
}

/// The integration's state, and the code and the next action of its reason.
async fn standing(app: &TestApp, org: &Org) -> (String, String, String) {
    let row = app.integration(org).await;
    let member = |name: &str| row["reason"][name].as_str().unwrap_or_default().to_owned();
    (text(&row["state"]), member("code"), member("nextAction"))
}

async fn no_key(stack: Stack) {
    let app = TestApp::new(stack).await;
    let (org, users) = organisation(&app).await;
    let (account, mut browser) = named(&app, &org).await;
    let link = invite(&app, &org, None).await;
    app.beside_jobs(browser.complete_pages(&link)).await.unwrap();
    app.run_jobs().await;
    assert_eq!(standing(&app, &org).await.0, "ACTIVE");
    let booking = app.book(&org, &users[org.insider()], "first", json!({})).await;
    assert_eq!((&booking["state"], &booking["writtenVia"]), (&json!("CONFIRMED"), &json!("ORGANISER")));
    let signed = app.journal(0).await.iter().filter(|entry| entry["outcome"] == "signed").count();
    assert!(signed > 0, "Google signed");

    // A source that is away for a while turns nothing.
    let health = async || app.reconcile(Reconciler::Health).await;
    let away = json!({ "match": { "path_contains": "computeMetadata" }, "times": 100, "action": "outage" });
    app.fault(away).await;
    app.control("/control/tokens/expire", json!({})).await;
    health().await;
    assert_eq!(standing(&app, &org).await.0, "ACTIVE");
    app.clear_faults().await;
    // One that may not sign any more does, and nobody is told to connect again: it heals by itself.
    let path = format!("/control/google/service-accounts/{}/signers", text(&account["client_email"]));
    app.control(&path, json!({ "signers": [] })).await;
    health().await;
    let (state, code, next) = standing(&app, &org).await;
    assert_eq!((state.as_str(), code.as_str()), ("FAILING", "SIGNING_FAILED"));
    assert!(next.contains("operator of this installation") && !next.contains("again"), "{next}");
    app.control(&path, json!({ "signers": account["signers"] })).await;
    health().await;
    assert_eq!(standing(&app, &org).await.0, "ACTIVE");
    app.finish().await;
}

async fn somebody_elses_service_account(stack: Stack) {
    let app = TestApp::new(stack).await;
    let (org, _) = organisation(&app).await;
    let (_, mut browser) = named(&app, &org).await;
    let link = invite(&app, &org, None).await;
    let page = app.walk_to(&mut browser, &link, at_google).await;
    assert_eq!(member(&page, "scope"), "openid email", "no more than who it is");
    let place = answer_as(&app, &mut browser, page, org.people()[org.insider()]).await;
    let page = place.page().unwrap();
    assert_eq!(page.code.as_deref(), Some("ACCOUNT_MISMATCH"), "{page:?}");
    app.run_jobs().await;
    let (state, code, _) = standing(&app, &org).await;
    assert_eq!((state.as_str(), code.as_str()), ("FAILED", "ACCOUNT_MISMATCH"));
    assert_eq!(app.remains(&org).await, [], "nothing is half-connected");
    let signed = app.journal(0).await.iter().filter(|entry| entry["outcome"] == "signed").count();
    assert_eq!(signed, 0, "nothing was tried");
    app.finish().await;
}

/// The account that signed in has the administrator's address, but is another one than the directory lists under it, or
/// is managed by another organisation.
async fn a_namesake_of_the_administrator(stack: Stack) {
    for (control, body) in [("namesakes", json!({})), ("hosted", json!({ "domain": "somebody-elses.test" }))]
    {
        let app = TestApp::new(stack).await;
        let (org, _) = organisation(&app).await;
        let (_, mut browser) = named(&app, &org).await;
        let mut body = body;
        body["address"] = org.admin().into();
        app.control(&format!("{}/{control}", at(&org)), body).await;
        let link = invite(&app, &org, None).await;
        app.beside_jobs(browser.complete_pages(&link)).await.unwrap_err();
        app.run_jobs().await;
        let (state, code, _) = standing(&app, &org).await;
        assert_eq!((state.as_str(), code.as_str()), ("FAILED", "ACCOUNT_MISMATCH"), "{control}");
        assert_eq!(app.remains(&org).await, [], "nothing is half-connected");
        app.finish().await;
    }
}

macro_rules! on {
    ($module:ident, $stack:expr) => {
        mod $module {
            use crate::harness::Stack;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn s4_5_the_main_job_runs_on_google_workspace() {
                super::the_main_job($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn b3_a_delegation_that_spreads_slowly_is_waited_for() {
                super::a_slow_delegation($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_service_account_without_a_key_is_signed_for_and_a_failing_source_is_the_operators() {
                super::no_key($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn whoever_names_a_service_account_signs_in_as_its_administrator() {
                super::somebody_elses_service_account($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn an_account_with_the_administrators_address_is_not_the_administrator() {
                super::a_namesake_of_the_administrator($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_person_connects_the_own_calendar_at_google_by_a_consent_that_lasts() {
                super::an_own_consent($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_person_of_another_customer_of_googles_is_not_bound() {
                super::another_customers_consent($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_person_whose_customer_or_domain_is_not_the_organisations_is_not_bound() {
                super::a_strangers_domain($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_consent_of_somebody_else_at_google_connects_nobodys_calendar() {
                super::anothers_consent($stack).await;
            }
        }
    };
}
on!(sqlite, Stack::Embedded);
on!(postgres, Stack::Servers);
