//! A person's own consent at Google, and refusals of consents given by somebody else.

use chrono::Duration;
use demo::browser::{Browser, Location, Page};
use serde_json::{Value, json};

use super::{at, connect, organisation, text};
use crate::harness::{
    Org, Stack, TestApp,
    steps::{ACCEPTED_TERMS, member},
};

/// The pages at which Google asks who is there and what may be done.
pub fn at_google(page: &Page) -> bool {
    page.url.path().ends_with("/o/oauth2/v2/auth")
}

/// Goes through Google's pages as whoever has this account.
pub async fn answer_as(app: &TestApp, browser: &mut Browser, page: Page, account: &str) -> Location {
    let mut place = app.send(browser, &page, &[("address", account)]).await;
    while let Location::Page(page) = &place
        && at_google(page)
    {
        place = app.send(browser, page, ACCEPTED_TERMS).await;
    }
    place
}

/// Begins a user's own consent; returns the browser and the page at which Google asks who is there.
pub async fn own_consent(app: &TestApp, org: &Org, user: &str) -> (Browser, Page) {
    let user = app.user(&org.tenant, user).await;
    let query = "mutation { connectOwnCalendar(input: {}) { url userErrors { code } } }";
    let begun = user.query(query, json!({})).await;
    let url = text(&begun["connectOwnCalendar"]["url"]);
    let mut browser = app.browser(org);
    let page = app.walk_to(&mut browser, &url, at_google).await;
    (browser, page)
}

pub(super) async fn an_own_consent(stack: Stack) {
    let app = TestApp::new(stack).await;
    let (org, users) = organisation(&app).await;
    connect(&app, &org, None, 0).await;
    let address = org.people()[org.insider()];
    let before = app.connections(&org).await[address].clone();
    assert_eq!((&before["state"], &before["route"]), (&json!("ACTIVE"), &json!("DELEGATED")));
    let (mut browser, page) = own_consent(&app, &org, &users[org.insider()]).await;
    let asked = ["code_challenge_method", "access_type"].map(|name| member(&page, name));
    assert_eq!(asked, ["S256", "offline"], "bound to this session, and for good");
    let place = answer_as(&app, &mut browser, page, address).await;
    assert_eq!(place.page().unwrap().title, "Your calendar is connected");
    app.run_jobs().await;
    let own = app.connections(&org).await[address].clone();
    assert_eq!((&own["state"], &own["route"]), (&json!("ACTIVE"), &json!("OWN")), "{own}");

    // Two hours later the first token is over.
    app.advance(Duration::hours(2)).await;
    let before = app.journal(0).await.len();
    let booking = app.book(&org, &users[org.insider()], "own", json!({})).await;
    assert_eq!(
        (&booking["writtenVia"], &booking["mailbox"]),
        (&json!("ORGANISER"), &json!(address)),
        "{booking}"
    );
    assert_eq!(app.interviews(&org, address).await.len(), 1);
    let since = app.journal(before).await;
    let ours = |entry: &&Value| entry["app"] == app.application.0.as_str();
    let tokens = since.iter().filter(|entry| entry["path"] == "/google/token").filter(ours).count();
    assert_eq!(tokens, 1, "the consent lasts: {since:#?}");
    let written = since.iter().find(|entry| entry["outcome"] == "created" && entry["mailbox"] == address);
    assert!(written.is_some_and(|entry| ours(&entry)), "by the own consent: {since:#?}");
    app.finish().await;
}

pub(super) async fn anothers_consent(stack: Stack) {
    let app = TestApp::new(stack).await;
    let (org, users) = organisation(&app).await;
    connect(&app, &org, None, 0).await;
    let (mut browser, page) = own_consent(&app, &org, &users[org.insider()]).await;
    let place = answer_as(&app, &mut browser, page, org.admin()).await;
    assert_eq!(place.page().unwrap().code.as_deref(), Some("ACCOUNT_MISMATCH"));
    app.run_jobs().await;
    let mailbox = app.connections(&org).await[org.people()[org.insider()]].clone();
    assert_eq!(mailbox["route"], "DELEGATED", "{mailbox}");
    assert!(app.remains(&org).await.contains(&("consent_grant", 1)), "only the organisation's");
    app.finish().await;
}

/// The tenant's staff typed the address of somebody at another customer of Google's, who then consents.
pub(super) async fn another_customers_consent(stack: Stack) {
    let app = TestApp::new(stack).await;
    let (org, _) = organisation(&app).await;
    connect(&app, &org, None, 0).await;
    let order = json!({ "name": "Stranger", "users": 2, "rooms": 1, "weeks": 1, "seed": 4, "from": app.now().date_naive() });
    let stranger = app.control("/control/organisations/generate", order).await;
    let address = stranger["users"][0]["address"].as_str().unwrap();
    let input = json!({ "email": "typed@gmbh.test", "name": "Typed", "calendarAddress": address });
    let made = app.vendor_for(&org.tenant).mutate("createUser", "user { id }", input).await;
    app.run_jobs().await;
    let (mut browser, page) = own_consent(&app, &org, &text(&made["user"]["id"])).await;
    let place = answer_as(&app, &mut browser, page, address).await;
    assert_eq!(place.page().unwrap().code.as_deref(), Some("ACCOUNT_MISMATCH"));
    assert!(app.remains(&org).await.contains(&("consent_grant", 1)), "only the organisation's");
    let mailbox = app.connections(&org).await[address].clone();
    assert_ne!(mailbox["route"], "OWN", "{mailbox}");
    app.finish().await;
}

/// A reseller's administrators see the people of its customers in the directory; and an account of a domain that is not
/// the organisation's may stand in it meanwhile.
pub(super) async fn a_strangers_domain(stack: Stack) {
    let app = TestApp::new(stack).await;
    let (org, users) = organisation(&app).await;
    connect(&app, &org, None, 0).await;
    let consents = async |user: &str, address: &str| {
        let (mut browser, page) = own_consent(&app, &org, user).await;
        let place = answer_as(&app, &mut browser, page, address).await;
        let page = place.page().unwrap();
        app.run_jobs().await;
        page.code.clone().unwrap_or_else(|| page.title.clone())
    };
    let order = json!({ "name": "Customer", "users": 2, "rooms": 1, "weeks": 1, "seed": 4, "from": app.now().date_naive() });
    let customer = app.control("/control/organisations/generate", order).await;
    app.control(&format!("{}/resold", at(&org)), json!({ "organisation": customer["id"] })).await;
    app.control(&format!("{}/domains", at(&org)), json!({ "name": "customer.test", "verified": true })).await;
    let address = text(&customer["users"][0]["address"]);
    let input = json!({ "email": "typed@gmbh.test", "name": "Typed", "calendarAddress": address });
    let made = app.vendor_for(&org.tenant).mutate("createUser", "user { id }", input).await;
    app.run_jobs().await;
    assert_eq!(
        consents(&text(&made["user"]["id"]), &address).await,
        "ACCOUNT_MISMATCH",
        "of another customer"
    );

    let (user, address) = (&users[org.insider()], org.people()[org.insider()]);
    let domain = |verified: bool| json!({ "name": "branch.test", "verified": verified });
    let hosted = json!({ "address": address, "domain": "branch.test" });
    app.control(&format!("{}/hosted", at(&org)), hosted).await;
    assert_eq!(consents(user, address).await, "ACCOUNT_MISMATCH", "of a domain that nobody knows");
    app.control(&format!("{}/domains", at(&org)), domain(false)).await;
    assert_eq!(consents(user, address).await, "ACCOUNT_MISMATCH", "of a domain that nobody verified");
    app.control(&format!("{}/domains", at(&org)), domain(true)).await;
    assert_eq!(consents(user, address).await, "Your calendar is connected");
    app.finish().await;
}
