//! Subscriptions: the handshake, and notifications that arrive.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::setup::{Setup, answer, meeting, segment, text};

/// A listener that takes part in handshakes at `/good` and not at `/bad`, and hands on what it is told.
pub struct Listener {
    pub base: String,
    pub told: mpsc::UnboundedReceiver<Value>,
    handle: actix_web::dev::ServerHandle,
    task: tokio::task::JoinSet<()>,
}

impl Listener {
    pub fn new() -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        let site =
            move || App::new().app_data(web::Data::new(sender.clone())).default_service(web::to(listen));
        let server = HttpServer::new(site).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move { server.await.unwrap() });
        Self { base, told, handle, task }
    }

    pub async fn stop(mut self) {
        self.handle.stop(false).await;
        self.task.join_next().await;
    }
}

async fn listen(
    request: HttpRequest,
    body: web::Bytes,
    told: web::Data<mpsc::UnboundedSender<Value>>,
) -> HttpResponse {
    let query: std::collections::BTreeMap<String, String> =
        url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    match query.get("validationToken") {
        Some(token) if request.path() == "/good" => {
            HttpResponse::Ok().content_type("text/plain").body(token.clone())
        }
        Some(_) => HttpResponse::Ok().content_type("text/plain").body("something else"),
        None => {
            told.send(serde_json::from_slice(&body).unwrap()).unwrap();
            HttpResponse::Accepted().finish()
        }
    }
}

pub fn asked(url: &str, minutes: i64) -> Value {
    let end = crate::setup::start() + chrono::Duration::minutes(minutes);
    json!({
        "changeType": "created,updated,deleted", "notificationUrl": url, "resource": "/users/ada@acme.test/events",
        "expirationDateTime": end.to_rfc3339(), "clientState": "a secret word"
    })
}

#[tokio::test]
async fn a_subscription_needs_an_address_that_shakes_hands() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let listener = Listener::new();
    for url in [format!("{}/bad", listener.base), "http://127.0.0.1:9/".to_owned(), "nonsense".to_owned()] {
        let (status, refused) = setup.post(&token, "subscriptions", asked(&url, 60)).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &json!("ValidationError")), "{url}");
    }
    let good = format!("{}/good", listener.base);
    assert_eq!(setup.post(&token, "subscriptions", asked(&good, 10_081)).await.0, 400);
    assert_eq!(setup.post(&token, "subscriptions", asked(&good, -1)).await.0, 400);
    let (status, made) = setup.post(&token, "subscriptions", asked(&good, 1)).await;
    assert_eq!((status, &made["expirationDateTime"]), (201, &json!("2026-11-16T08:45:00.0000000Z")));
    let mut foreign = asked(&good, 60);
    foreign["resource"] = "/users/eve@acme.test/events".into();
    assert_eq!(setup.post(&token, "subscriptions", foreign).await.0, 403);
    listener.stop().await;
}

#[tokio::test]
async fn changes_are_told_to_whoever_subscribed() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let mut listener = Listener::new();
    let good = format!("{}/good", listener.base);
    let (_, made) = setup.post(&token, "subscriptions", asked(&good, 60)).await;
    setup.book(&token, "bob@acme.test", meeting("other", 9, 10, &[])).await;
    let event = setup.book(&token, "ada@acme.test", meeting("one", 9, 10, &[])).await;
    let told = listener.told.recv().await.unwrap();
    let item = &told["value"][0];
    assert_eq!(
        (&item["subscriptionId"], &item["clientState"], &item["changeType"], &item["tenantId"]),
        (&made["id"], &json!("a secret word"), &json!("created"), &json!(setup.tenant))
    );
    assert_eq!(item["resourceData"]["id"], event["id"]);
    assert_eq!(item["resourceData"]["@odata.etag"], event["@odata.etag"]);
    let path = format!("users/ada@acme.test/events/{}", segment(&event["id"]));
    answer(setup.graph(&token, Method::PATCH, &path).json(&json!({"subject": "New"}))).await;
    assert_eq!(listener.told.recv().await.unwrap()["value"][0]["changeType"], "updated");
    answer(setup.graph(&token, Method::DELETE, &path)).await;
    assert_eq!(listener.told.recv().await.unwrap()["value"][0]["changeType"], "deleted");
    listener.stop().await;
}

#[tokio::test]
async fn a_subscription_is_renewed_listed_and_ended() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let listener = Listener::new();
    let (_, made) = setup.post(&token, "subscriptions", asked(&format!("{}/good", listener.base), 60)).await;
    let path = format!("subscriptions/{}", text(&made["id"]));
    let renewal = json!({"expirationDateTime": "2026-11-18T08:00:00Z"});
    let (status, renewed) = answer(setup.graph(&token, Method::PATCH, &path).json(&renewal)).await;
    assert_eq!((status, &renewed["expirationDateTime"]), (200, &json!("2026-11-18T08:00:00.0000000Z")));
    assert_eq!(setup.get(&token, "subscriptions").await.1["value"].as_array().unwrap().len(), 1);
    assert_eq!(answer(setup.graph(&token, Method::DELETE, &path)).await.0, 204);
    assert_eq!(setup.get(&token, &path).await.0, 404);
    let (_, made) = setup.post(&token, "subscriptions", asked(&format!("{}/good", listener.base), 60)).await;
    setup.control("clock/advance", json!({"seconds": 3601})).await;
    let path = format!("subscriptions/{}", text(&made["id"]));
    let token = setup.application().await;
    assert_eq!(answer(setup.graph(&token, Method::PATCH, &path).json(&renewal)).await.0, 404, "it has ended");
    listener.stop().await;
}

#[tokio::test]
async fn subscribers_are_told_what_happens_to_their_subscriptions() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let mut listener = Listener::new();
    let good = format!("{}/good", listener.base);
    let mut wanted = asked(&good, 60);
    wanted["lifecycleNotificationUrl"] = json!(good);
    let (_, made) = setup.post(&token, "subscriptions", wanted).await;
    setup.post(&token, "subscriptions", asked(&good, 60)).await;
    let path = format!("organisations/{}/lifecycle", setup.tenant);
    for event in ["reauthorizationRequired", "missed", "subscriptionRemoved"] {
        let order = json!({ "event": event, "mailbox": "ada@acme.test" });
        let told = setup.control(&path, order).await;
        assert_eq!(told["told"], 1, "only who gave a URL for it");
        let told = listener.told.recv().await.unwrap();
        let item = &told["value"][0];
        assert_eq!(
            (&item["subscriptionId"], &item["clientState"], &item["lifecycleEvent"]),
            (&made["id"], &json!("a secret word"), &json!(event))
        );
    }
    let path = format!("subscriptions/{}", text(&made["id"]));
    assert_eq!(setup.get(&token, &path).await.0, 404, "it was removed");
    listener.stop().await;
}
