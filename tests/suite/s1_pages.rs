//! S1 and S3.4: what the connect pages offer, and the guides that they lead to.

use demo::browser::{Browser, Page, local_client};
use providers::google::DELEGATED_SCOPES;
use serde_json::json;

use crate::harness::{
    Setting, Stack, TestApp,
    steps::{LANDING, at},
};

/// The calendar systems for which a page has a button, in alphabetical order.
fn offered(page: &Page) -> Vec<String> {
    let buttons = page.form().unwrap().fields.iter().filter(|field| field.name == "provider");
    let mut offered: Vec<_> = buttons.map(|field| field.value.clone()).collect();
    offered.sort();
    offered
}

/// Somebody who connects this calendar system and types this.
fn browser(answers: &[(&str, &str)]) -> Browser {
    let answers = answers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Browser::new(local_client().unwrap(), answers).with_landing(LANDING.parse().unwrap())
}

/// The page where credentials are typed.
fn typing(page: &Page) -> bool {
    page.url.path() == "/connect/credentials"
}

async fn s1_5_every_calendar_system_has_its_guide_in_the_product(app: TestApp) {
    let org = app.with_tenant("Five", 2, 1).await;
    let mut google = vec![
        "super administrator",
        "second administrator",
        "Domain-wide delegation",
        "key of the type JSON",
        "Ending it",
    ];
    google.extend(DELEGATED_SCOPES);
    let microsoft = vec![
        "Global Administrator",
        "Privileged Role Administrator",
        "Calendars.ReadWrite",
        "User.Read.All",
        "Place.Read.All",
        "MailboxSettings.Read",
        "application access policy",
        "New-ManagementRoleAssignment",
        "Test-ServicePrincipalAuthorization",
        "/connect/microsoft/consented",
        "Ending it",
    ];
    let exchange = vec![
        "Basic authentication",
        "ApplicationImpersonation",
        "New-ManagementScope",
        "Autodiscover",
        "room lists",
        "Ending it",
    ];
    let caldav = vec![
        "reachable over HTTPS",
        "may read and write the calendars",
        "CUTYPE=ROOM",
        "send no invitations",
    ];
    let query = "query($of: ProviderKind!) { connectPrerequisites(provider: $of) { guide } }";
    for (provider, title, told) in [
        ("MICROSOFT_365", "Microsoft 365", microsoft),
        ("EXCHANGE", "Exchange", exchange),
        ("GOOGLE_WORKSPACE", "Google Workspace", google),
        ("CALDAV", "CalDAV", caldav),
    ] {
        let shown = app.vendor_for(&org.tenant).query(query, json!({ "of": provider })).await;
        let shown = shown["connectPrerequisites"].as_array().unwrap().clone();
        let guide = shown.iter().find_map(|one| one["guide"].as_str()).unwrap();
        let page = browser(&[]).open(guide.parse().unwrap()).await.unwrap().page().unwrap();
        assert_eq!((page.title.as_str(), page.code.as_deref()), (title, None), "{guide}");
        for words in told {
            assert!(page.text.contains(words), "{provider} does not tell {words}: {}", page.text);
        }
    }
    let none = app.base.join("/guides/lotus-notes").unwrap();
    let none = browser(&[]).open(none).await.unwrap().page().unwrap();
    assert_eq!(none.code.as_deref(), Some("NOT_FOUND"), "a page for everything would prove nothing");
    app.finish().await;
}

/// The hosts to which a guide may link: the providers' own descriptions and consoles, named as prerequisites.
const PREREQUISITES: [&str; 6] = [
    "learn.microsoft.com",
    "support.google.com",
    "console.cloud.google.com",
    "admin.google.com",
    "radicale.org",
    "docs.nextcloud.com",
];

/// What the HTML of a page links to, in order.
fn links(html: &str) -> Vec<&str> {
    html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

async fn s2_2_a_guide_is_the_same_as_page_and_as_markdown_in_the_readers_language(app: TestApp) {
    let org = app.with_tenant("Guides", 2, 1).await;
    let query = "query($of: ProviderKind!) { guide(provider: $of) { title language markdown url } }";
    for provider in ["MICROSOFT_365", "GOOGLE_WORKSPACE"] {
        let shown =
            app.vendor_for(&org.tenant).query(query, json!({ "of": provider })).await["guide"].clone();
        assert_eq!(shown["language"], "en");
        let markdown = shown["markdown"].as_str().unwrap();
        assert!(
            markdown.starts_with(&format!("# {}\n\n## ", shown["title"].as_str().unwrap())),
            "{markdown}"
        );
        let own = app.base.join("/connect/").unwrap();
        assert!(markdown.contains(own.as_str()), "the redirect URLs are this installation's: {markdown}");
        assert!(!markdown.contains("{{"), "{markdown}");
        for (language, needed) in [("en", "What you need"), ("de", "Was Sie brauchen")] {
            let url = format!("{}?lang={language}", shown["url"].as_str().unwrap());
            let request = http::Request::new(http::Method::GET, url.parse().unwrap());
            let html = local_client().unwrap().send(request).await.unwrap().text();
            assert!(html.contains(&format!("<h2>{needed}</h2>")), "{html}");
            assert_eq!(html.matches("<h2>").count(), markdown.matches("\n## ").count(), "{html}");
            for link in links(&html).into_iter().filter(|link| !link.starts_with("?lang=")) {
                let host = link.parse::<url::Url>().unwrap().host_str().unwrap().to_owned();
                assert!(PREREQUISITES.contains(&host.as_str()), "{link}");
            }
        }
    }
    app.finish().await;
}

async fn s1_7_there_is_one_button_for_each_calendar_system_that_the_tenant_may_use(app: TestApp) {
    let org = app.with_tenant("Seven", 2, 1).await;
    let link = app.invite(&org).await;
    let page = app.walk_to(&mut app.browser(&org), &link, at::choice).await;
    assert_eq!(offered(&page), ["CALDAV", "EXCHANGE", "GOOGLE_WORKSPACE", "MICROSOFT_365"]);
    // Each button begins with its own system.
    for provider in offered(&page) {
        let org = app.with_tenant(&format!("Seven {provider}"), 2, 1).await;
        let link = app.invite(&org).await;
        let mut browser = browser(&[("provider", &provider)]);
        let page = app.walk_to(&mut browser, &link, at::choice).await;
        app.send(&mut browser, &page, demo::browser::ACCEPTED_TERMS).await;
        assert_eq!(app.integration(&org).await["provider"], provider.as_str());
    }
    // A link for one integration offers its system and no other.
    let vendor = app.vendor_for(&org.tenant);
    let new = json!({ "provider": "GOOGLE_WORKSPACE", "name": "Calendars", "accessLevel": "FULL" });
    let made = vendor.mutate("createIntegration", "integration { id }", new).await;
    let input = json!({ "email": org.admin(), "integrationId": made["integration"]["id"] });
    let link = vendor.mutate("inviteAdministrator", "url", input).await;
    let page = app.walk_to(&mut app.browser(&org), link["url"].as_str().unwrap(), at::choice).await;
    assert_eq!(offered(&page), ["GOOGLE_WORKSPACE"]);
    app.finish().await;
}

/// What the installation is not set up for is not offered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_7_a_system_that_the_installation_does_not_have_has_no_button() {
    let config = Box::new(|config| muster::config::Config { caldav: false, exchange: false, ..config });
    let app = TestApp::set(Stack::Embedded, Setting { config, ..Setting::default() }).await;
    let org = app.with_tenant("Fewer", 2, 1).await;
    let link = app.invite(&org).await;
    let page = app.walk_to(&mut app.browser(&org), &link, at::choice).await;
    assert_eq!(offered(&page), ["GOOGLE_WORKSPACE", "MICROSOFT_365"]);
    app.finish().await;
}

async fn s1_9_an_account_is_picked_at_the_provider_or_credentials_are_typed(app: TestApp) {
    let org = app.with_tenant("Nine", 3, 1).await;
    let link = app.invite(&org).await;
    let mut picks = app.browser(&org);
    let page = app.walk_to(&mut picks, &link, at::sign_in).await;
    assert_eq!(page.url.origin(), app.sandbox.origin(), "nothing is typed with us");
    assert!(page.form().unwrap().has_field("account"), "there are accounts to pick from");
    let place = app.send(&mut picks, &page, &[("address", org.admin())]).await;
    app.send_all(&mut picks, &place.page().unwrap()).await;
    let connected = app.integration(&org).await;
    assert_eq!((&connected["state"], &connected["consentedBy"]), (&json!("ACTIVE"), &json!(org.admin())));

    let org = app.with_tenant("Nine B", 3, 1).await;
    let path = format!("/control/organisations/{}/technical-account", org.sandbox["id"].as_str().unwrap());
    let account = app.control(&path, json!({ "password": "typed-once" })).await;
    let user = account["user"].as_str().unwrap();
    let mut types = browser(&[
        ("provider", "EXCHANGE"),
        ("server", app.sandbox.as_str()),
        ("user", user),
        ("password", "typed-once"),
        ("service_mailbox", org.mailbox()),
    ]);
    let page = app.walk_to(&mut types, &app.invite(&org).await, typing).await;
    assert_eq!(page.url.origin(), app.base.origin());
    app.send_all(&mut types, &page).await;
    let connected = app.integration(&org).await;
    assert_eq!((&connected["state"], &connected["consentedBy"]), (&json!("ACTIVE"), &json!(user)));

    // What is typed for CalDAV works on a real server: `s4_5_the_main_job_runs_on_a_real_caldav_server`.
    let org = app.with_tenant("Nine C", 2, 1).await;
    let page = app.walk_to(&mut browser(&[("provider", "CALDAV")]), &app.invite(&org).await, typing).await;
    for field in ["server", "user", "password"] {
        assert!(page.form().unwrap().has_field(field), "{field}");
    }
    app.finish().await;
}

async fn s3_4_each_system_has_a_button_of_its_own_and_a_way_to_its_guide(app: TestApp) {
    let org = app.with_tenant("Buttons", 2, 1).await;
    let page = format!("{}/choose", app.invite(&org).await);
    let request = http::Request::new(http::Method::GET, page.parse().unwrap());
    let html = local_client().unwrap().send(request).await.unwrap().text();
    for (provider, label, guide) in [
        ("MICROSOFT_365", "Microsoft 365", "/guides/microsoft-365"),
        ("EXCHANGE", "Exchange", "/guides/exchange"),
        ("GOOGLE_WORKSPACE", "Google Workspace", "/guides/google-workspace"),
    ] {
        let button = format!("<button name=\"provider\" value=\"{provider}\">{label}</button>");
        assert_eq!(html.matches(&button).count(), 1, "{html}");
        let link = format!("<a href=\"{guide}\">{label}</a>");
        assert_eq!(html.matches(&link).count(), 1, "{html}");
        let opened = browser(&[]).open(app.base.join(guide).unwrap()).await.unwrap().page().unwrap();
        assert_eq!(opened.title, label, "it is that system's guide");
    }
    app.finish().await;
}

both! {
    s1_5_every_calendar_system_has_its_guide_in_the_product,
    s1_7_there_is_one_button_for_each_calendar_system_that_the_tenant_may_use,
    s2_2_a_guide_is_the_same_as_page_and_as_markdown_in_the_readers_language,
    s1_9_an_account_is_picked_at_the_provider_or_credentials_are_typed,
    s3_4_each_system_has_a_button_of_its_own_and_a_way_to_its_guide,
}
