//! Two invitations in one browser, which has one cookie: a page acts for the tenant that it names or not at all.

use demo::browser::{ACCEPTED_TERMS, Browser, Page};
use serde_json::Value;

use crate::harness::{Org, TestApp, steps::at};

/// The page's other form, by which the administrator declines.
fn declining(page: &Page) -> Page {
    let mut page = page.clone();
    page.next.as_mut().unwrap().action.set_path("/connect/decline");
    page
}

/// The form of a page is refused, and neither integration is changed by it.
async fn assert_refused(app: &TestApp, orgs: [&Org; 2], browser: &mut Browser, page: &Page) {
    let states = async || {
        let mut all = Vec::new();
        for org in orgs {
            let integrations = app.integrations(org).await;
            let shown = |one: &Value| {
                (one["state"].clone(), one["consentedBy"].clone(), one["organisationId"].clone())
            };
            all.extend(integrations.iter().map(shown));
        }
        all
    };
    let before = states().await;
    let refused = app.send(browser, page, ACCEPTED_TERMS).await.page().unwrap();
    assert_eq!(refused.code.as_deref(), Some("PAGE_OF_ANOTHER_SESSION"), "{}", refused.text);
    app.run_jobs().await;
    assert_eq!(states().await, before, "{}", page.url);
}

async fn a_page_of_one_invitation_gives_no_consent_to_another(app: TestApp) {
    let (good, other) = (app.with_tenant("Good", 3, 1).await, app.with_tenant("Other", 3, 1).await);
    let mut browser = app.browser(&good);
    let first = app.walk_to(&mut browser, &app.invite(&good).await, at::asked).await;
    let second = app.walk_to(&mut browser, &app.invite(&other).await, at::asked).await;
    assert!(first.text.contains("Good") && second.text.contains("Other"));
    for page in [first.clone(), declining(&first)] {
        assert_refused(&app, [&good, &other], &mut browser, &page).await;
    }
    // The page of the session that the browser has now works, until its authorisation.
    let mut place = app.send(&mut browser, &second, &[]).await;
    let mut authorisation = place.page().unwrap();
    while !at::authorisation(&authorisation) {
        place = app.send(&mut browser, &authorisation, ACCEPTED_TERMS).await;
        authorisation = place.page().unwrap();
    }
    app.walk_to(&mut browser, &app.invite(&good).await, at::asked).await;
    for page in [authorisation.clone(), declining(&authorisation)] {
        assert_refused(&app, [&good, &other], &mut browser, &page).await;
    }
    assert_eq!(app.integration(&other).await["state"], "AWAITING_AUTHORIZATION");
    app.finish().await;
}

async fn credentials_that_are_entered_for_one_tenant_reach_no_other(app: TestApp) {
    let (good, other) = (app.with_tenant("Good", 3, 1).await, app.with_tenant("Other", 3, 1).await);
    let answers = [
        ("provider", "EXCHANGE"),
        ("server", app.sandbox.as_str()),
        ("user", "svc"),
        ("password", "made up on the spot"),
        ("service_mailbox", good.mailbox()),
    ];
    let answers = answers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut browser = Browser::new(demo::browser::local_client().unwrap(), answers);
    let typing = |page: &Page| page.url.path() == "/connect/credentials";
    let first = app.walk_to(&mut browser, &app.invite(&good).await, typing).await;
    let second = app.walk_to(&mut browser, &app.invite(&other).await, typing).await;
    assert!(first.text.contains("Good") && second.text.contains("Other"));
    let before = app.journal(0).await.len();
    assert_refused(&app, [&good, &other], &mut browser, &first).await;
    assert_eq!(app.journal(before).await, Vec::<Value>::new(), "nothing was sent to the server");
    // A page without the field, as one of an earlier version, is refused too.
    let mut bare = second.clone();
    bare.next.as_mut().unwrap().fields.retain(|field| field.name != "session");
    assert_refused(&app, [&good, &other], &mut browser, &bare).await;
    app.finish().await;
}

both! {
    a_page_of_one_invitation_gives_no_consent_to_another,
    credentials_that_are_entered_for_one_tenant_reach_no_other,
}
