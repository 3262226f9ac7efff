//! Delivers change notifications.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    app::App,
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
        for (url, message) in messages {
            let app = Arc::clone(&app);
            running.spawn(async move { send(&app, &url, &message).await });
        }
        while running.try_join_next().is_some() {}
    }
}

fn messages(app: &App, state: &State, notice: &Notice) -> Vec<(String, Value)> {
    let now = app.now();
    state
        .subscriptions
        .values()
        .filter(|found| (found.tenant, &found.mailbox) == (notice.owner.0, &notice.owner.1))
        .filter(|found| found.expires_at > now)
        .filter(|found| found.change_type.split(',').any(|kind| kind.trim() == notice.change))
        .map(|found| (found.notification_url.clone(), json!({ "value": [item(app, found, notice)] })))
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
async fn send(app: &App, url: &str, message: &Value) {
    let mut pause = FIRST_PAUSE;
    for _ in 0..ATTEMPTS {
        let sent = app.client.post(url).json(message).send().await;
        if sent.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(pause).await;
        pause *= 4;
    }
    tracing::warn!(attempts = ATTEMPTS, "a change notification was not taken");
}
