//! T20: secrets of every kind are let loose through the real doors, everything is exercised, and nothing of them is found
//! where it must not be: in the database, in logs, in Redis, in answers, in what the process says when it breaks, in what
//! commands print and export.

mod commands;
mod crash;
mod needles;
mod places;
mod tap;

use chrono::Duration;
use demo::browser::{Browser, Location};
use secrecy::ExposeSecret;
use serde_json::json;
use workflows::reconcile::Reconciler;

use self::{
    needles::{Kind, Needles},
    places::{Log, Monitor, Places},
    tap::Tap,
};
use crate::{
    google,
    harness::{ANSWERS, Org, Stack, TestApp, steps::at},
};

/// What the technical account of the Exchange server is told by.
const PASSWORD: &str = "canary+Passw0rd/4711=";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t20_no_secret_is_found_where_it_must_not_be_on_sqlite() {
    search(Stack::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t20_no_secret_is_found_where_it_must_not_be_on_postgres() {
    search(Stack::Servers).await;
}

async fn search(stack: Stack) {
    let (log, tap) = (Log::begin(), Tap::default());
    let monitor = (stack == Stack::Servers).then(Monitor::begin);
    let app = TestApp::through(stack, |sandbox| tap.before(&sandbox)).await;
    let mut needles = Needles::default();
    planted(&app, &mut needles).await;
    microsoft(&app, &mut needles).await;
    exchange(&app).await;
    keys_of_google(&app, &mut needles).await;
    broken_input(&app, &needles).await;
    needles.harvest(&tap);
    needles.assert_used(&[
        (Kind::MasterKey, 1),
        (Kind::VendorKey, 2),
        (Kind::ClientSecret, 1),
        (Kind::AccessToken, 3),
        (Kind::Link, 2),
        (Kind::Password, 1),
        (Kind::ServiceKey, 1),
        (Kind::ProviderToken, 4),
        (Kind::RefreshToken, 2),
        (Kind::Code, 2),
        (Kind::Verifier, 2),
        (Kind::State, 2),
        (Kind::Webhook, 2),
    ]);

    let broke = crash::each(&app, &needles).await;
    assert!(broke > 40, "{broke} times");
    for place in ["a resolver broke", "a page broke", "a step broke"] {
        assert!(log.says(place), "{place}");
    }
    // An SQLite database belongs to the process that serves.
    if stack == Stack::Servers {
        let exported = commands::exports(&app).await;
        let hits = needles::hits(&needles, exported.as_bytes());
        assert!(hits.is_empty(), "commands say {hits:?}");
    }

    let places = Places { app: &app, log: &log, monitor: monitor.as_ref() };
    let found = places.search(&needles).await;
    assert!(found.is_empty(), "{} secrets: {found:#?}", found.len());

    // Whoever searches finds what is there.
    let missed = places.missed_leaks(&needles).await;
    assert_eq!(missed, Vec::<String>::new(), "leaks that were planted and not found");
    app.finish().await;
}

/// What the operator configured, and keys and tokens of ours.
async fn planted(app: &TestApp, needles: &mut Needles) {
    let master = app.config.master_key.expose_secret();
    needles.add(Kind::MasterKey, master);
    needles.add(Kind::VendorKey, &app.vendor_key);
    needles.add(Kind::ClientSecret, &app.application.1);
    let input = json!({ "name": "Canary", "permissions": ["STAFF", "USER_VIEW"] });
    let made = app.vendor().mutate("createApiKey", "secret", input).await;
    needles.add(Kind::VendorKey, made["secret"].as_str().unwrap_or_else(|| panic!("{made}")));
}

/// The main job at Microsoft, with pushes, a person's own consent, bookings and failures.
async fn microsoft(app: &TestApp, needles: &mut Needles) {
    let org = app.with_tenant("Canary", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    let link = app.invite(&org).await;
    needles.add(Kind::Link, link.rsplit('/').next().unwrap());
    app.connect(&org).await;
    app.reconcile(Reconciler::Channels).await;
    own_consent(app, &org, &users[org.outsider()], needles).await;
    let room = app.room_ids(&org).await[org.room(0)].clone();
    let booked = app.book(&org, &users[org.insider()], "one", json!({ "roomIds": [room] })).await;
    assert_eq!(booked["state"], "CONFIRMED", "{booked}");
    app.fault(json!({ "times": 6, "action": "outage" })).await;
    app.reconcile(Reconciler::Health).await;
    app.clear_faults().await;
    app.advance(Duration::hours(2)).await;
    let input = json!({ "id": booked["id"], "idempotencyKey": "cancel" });
    app.vendor_for(&org.tenant)
        .ask(
            "mutation($input: CancelBookingInput!) { cancelBooking(input: $input) { userErrors { code } } }",
            json!({ "input": input }),
        )
        .await;
    app.settle().await;
    crash::in_step(app, &org).await;
    app.node.services.keys().rotate_signing_key(&app.node.services).await.unwrap();
    for user in &users {
        needles.add(Kind::AccessToken, &token(app, &org, user).await);
    }
    app.revoke(&org).await;
    app.reconcile(Reconciler::Health).await;
    app.run_jobs().await;
}

async fn token(app: &TestApp, org: &Org, user: &str) -> String {
    let input = json!({ "tenantId": org.tenant, "userId": user });
    let made = app.vendor().mutate("createAccessToken", "accessToken { token }", input).await;
    made["accessToken"]["token"].as_str().unwrap().to_owned()
}

/// A person outside the scope connects the own calendar, whose token then has to be refreshed.
async fn own_consent(app: &TestApp, org: &Org, user: &str, needles: &mut Needles) {
    let bearer = token(app, org, user).await;
    needles.add(Kind::AccessToken, &bearer);
    let person = app.user(&org.tenant, user).await;
    let begun = person.query("mutation { connectOwnCalendar(input: {}) { url } }", json!({})).await;
    let url = begun["connectOwnCalendar"]["url"].as_str().unwrap();
    needles.add(Kind::Link, url.rsplit('/').next().unwrap());
    let mut browser = app.browser(org);
    let page = app.walk_to(&mut browser, url, at::sign_in).await;
    let address = org.people()[org.outsider()];
    let mut place = app.send(&mut browser, &page, &[("address", address)]).await;
    while let Location::Page(page) = &place
        && at::sign_in(page)
    {
        place = app.send(&mut browser, page, &[]).await;
    }
    app.run_jobs().await;
    app.advance(Duration::hours(2)).await;
    let booking = app.book(org, user, "own", json!({})).await;
    assert_eq!(booking["mailbox"], address, "by the own consent: {booking}");
}

/// A password is typed.
async fn exchange(app: &TestApp) {
    let org = app.with_tenant("Typed", 3, 1).await;
    app.with_users(&org, 3).await;
    let path = format!("/control/organisations/{}/technical-account", org.sandbox["id"].as_str().unwrap());
    let made = app.control(&path, json!({ "password": PASSWORD })).await;
    let answers = [
        ("provider", "EXCHANGE"),
        ("server", app.sandbox.as_str()),
        ("user", made["user"].as_str().unwrap()),
        ("password", PASSWORD),
        ("service_mailbox", org.mailbox()),
    ];
    let answers = answers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut browser = Browser::new(demo::browser::local_client().unwrap(), answers);
    let link = app.invite(&org).await;
    // Whether it gets there is another test's: the password was sent.
    let _walked = app.beside_jobs(browser.complete_pages(&link)).await;
    app.run_jobs().await;
}

/// A service account's key is typed, and a person's own consent.
async fn keys_of_google(app: &TestApp, needles: &mut Needles) {
    let (org, users) = google::organisation(app).await;
    google::connect(app, &org, None, 0).await;
    app.reconcile(Reconciler::Channels).await;
    let (mut browser, page) = google::own_consent(app, &org, &users[org.insider()]).await;
    google::answer_as(app, &mut browser, page, org.people()[org.insider()]).await;
    app.run_jobs().await;
    crash::in_step(app, &org).await;
    app.advance(Duration::hours(2)).await;
    let booking = app.book(&org, &users[org.insider()], "own", json!({})).await;
    assert_eq!(booking["writtenVia"], "ORGANISER", "{booking}");
    needles.add(Kind::AccessToken, &token(app, &org, &users[0]).await);
}

/// Secrets where they do not belong: in documents, variables, headers and paths.
async fn broken_input(app: &TestApp, needles: &Needles) {
    let heard = ANSWERS.lock().unwrap().len();
    let client = demo::browser::local_client().unwrap();
    let secrets: Vec<String> = needles.values().map(str::to_owned).collect();
    for secret in secrets {
        let quoted = serde_json::to_string(&secret).unwrap();
        for document in [
            format!("{{ tenant(id: {quoted}) {{ id }} }}"),
            format!("{{ {quoted} }}"),
            format!(
                "mutation {{ createTenant(input: {{ name: {quoted}, plan: {quoted} }}) {{ tenant {{ id }} }} }}"
            ),
        ] {
            app.anonymous().send(json!({ "query": document }).to_string()).await;
        }
        let variables = json!({ "input": { "name": 7, "secret": secret } });
        let query = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }";
        app.vendor().send(json!({ "query": query, "variables": variables }).to_string()).await;
        app.anonymous().send(format!("{{\"query\": {quoted}")).await;
        for path in
            ["/connect/", "/connect/microsoft/signed-in?state=x&code=", "/hooks/microsoft?validationToken="]
        {
            let url = format!("{}{path}{}", app.base.as_str().trim_end_matches('/'), urlencoded(&secret));
            let request = http::Request::new(http::Method::GET, url.parse().unwrap());
            let _answered = client.send(request.authorization(&format!("Bearer {secret}x"))).await;
        }
    } // Who sends a secret may be told what was sent.
    ANSWERS.lock().unwrap().truncate(heard);
}

fn urlencoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
