//! S6.2 to S6.4 in a real browser: each wrong turn on the connect pages, at each calendar system.

use serde_json::{Value, json};

use crate::{
    google,
    harness::{Org, TestApp, chromium::Chromium},
    radicale::Radicale,
};

/// Opens a page of the connect link and accepts the terms, up to the choice of a calendar system.
async fn choose(browser: &mut Chromium, url: &str, provider: &str, mailbox: &str) -> Value {
    browser.open(url).await;
    for name in ["terms", "privacy"] {
        browser.tell("check", json!({ "name": name })).await;
    }
    browser.fill("service_mailbox", mailbox).await;
    browser.press(&format!("button[value={provider}]")).await
}

/// Answers the pages of Microsoft, ours between them included, as the administrator.
async fn consent_at_microsoft(browser: &mut Chromium, org: &Org) -> Value {
    let mut shown =
        browser.press(&format!("button[value=\"{}\"], button[type=submit], button", org.admin())).await;
    while !shown["url"].as_str().unwrap().contains("/connect/progress") {
        shown = browser.press("form[data-muster-next] button, button").await;
    }
    browser.settle().await
}

/// Enters credentials.
async fn enter(browser: &mut Chromium, fields: &[(&str, &str)]) -> Value {
    for (name, value) in fields {
        browser.fill(name, value).await;
    }
    browser.press("form[data-muster-next] button").await;
    browser.settle().await
}

/// Authorises the access and waits for the verdict.
async fn authorise(browser: &mut Chromium) -> Value {
    browser.press("form[data-muster-next] button").await;
    browser.settle().await
}

async fn assert_connected(app: &TestApp, org: &Org, shown: &Value, provider: &str) {
    assert_eq!(shown["state"], "ACTIVE", "{shown}");
    assert_eq!(shown["title"], "Your calendars are connected", "{shown}");
    if let Some(landing) = shown["landing"].as_str() {
        assert!(landing.contains("state=ACTIVE"), "{shown}");
    }
    let integration = app.integration(org).await;
    assert_eq!((&integration["state"], &integration["provider"]), (&json!("ACTIVE"), &json!(provider)));
}

async fn s6_2_wrong_turns_at_microsoft_are_corrected_in_a_browser(app: TestApp) {
    let org = app.with_tenant("Chromium", 3, 1).await;
    app.with_users(&org, 3).await;
    let link = format!("{}/choose", app.invite(&org).await);
    let again = app.base.join("/connect/choose").unwrap();
    let walk = async {
        let mut browser = Chromium::start(1280, 800);
        // The wrong button, and back.
        let form = choose(&mut browser, &link, "CALDAV", "nobody@nowhere.example").await;
        assert!(form["fields"].as_object().unwrap().contains_key("password"), "{form}");
        browser.press("a[href=\"/connect/choose\"]").await;
        // A service mailbox that does not exist.
        let shown = choose(&mut browser, again.as_str(), "MICROSOFT_365", "nobody@nowhere.example").await;
        assert!(shown["url"].as_str().unwrap().starts_with(app.sandbox.as_str()), "{shown}");
        consent_at_microsoft(&mut browser, &org).await;
        let failed = authorise(&mut browser).await;
        assert_eq!(failed["code"], "CHECK_SERVICE_MAILBOX_FAILED", "{failed}");
        assert!(failed["landing"].as_str().unwrap().contains("state=FAILED"), "{failed}");
        browser.press("a[data-muster-correct]").await;
        choose(&mut browser, again.as_str(), "MICROSOFT_365", org.mailbox()).await;
        consent_at_microsoft(&mut browser, &org).await;
        authorise(&mut browser).await
    };
    let shown = app.beside_jobs(walk).await;
    assert_connected(&app, &org, &shown, "MICROSOFT_365").await;
    app.finish().await;
}

async fn s6_3_wrong_turns_at_exchange_are_corrected_in_a_browser(app: TestApp) {
    let org = app.with_tenant("Exchange", 3, 1).await;
    app.with_users(&org, 3).await;
    let path = format!("/control/organisations/{}/technical-account", org.sandbox["id"].as_str().unwrap());
    let user = app.control(&path, json!({ "password": "right" })).await["user"].as_str().unwrap().to_owned();
    let link = format!("{}/choose", app.invite(&org).await);
    let server = app.sandbox.as_str().to_owned();
    let walk = async {
        let mut browser = Chromium::start(390, 844);
        choose(&mut browser, &link, "EXCHANGE", org.mailbox()).await;
        // An address that is none, a wrong password, and the right ones, in one form.
        browser.tell("fill", json!({ "name": "server", "value": "https://user:pass@mail.example/" })).await;
        browser.fill("user", &user).await;
        browser.fill("password", "wrong").await;
        let refused = browser.press("form[data-muster-next] button").await;
        assert_eq!(refused["code"], "SERVER_URL_MALFORMED", "{refused}");
        let failed =
            enter(&mut browser, &[("server", &server), ("user", &user), ("password", "wrong")]).await;
        assert_eq!(failed["code"], "CREDENTIALS_REFUSED", "{failed}");
        browser.press("a[href=\"/connect/credentials\"]").await;
        enter(&mut browser, &[("server", &server), ("user", &user), ("password", "right")]).await;
        authorise(&mut browser).await
    };
    let shown = app.beside_jobs(walk).await;
    assert_connected(&app, &org, &shown, "EXCHANGE").await;
    app.finish().await;
}

async fn s6_2_wrong_turns_at_google_are_corrected_in_a_browser(app: TestApp) {
    let (org, _) = google::organisation_called(&app, "Chromium").await;
    let key = app.control("/control/google/service-accounts", json!({})).await;
    google::delegate(&app, &org, &key, 0).await;
    let key = key.to_string();
    let link = format!("{}/choose", google::invite(&app, &org, None).await);
    let walk = async {
        let mut browser = Chromium::start(1280, 800);
        choose(&mut browser, &link, "GOOGLE_WORKSPACE", org.mailbox()).await;
        browser.fill("user", org.admin()).await;
        browser.fill("key", "{ not a key").await;
        let refused = browser.press("form[data-muster-next] button").await;
        assert_eq!(refused["code"], "SERVICE_KEY_MALFORMED", "{refused}");
        // Somebody whom Google does not list as an administrator, and then the right one.
        let stranger = [("user", "nobody@nowhere.example"), ("key", key.as_str())];
        let failed = enter(&mut browser, &stranger).await;
        assert_eq!(failed["title"], "The calendars are not connected", "{failed}");
        browser.press("a[href=\"/connect/credentials\"]").await;
        enter(&mut browser, &[("user", org.admin()), ("key", &key)]).await;
        authorise(&mut browser).await
    };
    let shown = app.beside_jobs(walk).await;
    assert_connected(&app, &org, &shown, "GOOGLE_WORKSPACE").await;
    app.finish().await;
}

async fn s6_2_s6_3_wrong_turns_at_a_real_caldav_server_are_corrected_in_a_browser(app: TestApp) {
    let radicale = Radicale::start("2026-11-30");
    let org = app.with_tenant("Corp", 2, 1).await;
    let link = format!("{}/choose", app.invite(&org).await);
    let walk = async {
        let mut browser = Chromium::start(390, 844);
        // A name without a domain is at home on the server.
        choose(&mut browser, &link, "CALDAV", "svc@127.0.0.1").await;
        let wrong = [("server", radicale.url.as_str()), ("user", "svc"), ("password", "wrong")];
        let failed = enter(&mut browser, &wrong).await;
        assert_eq!(failed["code"], "CREDENTIALS_REFUSED", "{failed}");
        browser.press("a[href=\"/connect/credentials\"]").await;
        let right = [("server", radicale.url.as_str()), ("user", "svc"), ("password", &radicale.password)];
        enter(&mut browser, &right).await;
        authorise(&mut browser).await
    };
    let shown = app.beside_jobs(walk).await;
    assert_connected(&app, &org, &shown, "CALDAV").await;
    app.finish().await;
}

both! {
    s6_2_s6_3_wrong_turns_at_a_real_caldav_server_are_corrected_in_a_browser,
    s6_2_wrong_turns_at_google_are_corrected_in_a_browser,
    s6_2_wrong_turns_at_microsoft_are_corrected_in_a_browser,
    s6_3_wrong_turns_at_exchange_are_corrected_in_a_browser,
}
