//! Delivers change notifications.

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    app::App,
    google::state::Channel,
    microsoft::graph::zones,
    model::Subscription,
    store::{Notice, State},
};

const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Delivers notices until nobody makes any more. A receiver that is away does not hold up the others.
pub(crate) async fn deliver(app: Arc<App>, mut notices: mpsc::UnboundedReceiver<Notice>) {
    let mut running = JoinSet::new();
    while let Some(notice) = notices.recv().await {
        let messages = messages(&app, app.store().state(), &notice);
        for message in messages {
            let app = Arc::clone(&app);
            running.spawn(async move { send(&app, &message).await });
        }
        while running.try_join_next().is_some() {}
    }
}

/// What is sent, and where.
struct Message {
    url: String,
    headers: Vec<(&'static str, String)>,
    /// Google's have none.
    body: Option<Value>,
}

fn messages(app: &App, state: &State, notice: &Notice) -> Vec<Message> {
    let now = app.now();
    let channels = state.google.channels.values().filter(|channel| channel.expires_at > now);
    let channels = channels.filter(|channel| match notice.change {
        "sync" => channel.id == notice.event,
        _ => channel.owner == notice.owner,
    });
    let told = channels.map(|channel| Message {
        url: channel.address.clone(),
        headers: headers(channel, state.history.count, notice),
        body: None,
    });
    told.chain(graph(app, state, notice, now)).collect()
}

/// The first notice of a channel only says that it is open.
fn headers(channel: &Channel, clock: u64, notice: &Notice) -> Vec<(&'static str, String)> {
    let first = notice.change == "sync";
    let number = if first { 1 } else { clock + 1 };
    let mut headers = vec![
        ("x-goog-channel-id", channel.id.clone()),
        ("x-goog-message-number", number.to_string()),
        ("x-goog-resource-id", channel.resource_id.clone()),
        ("x-goog-resource-state", if first { "sync" } else { "exists" }.to_owned()),
        ("x-goog-resource-uri", channel.resource_uri.clone()),
        ("x-goog-channel-expiration", channel.expires_at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
    ];
    headers.extend(channel.token.clone().map(|token| ("x-goog-channel-token", token)));
    headers
}

fn graph(app: &App, state: &State, notice: &Notice, now: Timestamp) -> Vec<Message> {
    state
        .subscriptions
        .values()
        .filter(|found| (found.tenant, &found.mailbox) == (notice.owner.0, &notice.owner.1))
        .filter(|found| found.expires_at > now)
        .filter(|found| found.change_type.split(',').any(|kind| kind.trim() == notice.change))
        .map(|found| Message {
            url: found.notification_url.clone(),
            headers: Vec::new(),
            body: Some(json!({ "value": [item(app, found, notice)] })),
        })
        .collect()
}

fn item(app: &App, subscription: &Subscription, notice: &Notice) -> Value {
    let path = format!("Users/{}/Events/{}", subscription.mailbox, notice.event);
    json!({
        "id": app.guid(),
        "subscriptionId": subscription.id,
        "subscriptionExpirationDateTime": zones::zulu(subscription.expires_at),
        "clientState": subscription.client_state,
        "changeType": notice.change,
        "resource": path,
        "tenantId": subscription.tenant,
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Event",
            "@odata.id": path,
            "@odata.etag": notice.etag,
            "id": notice.event,
        },
    })
}

/// Sends one notification; again after a while when it is not taken.
async fn send(app: &App, message: &Message) {
    let mut pause = FIRST_PAUSE;
    for _ in 0..ATTEMPTS {
        let mut request = app.client.post(&message.url);
        for (name, value) in &message.headers {
            request = request.header(*name, value);
        }
        let request = match &message.body {
            Some(body) => request.json(body),
            None => request.header("content-length", "0"),
        };
        let sent = request.send().await;
        if sent.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(pause).await;
        pause *= 4;
    }
    tracing::warn!(attempts = ATTEMPTS, "a change notification was not taken");
}
