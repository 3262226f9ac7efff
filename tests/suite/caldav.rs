//! The main job against a real third-party calendar server: Radicale, read back by an independent client.

use demo::browser::Browser;
use domain::{Id, ids};
use serde_json::{Value, json};

use crate::{
    harness::{Asker, Stack, TestApp},
    radicale::Radicale,
};

/// The Monday before the harness's first day.
const MONDAY: &str = "2026-11-30";

struct Connected {
    app: TestApp,
    radicale: Radicale,
    vendor: Asker,
    integration: String,
    users: Vec<Value>,
}

/// A tenant connected to a fresh Radicale through the connect pages, with its people as users.
async fn connected(stack: Stack) -> Connected {
    let app = TestApp::new(stack).await;
    let radicale = Radicale::start(MONDAY);
    let input = json!({ "name": "Corp", "plan": "PLUS", "returnUrls": ["https://vendor.example/calendar"] });
    let made = app.vendor().mutate("createTenant", "tenant { id }", input).await;
    let tenant = made["tenant"]["id"].as_str().unwrap().to_owned();
    let input = json!({ "tenantId": tenant, "feature": "SERVICE_ACCOUNT", "on": true });
    app.vendor().mutate("setFeature", "tenant { id }", input).await;
    let vendor = app.vendor_for(&tenant);
    let integration = consent(&app, &vendor, &radicale, None).await;
    let data = vendor
        .query(
            "query($id: ID!) { directory(integrationId: $id) { people { address name } } }",
            json!({ "id": integration }),
        )
        .await;
    let mut users = Vec::new();
    for person in data["directory"]["people"].as_array().unwrap() {
        let input = json!({ "email": person["address"], "name": person["name"],
            "calendarAddress": person["address"], "timeZone": "Europe/Berlin" });
        let made = vendor.mutate("createUser", "user { id email name }", input).await;
        users.push(made["user"].clone());
    }
    app.run_jobs().await;
    Connected { app, radicale, vendor, integration, users }
}

/// Walks the connect pages and types the service account's credentials.
async fn consent(app: &TestApp, vendor: &Asker, radicale: &Radicale, integration: Option<&str>) -> String {
    let input = json!({ "email": "it@corp.test", "integrationId": integration });
    let made = vendor.mutate("inviteAdministrator", "url", input).await;
    let answers = [
        ("provider", "CALDAV"),
        ("server", radicale.url.as_str()),
        ("user", "svc"),
        ("password", radicale.password.as_str()),
        // A name without a domain is at home on the server.
        ("service_mailbox", "svc@127.0.0.1"),
    ];
    let answers = answers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut browser = Browser::new(demo::browser::local_client().unwrap(), answers);
    app.beside_jobs(browser.complete_pages(made["url"].as_str().unwrap())).await.unwrap();
    app.run_jobs().await;
    let rows = vendor
        .query(
            "{ integrations(first: 1) { edges { node { id state reason { code message } } } } }",
            json!({}),
        )
        .await;
    let node = &rows["integrations"]["edges"][0]["node"];
    assert_eq!(node["state"], "ACTIVE", "{rows}");
    node["id"].as_str().unwrap().to_owned()
}

impl Connected {
    async fn state(&self) -> String {
        let data = self
            .vendor
            .query("query($id: ID!) { integration(id: $id) { state } }", json!({ "id": self.integration }))
            .await;
        data["integration"]["state"].as_str().unwrap().to_owned()
    }

    async fn book(&self, organiser: &Value, hour: u32, key: &str) -> Value {
        let rooms =
            self.vendor.query("{ rooms(first: 10) { edges { node { id address } } } }", json!({})).await;
        let room = rooms["rooms"]["edges"][0]["node"]["id"].clone();
        let input = json!({
            "organiserId": organiser["id"], "title": "Interview", "description": "Second round",
            "start": format!("2026-12-05T{hour:02}:00:00Z"), "end": format!("2026-12-05T{hour:02}:30:00Z"),
            "timeZone": "Europe/Berlin", "roomIds": [room], "idempotencyKey": key,
        });
        let made = self.vendor.mutate("createBooking", "booking { id }", input).await;
        assert_eq!(made["userErrors"], json!([]), "{made}");
        self.app.run_jobs().await;
        self.booking(made["booking"]["id"].as_str().unwrap()).await
    }

    async fn booking(&self, id: &str) -> Value {
        let query = "query($id: ID!) { booking(id: $id) { id state writtenVia serviceAccountLabel organiserLine \
                     reason { code message } } }";
        self.vendor.query(query, json!({ "id": id })).await["booking"].clone()
    }

    /// The row of a booking.
    async fn row(&self, booking: &Value) -> entity::booking::Model {
        let id: Id<ids::Booking> = booking["id"].as_str().unwrap().parse().unwrap();
        let store = &self.app.node.services.store;
        let tenant = self.users_tenant().await;
        let txn = store.read(tenant).await.unwrap();
        entity::booking::by_id(tenant, id).one(&txn).await.unwrap().unwrap()
    }

    /// The UID under which a booking was written.
    async fn uid(&self, booking: &Value) -> String {
        self.row(booking).await.event_uid.expect("the booking is written")
    }

    async fn users_tenant(&self) -> Id<ids::Tenant> {
        let data = self.vendor.query("{ tenant { id } }", json!({})).await;
        let id: domain::Id<domain::ids::Tenant> = data["tenant"]["id"].as_str().unwrap().parse().unwrap();
        id
    }
}

async fn the_main_job(stack: Stack) {
    let it = Box::pin(connected(stack)).await;
    assert!(it.users.len() >= 20, "at least 20 people: {}", it.users.len());
    let data = it
        .vendor
        .query(
            "{ connectedMailboxes(first: 100) { edges { node { address state reason { code } } } } }",
            json!({}),
        )
        .await;
    let edges = data["connectedMailboxes"]["edges"].as_array().unwrap();
    let active = edges.iter().filter(|edge| edge["node"]["state"] == "ACTIVE").count();
    assert!(active >= 23, "20 people and 3 rooms are active: {data}");

    let organiser = it.users.iter().find(|user| user["email"] != "olga.outside@corp.test").unwrap().clone();
    let booking = it.book(&organiser, 9, "first").await;
    assert_eq!(
        (booking["state"].as_str(), booking["writtenVia"].as_str()),
        (Some("CONFIRMED"), Some("ORGANISER"))
    );
    let uid = it.uid(&booking).await;
    let seen = it.radicale.read_back(organiser["email"].as_str().unwrap(), &uid);
    assert_eq!(seen["summary"], "Interview", "{seen}");
    assert_eq!(seen["start"], "2026-12-05T09:00:00Z");

    let input = json!({ "id": booking["id"], "start": "2026-12-05T11:00:00Z", "end": "2026-12-05T11:30:00Z",
        "idempotencyKey": "move" });
    let moved = it.vendor.mutate("moveBooking", "booking { id }", input).await;
    assert_eq!(moved["userErrors"], json!([]));
    it.app.run_jobs().await;
    let seen = it.radicale.read_back(organiser["email"].as_str().unwrap(), &uid);
    assert_eq!(seen["start"], "2026-12-05T11:00:00Z", "{seen}");

    let input = json!({ "id": booking["id"], "idempotencyKey": "cancel" });
    it.vendor.mutate("cancelBooking", "booking { id }", input).await;
    it.app.run_jobs().await;
    assert_eq!(it.booking(booking["id"].as_str().unwrap()).await["state"], "CANCELLED");
    assert_eq!(it.radicale.read_back(organiser["email"].as_str().unwrap(), &uid), Value::Null);
    it.app.finish().await;
}

/// S4.6 to S4.8 on CalDAV: the organiser's mailbox is out of reach, the service mailbox books.
async fn the_service_account_books(stack: Stack) {
    let it = Box::pin(connected(stack)).await;
    let address = "olga.outside@corp.test";
    let listed = it.users.iter().find(|user| user["email"] == address).cloned();
    let olga = match listed {
        Some(olga) => olga,
        None => {
            let input = json!({ "email": address, "name": "Olga Outside", "calendarAddress": address });
            it.vendor.mutate("createUser", "user { id email name }", input).await["user"].clone()
        }
    };
    it.app.run_jobs().await;
    let booking = it.book(&olga, 14, "olga").await;
    assert_eq!(booking["writtenVia"], "SERVICE_ACCOUNT", "{booking}");
    let uid = it.uid(&booking).await;
    let seen = it.radicale.read_back("svc", &uid);
    let text = seen["description"].as_str().unwrap();
    assert!(text.contains("This booking has been made via a service account"), "{seen}");
    assert!(text.contains("Organised by"), "{seen}");
    it.app.finish().await;
}

/// S7.1 and S7.2 on CalDAV: another client moves and deletes the event.
async fn an_event_changed_by_another_client(stack: Stack) {
    use workflows::reconcile::Reconciler;
    let it = Box::pin(connected(stack)).await;
    let organiser = it.users.iter().find(|user| user["email"] != "olga.outside@corp.test").unwrap().clone();
    let booking = it.book(&organiser, 9, "followed").await;
    let id = booking["id"].as_str().unwrap();
    let row = it.row(&booking).await;
    let mut event: url::Url = it.radicale.url.parse().unwrap();
    event.set_path(row.external_id.as_deref().unwrap());
    let client = demo::browser::local_client().unwrap();
    let request = |method: http::Method| {
        let login = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("svc:{}", it.radicale.password),
        );
        http::Request::new(method, event.clone())
            .header(http::header::AUTHORIZATION, &format!("Basic {login}"))
    };
    let present = client.send(request(http::Method::GET)).await.unwrap().text();
    let moved = present.replace("1205T090000Z", "1205T140000Z").replace("1205T093000Z", "1205T143000Z");
    assert_ne!(moved, present);
    let written = client.send(request(http::Method::PUT).body("text/calendar; charset=utf-8", moved)).await;
    assert!(written.unwrap().status.is_success());
    it.app.advance(chrono::Duration::hours(2)).await;
    it.app.reconcile(Reconciler::Calendars).await;
    let seen = it.row(&booking).await;
    assert_eq!(seen.start_at.to_rfc3339(), "2026-12-05T14:00:00+00:00", "the copy showed it: {seen:?}");
    assert_eq!(it.booking(id).await["state"], "CONFIRMED");
    assert!(client.send(request(http::Method::DELETE)).await.unwrap().status.is_success());
    it.app.advance(chrono::Duration::hours(2)).await;
    it.app.reconcile(Reconciler::Bookings).await;
    assert_eq!(it.booking(id).await["state"], "MISSING");
    it.app.finish().await;
}

/// Revocation on CalDAV is a changed password; a reconnection with the new one heals.
async fn a_changed_password(stack: Stack) {
    use workflows::reconcile::Reconciler;
    let mut it = Box::pin(connected(stack)).await;
    it.radicale.change_password("another");
    it.app.reconcile(Reconciler::Health).await;
    assert_eq!(it.state().await, "FAILING");
    "another".clone_into(&mut it.radicale.password);
    let again = consent(&it.app, &it.vendor, &it.radicale, Some(&it.integration)).await;
    assert_eq!(again, it.integration);
    assert_eq!(it.state().await, "ACTIVE");
    it.app.finish().await;
}

/// Answers every request with 429 and a wait of a day.
fn throttling() -> url::Url {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\
                          Connection: close\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

/// Somebody types what the victim's organisation is called, and lets an own server ask for a day of silence.
async fn a_stranger(stack: Stack) {
    use services::grants::Secret;
    let it = Box::pin(connected(stack)).await;
    let tenant = it.users_tenant().await;
    let services = &it.app.node.services;
    let txn = services.store.read(tenant).await.unwrap();
    let victim = entity::integration::of(tenant).one(&txn).await.unwrap().unwrap();
    drop(txn);
    let organiser = it.users.iter().find(|user| user["email"] != "olga.outside@corp.test").unwrap().clone();
    let stranger = entity::integration::Model {
        id: services.ids.make(),
        tenant_id: services.ids.make(),
        external_tenant: None,
        ..victim.clone()
    };
    let server = throttling();
    let organisation = victim.external_tenant.clone().unwrap();
    for typed in [organisation.as_str(), "svc", &victim.id.to_string(), it.radicale.url.as_str()] {
        let secret = Secret::Basic { user: typed.to_owned(), password: "x".to_owned() };
        let (provider, session) = services
            .grants()
            .open_test_session(services, &stranger, &secret, typed, Some(server.clone()))
            .unwrap();
        let refused = provider.organisation(&session).await.unwrap_err();
        assert_eq!(refused.kind, providers::ErrorKind::Throttled, "{refused:?}");
        for mailbox in [organiser["email"].as_str().unwrap(), "svc@127.0.0.1"] {
            session.gate.throttled(Some(mailbox), std::time::Duration::from_hours(24)).await;
        }
        assert!(session.gate.enter(None).await.is_err(), "the stranger has to wait");
    }
    let booking = it.book(&organiser, 9, "victim").await;
    assert_eq!(booking["state"], "CONFIRMED", "{booking}");
    it.app.finish().await;
}

macro_rules! on {
    ($module:ident, $stack:expr) => {
        mod $module {
            use crate::harness::Stack;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn s4_5_the_main_job_runs_on_a_real_caldav_server() {
                super::the_main_job($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn s4_5_the_service_account_books_on_a_real_caldav_server() {
                super::the_service_account_books($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn s7_a_booking_follows_what_another_client_does_with_its_event() {
                super::an_event_changed_by_another_client($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_strangers_server_that_asks_for_silence_stops_nobody_elses_bookings() {
                super::a_stranger($stack).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_changed_password_turns_the_status_and_a_reconnection_heals_it() {
                super::a_changed_password($stack).await;
            }
        }
    };
}
on!(sqlite, Stack::Embedded);
on!(postgres, Stack::Servers);
