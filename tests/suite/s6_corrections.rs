//! S6.2 to S6.4: wrong answers on the connect pages are corrected with the same link, and every attempt ends with its
//! true reason.

use chrono::Duration;
use demo::browser::{ACCEPTED_TERMS, Browser, Location, Page};
use serde_json::{Value, json};

use crate::harness::{
    Org, TestApp,
    steps::{LANDING, at, landed},
};

/// Where the second invitation lets browsers land.
const OTHER_LANDING: &str = "https://vendor.example/calendar/second";

/// The page where credentials are typed.
fn typing(page: &Page) -> bool {
    page.url.path() == "/connect/credentials"
}

/// Somebody who connects Exchange with these credentials.
pub fn exchange(org: &Org, server: &str, user: &str, password: &str) -> Browser {
    let answers = [
        ("provider", "EXCHANGE"),
        ("server", server),
        ("user", user),
        ("password", password),
        ("service_mailbox", org.mailbox()),
    ];
    let answers = answers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let browser = Browser::new(demo::browser::local_client().unwrap(), answers);
    browser.with_landing(LANDING.parse().unwrap())
}

/// The technical account of an Exchange organisation, whose password is `right`.
pub async fn technical_account(app: &TestApp, org: &Org) -> String {
    let path = format!("/control/organisations/{}/technical-account", org.sandbox["id"].as_str().unwrap());
    app.control(&path, json!({ "password": "right" })).await["user"].as_str().unwrap().to_owned()
}

/// The page that a place is.
fn page_of(place: Location) -> Page {
    place.page().unwrap()
}

async fn s6_2_a_typo_in_the_service_mailbox_is_corrected_with_the_same_link(app: TestApp) {
    let org = app.with_tenant("Typo", 3, 1).await;
    app.with_users(&org, 3).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::choice).await;
    let typo = format!("typo-{}", org.mailbox());
    let mut answers = ACCEPTED_TERMS.to_vec();
    answers.push(("service_mailbox", &typo));
    let mut place = app.send(&mut browser, &page, &answers).await;
    while let Location::Page(page) = &place
        && page.next.is_some()
    {
        place = app.send(&mut browser, page, &[]).await;
    }
    let failed = page_of(place);
    let integration = app.integration(&org).await;
    assert_eq!(
        (&integration["state"], &integration["reason"]["code"]),
        (&json!("FAILED"), &json!("CHECK_SERVICE_MAILBOX_FAILED"))
    );
    assert_eq!(failed.code.as_deref(), Some("CHECK_SERVICE_MAILBOX_FAILED"), "{}", failed.text);
    let said = integration["reason"]["message"].as_str().unwrap();
    assert!(failed.text.contains(said), "the page says what the API says: {}", failed.text);
    assert_eq!(app.remains(&org).await, []);

    // From the page's own session, and then to the end; the form shows what was answered.
    let again = page_of(app.open(&mut browser, "/connect/choose").await);
    let shown = again.form().unwrap().fields.iter().find(|field| field.name == "service_mailbox").unwrap();
    assert_eq!(shown.value, typo);
    app.send_all(&mut browser, &again).await;
    let integration = app.integration(&org).await;
    assert_eq!(integration["state"], "ACTIVE", "{integration}");
    assert_eq!(integration["serviceMailbox"], org.mailbox());
    assert_eq!(integration["serviceAccounts"].as_array().unwrap().len(), 1, "{integration}");
    app.finish().await;
}

async fn s6_2_a_wrong_button_is_corrected_with_the_same_link(app: TestApp) {
    let org = app.with_tenant("Button", 3, 1).await;
    app.with_users(&org, 3).await;
    let link = app.invite(&org).await;
    let user = technical_account(&app, &org).await;
    // As far as the credentials of another system, and even with its consent in effect.
    for is_granted in [false, true] {
        let mut wrong = exchange(&org, app.sandbox.as_str(), &user, "right");
        let page = app.walk_to(&mut wrong, &link, typing).await;
        if is_granted {
            let page = page_of(app.send(&mut wrong, &page, &[]).await);
            assert!(at::authorisation(&page), "{}", page.text);
        }
        assert_eq!(app.integration(&org).await["provider"], "EXCHANGE");
        let mut right = app.browser(&org);
        let page = app.walk_to(&mut right, &link, at::sign_in).await;
        app.run_jobs().await;
        assert_eq!(app.integration(&org).await["provider"], "MICROSOFT_365");
        assert_eq!(app.remains(&org).await, [("live run", 1)], "nothing of the first answer is in effect");
        // The pages of the first answer have ended.
        let old = page_of(app.open(&mut wrong, "/connect/progress").await);
        assert_eq!(old.code.as_deref(), Some("SESSION_OVER"), "{}", old.text);
        if is_granted {
            app.send_all(&mut right, &page).await;
        }
    }
    let integration = app.integration(&org).await;
    assert_eq!(
        (&integration["state"], &integration["provider"]),
        (&json!("ACTIVE"), &json!("MICROSOFT_365"))
    );
    let all = [org.people(), vec![org.mailbox(), org.room(0)]].concat();
    assert!(app.connections(&org).await.keys().all(|address| all.contains(&address.as_str())));
    // What is connected is not taken down by the same link.
    let page = app.walk_to(&mut app.browser(&org), &link, at::choice).await;
    let refused = page_of(app.send(&mut app.browser(&org), &page, ACCEPTED_TERMS).await);
    assert_eq!(refused.code.as_deref(), Some("INTEGRATION_NOT_RECONNECTABLE"), "{}", refused.text);
    app.finish().await;
}

/// The reason of the run that connects the tenant's integration.
async fn reason_of_run(app: &TestApp, org: &Org) -> Value {
    let query =
        "{ runs(first: 5, workflow: \"connect_integration\") { nodes { status reason { code message } } } }";
    let shown = app.vendor_for(&org.tenant).query(query, json!({})).await;
    shown["runs"]["nodes"].as_array().unwrap().last().unwrap()["reason"].clone()
}

async fn s6_3_a_server_that_cannot_be_reached_ends_the_attempt_within_two_minutes(app: TestApp) {
    let org = app.with_tenant("Away", 3, 1).await;
    app.with_users(&org, 3).await;
    let link = app.invite(&org).await;
    let user = technical_account(&app, &org).await;
    // Nobody listens there.
    let mut browser = exchange(&org, "http://127.0.0.1:1/", &user, "right");
    let page = app.walk_to(&mut browser, &link, typing).await;
    browser.submit(&page, &[]).await.unwrap();
    app.run_jobs().await;
    let progress = app.base.join("/connect/progress").unwrap();
    let waits = page_of(browser.open(progress.clone()).await.unwrap());
    assert!(waits.waits, "{}", waits.text);
    assert_eq!(waits.code.as_deref(), Some("PROVIDER_UNAVAILABLE"), "it already says why: {}", waits.text);
    for _ in 0..12 {
        app.advance(Duration::seconds(10)).await;
    }
    let ended = page_of(browser.open(progress).await.unwrap());
    let integration = app.integration(&org).await;
    let reason = &integration["reason"];
    assert_eq!((&integration["state"], &reason["code"]), (&json!("FAILED"), &json!("PROVIDER_UNAVAILABLE")));
    assert!(!ended.waits && ended.text.contains(reason["message"].as_str().unwrap()), "{}", ended.text);
    let of_run = reason_of_run(&app, &org).await;
    assert_eq!((&of_run["code"], &of_run["message"]), (&reason["code"], &reason["message"]));
    assert!(reason["nextAction"].as_str().unwrap().contains("Correct what you entered"), "{reason}");
    assert_eq!(app.remains(&org).await, []);

    // The right address, in the same browser: the attempt begins anew.
    let form = page_of(app.open(&mut browser, "/connect/credentials").await);
    let place = app.send(&mut browser, &form, &[("server", app.sandbox.as_str())]).await;
    app.send_all(&mut browser, &page_of(place)).await;
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

async fn s6_2_s6_3_a_corrected_server_or_password_replaces_the_wrong_one_while_it_is_tried(app: TestApp) {
    let org = app.with_tenant("Meanwhile", 3, 1).await;
    app.with_users(&org, 3).await;
    let link = app.invite(&org).await;
    let user = technical_account(&app, &org).await;
    let mut browser = exchange(&org, "http://127.0.0.1:1/", &user, "wrong");
    let form = app.walk_to(&mut browser, &link, typing).await;
    browser.submit(&form, &[]).await.unwrap();
    app.run_jobs().await;
    assert_eq!(app.integration(&org).await["reason"]["code"], "CONSENT_TRIED");
    // The server is right now, and the password is refused at once.
    let ended = page_of(app.send(&mut browser, &form, &[("server", app.sandbox.as_str())]).await);
    assert_eq!(ended.code.as_deref(), Some("CREDENTIALS_REFUSED"), "{}", ended.text);
    assert_eq!(reason_of_run(&app, &org).await["code"], "CREDENTIALS_REFUSED");
    let right = [("server", app.sandbox.as_str()), ("password", "right")];
    let place = app.send(&mut browser, &form, &right).await;
    app.send_all(&mut browser, &page_of(place)).await;
    let integration = app.integration(&org).await;
    assert_eq!((&integration["state"], &integration["consentedBy"]), (&json!("ACTIVE"), &json!(user)));
    app.finish().await;
}

async fn s6_2_an_authorisation_counts_for_the_consent_for_which_it_was_given(app: TestApp) {
    let org = app.with_tenant("Replaced", 3, 1).await;
    app.with_users(&org, 3).await;
    let link = app.invite(&org).await;
    let user = technical_account(&app, &org).await;
    let mut first = exchange(&org, app.sandbox.as_str(), &user, "right");
    let form = app.walk_to(&mut first, &link, typing).await;
    let authorisation = page_of(app.send(&mut first, &form, &[]).await);
    assert!(at::authorisation(&authorisation), "{}", authorisation.text);
    // Somebody else with the same link enters the account again, before the run has heard of anything.
    let mut second = exchange(&org, app.sandbox.as_str(), &user, "right");
    let form = app.walk_to(&mut second, &link, typing).await;
    second.submit(&form, &[]).await.unwrap();
    first.submit(&authorisation, &[]).await.unwrap();
    app.run_jobs().await;
    let integration = app.integration(&org).await;
    assert_eq!(integration["state"], "AWAITING_AUTHORIZATION", "{integration}");
    assert_eq!(integration["verifications"], json!([]), "nobody has authorised the present consent");
    let page = page_of(app.open(&mut second, "/connect/progress").await);
    app.send_all(&mut second, &page).await;
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

async fn s6_4_the_page_lands_with_the_verdict_at_the_links_own_return_url(app: TestApp) {
    let org = app.with_tenant("Landing", 3, 1).await;
    app.with_users(&org, 3).await;
    let vendor = app.vendor_for(&org.tenant);
    app.invite(&org).await;
    let made = vendor
        .mutate(
            "createIntegration",
            "integration { id reason { code nextAction } }",
            json!({ "provider": "MICROSOFT_365", "name": "Calendars", "accessLevel": "FULL", "returnUrl": LANDING }),
        )
        .await;
    let input = json!({
        "email": org.admin(), "integrationId": made["integration"]["id"], "returnUrl": OTHER_LANDING,
    });
    let link = vendor.mutate("inviteAdministrator", "url", input).await;
    let mut browser = app.browser(&org);
    // The mailbox does not exist: the verification fails, and the browser is not told anything else before.
    let page = app.walk_to(&mut browser, link["url"].as_str().unwrap(), at::choice).await;
    let mut answers = ACCEPTED_TERMS.to_vec();
    answers.push(("service_mailbox", "nobody@nowhere.example"));
    let place = app.send(&mut browser, &page, &answers).await;
    let place = app.send_all(&mut browser, &page_of(place)).await;
    let said = landed(&place);
    let integration = app.integration(&org).await;
    assert_eq!(json!(said["state"]), integration["state"]);
    assert_eq!(json!(said["reason"]), integration["reason"]["code"]);
    let last = page_of(place);
    assert!(last.landing.unwrap().as_str().starts_with(OTHER_LANDING));
    app.finish().await;
}

async fn s6_2_a_service_mailbox_is_corrected_over_the_api_before_the_connection_too(app: TestApp) {
    let org = app.with_tenant("Set", 3, 1).await;
    app.with_users(&org, 3).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::choice).await;
    let mut answers = ACCEPTED_TERMS.to_vec();
    answers.push(("service_mailbox", "nobody@nowhere.example"));
    app.send(&mut browser, &page, &answers).await;
    let id = app.integration(&org).await["id"].clone();
    let input = json!({ "integrationId": id, "mailbox": org.mailbox() });
    let vendor = app.vendor_for(&org.tenant);
    let set = vendor.mutate("setServiceMailbox", "run { id workflow }", input).await;
    assert_eq!(set["run"]["workflow"], "connect_integration", "{set}");
    assert_eq!(app.integration(&org).await["serviceMailbox"], org.mailbox());
    // An attempt that goes on verifies the corrected mailbox.
    let page = page_of(app.open(&mut browser, "/connect/choose").await);
    app.send_all(&mut browser, &page).await;
    let integration = app.integration(&org).await;
    assert_eq!(
        (&integration["state"], &integration["serviceMailbox"]),
        (&json!("ACTIVE"), &json!(org.mailbox()))
    );
    app.finish().await;
}

both! {
    s6_2_a_service_mailbox_is_corrected_over_the_api_before_the_connection_too,
    s6_2_a_typo_in_the_service_mailbox_is_corrected_with_the_same_link,
    s6_2_a_wrong_button_is_corrected_with_the_same_link,
    s6_2_an_authorisation_counts_for_the_consent_for_which_it_was_given,
    s6_2_s6_3_a_corrected_server_or_password_replaces_the_wrong_one_while_it_is_tried,
    s6_3_a_server_that_cannot_be_reached_ends_the_attempt_within_two_minutes,
    s6_4_the_page_lands_with_the_verdict_at_the_links_own_return_url,
}
