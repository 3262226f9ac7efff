//! S5.2: every page that a browser sees meets WCAG 2.2 AA, as far as axe can tell, on a desk and on a phone, and can be
//! used with the keyboard alone.

use serde_json::{Value, json};

use crate::harness::{Org, Stack, TestApp, chromium::Chromium};

/// A browser window on a desk, and one on a phone.
const WINDOWS: [(u32, u32); 2] = [(1280, 800), (390, 844)];

/// The page breaks no rule, and the keyboard reaches all its controls.
async fn assert_accessible(browser: &mut Chromium, page: &str) {
    let shown = browser.tell("axe", json!({})).await;
    assert_eq!(shown["result"], json!([]), "{page}: {}", shown["url"]);
    let reached = browser.tell("tab", json!({})).await["result"].clone();
    for name in reached.as_array().unwrap() {
        assert!(!name.as_str().unwrap().contains("no visible focus"), "{page}: {name}");
    }
    if let Ok(folder) = std::env::var("MUSTER_SCREENSHOT") {
        let path = format!("{folder}/{page}.png");
        browser.tell("screenshot", json!({ "path": path })).await;
    }
}

/// Opens a page and looks at it.
async fn look(browser: &mut Chromium, url: &str, page: &str) -> Value {
    let shown = browser.open(url).await;
    assert_accessible(browser, page).await;
    shown
}

/// The technical account of an Exchange organisation, whose password is `right`.
async fn technical_account(app: &TestApp, org: &Org) -> String {
    let path = format!("/control/organisations/{}/technical-account", org.sandbox["id"].as_str().unwrap());
    app.control(&path, json!({ "password": "right" })).await["user"].as_str().unwrap().to_owned()
}

/// Presses keys where the names are found.
async fn press_keys(browser: &mut Chromium, keys: &[(&str, &str)]) {
    for (name, key) in keys {
        browser.tell("key", json!({ "name": name, "key": key })).await;
    }
}

/// Walks from the invitation to the last page with the keyboard alone, and looks at each page.
async fn walk(app: &TestApp, browser: &mut Chromium, window: &str) {
    let org = app.with_tenant(&format!("Keys {window}"), 3, 1).await;
    let user = technical_account(app, &org).await;
    let link = app.invite(&org).await;
    let page = |name: &str| format!("{name}-{window}");
    look(browser, &link, &page("invitation")).await;
    press_keys(browser, &[("Connect", "Enter")]).await;
    assert_accessible(browser, &page("choice")).await;
    // Without the terms the page says so, and stays.
    let choose = [("terms=yes", " "), ("privacy=yes", " "), ("service_mailbox", org.mailbox())];
    press_keys(browser, &choose).await;
    press_keys(browser, &[("provider=EXCHANGE", "Enter")]).await;
    assert_accessible(browser, &page("credentials")).await;
    let wrong = [("server", app.sandbox.as_str()), ("user", user.as_str()), ("password", "wrong")];
    press_keys(browser, &wrong).await;
    press_keys(browser, &[("Connect", "Enter")]).await;
    let failed = browser.settle().await;
    assert_eq!(failed["code"], "CREDENTIALS_REFUSED", "{failed}");
    assert_accessible(browser, &page("failed")).await;
    press_keys(browser, &[("Correct what you entered", "Enter")]).await;
    let right = [("server", app.sandbox.as_str()), ("user", user.as_str()), ("password", "right")];
    press_keys(browser, &right).await;
    press_keys(browser, &[("Connect", "Enter")]).await;
    browser.settle().await;
    assert_accessible(browser, &page("authorisation")).await;
    press_keys(browser, &[("Authorise", "Enter")]).await;
    let connected = browser.settle().await;
    assert_eq!(connected["state"], "ACTIVE", "{connected}");
    assert_accessible(browser, &page("connected")).await;
    let gone = app.base.join("/connect/nothing").unwrap();
    look(browser, gone.as_str(), &page("unknown-link")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_2_every_page_meets_wcag_2_2_aa_and_is_used_with_the_keyboard_alone() {
    let app = TestApp::new(Stack::Embedded).await;
    for (width, height) in WINDOWS {
        let mut browser = Chromium::start(width, height);
        let window = width.to_string();
        app.beside_jobs(walk(&app, &mut browser, &window)).await;
        for path in ["guides/microsoft-365", "guides/exchange", "guides/google-workspace", "guides/caldav"] {
            let name = format!("{}-{window}", path.replace('/', "-"));
            look(&mut browser, app.base.join(path).unwrap().as_str(), &name).await;
        }
        for path in ["terms", "privacy"] {
            look(&mut browser, app.base.join(path).unwrap().as_str(), &format!("{path}-{window}")).await;
        }
    }
    app.finish().await;
}

/// While the run works, the page says so in a live region and leads on without a script.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_2_a_page_that_waits_updates_a_status_and_works_without_a_script() {
    let app = TestApp::new(Stack::Embedded).await;
    let org = app.with_tenant("Waits", 3, 1).await;
    let user = technical_account(&app, &org).await;
    let link = app.invite(&org).await;
    let mut browser = Chromium::start(390, 844);
    browser.open(&link).await;
    press_keys(&mut browser, &[("Connect", "Enter"), ("terms=yes", " "), ("privacy=yes", " ")]).await;
    press_keys(&mut browser, &[("provider=EXCHANGE", "Enter")]).await;
    // Nobody listens there, so the run tries for a while.
    let fields = [("server", "http://127.0.0.1:1/"), ("user", user.as_str()), ("password", "right")];
    press_keys(&mut browser, &fields).await;
    press_keys(&mut browser, &[("Connect", "Enter")]).await;
    app.run_jobs().await;
    let waits = browser.tell("see", json!({ "text": "could not be reached" })).await;
    assert_eq!(
        waits["status"].as_str().map(|status| status.contains("Trying the access")),
        Some(true),
        "{waits}"
    );
    assert_accessible(&mut browser, "waiting").await;
    press_keys(&mut browser, &[("Refresh", "Enter")]).await;
    for _ in 0..12 {
        app.advance(chrono::Duration::seconds(10)).await;
    }
    let ended = browser.settle().await;
    assert_eq!(ended["code"], "PROVIDER_UNAVAILABLE", "{ended}");
    assert_eq!(ended["title"], "The calendars are not connected", "{ended}");
    app.finish().await;
}
