//! The pages and the API speak the reader's language: that of the link, the one chosen on a page, or the one that the
//! browser or client prefers.

use std::collections::BTreeMap;

use demo::browser::{ACCEPTED_TERMS, Location, local_client};
use http::{Method, Request};
use messages::Language;
use serde_json::json;

use crate::harness::{TestApp, chromium::Chromium, steps::at};

/// The sentences of the pages in English that are long enough to be no name.
fn english_sentences() -> Vec<String> {
    let files: BTreeMap<_, _> = Language::English.catalogue_files().iter().copied().collect();
    let lines = files["api"].lines().filter_map(|line| line.split_once(" = ").map(|(_, text)| text));
    // Up to the first argument.
    let starts = lines.map(|text| text.split('{').next().unwrap_or_default().trim().to_owned());
    starts.filter(|text| text.len() > 20).collect()
}

fn assert_german(page: &str, text: &str) {
    for sentence in english_sentences() {
        assert!(!text.contains(&sentence), "{page} says {sentence:?}");
    }
}

async fn every_page_of_the_connection_is_german_for_a_german_link(app: TestApp) {
    let org = app.with_tenant("Sprache", 3, 1).await;
    app.with_users(&org, 3).await;
    let input =
        json!({ "email": org.admin(), "returnUrl": "https://vendor.example/calendar", "language": "GERMAN" });
    let made = app.vendor_for(&org.tenant).mutate("inviteAdministrator", "url", input).await;
    let link = made["url"].as_str().unwrap();
    assert!(link.ends_with("?lang=de"), "{link}");
    let mut browser = app.browser(&org);
    let page = browser.open(link.parse().unwrap()).await.unwrap().page().unwrap();
    assert_eq!(page.title, "Verbinden Sie Ihre Kalender");
    assert_german("the invitation", &page.text);
    // The language is remembered on the pages that follow, refusals included.
    let page = browser.submit(&page, &[]).await.unwrap().page().unwrap();
    assert_german("the choice", &page.text);
    let refused = browser.submit(&page, &[]).await.unwrap().page().unwrap();
    assert!(refused.text.contains("Stimmen Sie zuerst den Nutzungsbedingungen"), "{}", refused.text);
    let mut place = app.send(&mut browser, &refused, ACCEPTED_TERMS).await;
    let mut seen = Vec::new();
    while let Location::Page(page) = &place {
        if page.url.origin() == app.base.origin() {
            assert_german(&page.title, &page.text);
            seen.push(page.title.clone());
        }
        if page.next.is_none() {
            break;
        }
        place = app.send(&mut browser, page, &[]).await;
    }
    let wanted = [
        "Lassen Sie Ihre Organisation den Zugriff gewähren",
        "Ein letzter Schritt",
        "Ihre Kalender sind verbunden",
    ];
    assert_eq!(seen, wanted);
    app.finish().await;
}

async fn the_api_answers_in_the_language_that_the_client_accepts(app: TestApp) {
    let org = app.with_tenant("Header", 3, 1).await;
    let vendor = app.vendor_for(&org.tenant);
    let new = json!({ "provider": "MICROSOFT_365", "name": "Calendars", "accessLevel": "FULL" });
    vendor.mutate("createIntegration", "integration { id }", new).await;
    let query = "{ integrations(first: 1) { nodes { reason { code message nextAction } } } }";
    for (header, message) in [
        ("de-AT,de;q=0.9,en;q=0.5", "Noch hat niemand die Seiten geöffnet"),
        ("en", "Nobody has opened the pages"),
        ("fr", "Nobody has opened the pages"),
    ] {
        let url = app.base.join("/graphql").unwrap();
        let request = Request::new(Method::POST, url)
            .header(http::header::ACCEPT_LANGUAGE, header)
            .header(http::header::AUTHORIZATION, &format!("Bearer {}", app.vendor_key))
            .header(http::header::HeaderName::from_static("muster-tenant"), &org.tenant)
            .body("application/json", json!({ "query": query }).to_string());
        let answer = local_client().unwrap().send(request).await.unwrap().text();
        assert!(answer.contains(message), "{header}: {answer}");
        assert!(answer.contains("TERMS_PENDING"), "the code is the same in every language: {answer}");
    }
    app.finish().await;
}

async fn a_reader_changes_the_language_on_the_page(app: TestApp) {
    let org = app.with_tenant("Switch", 3, 1).await;
    let link = app.invite(&org).await;
    let walk = async {
        let mut browser = Chromium::start(390, 844);
        let english = browser.open(&link).await;
        assert_eq!(
            (english["title"].as_str(), english["language"].as_str()),
            (Some("Connect your calendars"), Some("en"))
        );
        let german = browser.press("footer a").await;
        assert_eq!(
            (german["title"].as_str(), german["language"].as_str()),
            (Some("Verbinden Sie Ihre Kalender"), Some("de"))
        );
        let next = browser.press("form[data-muster-next] button").await;
        assert_eq!(next["title"], "Wählen Sie Ihr Kalendersystem");
        let back = browser.press("footer a").await;
        assert_eq!(back["title"], "Choose your calendar system");
    };
    app.beside_jobs(walk).await;
    let page = app.walk_to(&mut app.browser(&org), &link, at::choice).await;
    assert_eq!(page.title, "Choose your calendar system", "another browser has its own language");
    app.finish().await;
}

both! {
    a_reader_changes_the_language_on_the_page,
    every_page_of_the_connection_is_german_for_a_german_link,
    the_api_answers_in_the_language_that_the_client_accepts,
}
