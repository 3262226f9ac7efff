//! Delivers change notifications, and applies injected faults: notifications are lost, duplicated, reordered or
//! forged.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::Timestamp;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    app::App,
    deliveries::Delivery,
    fault::FaultAction,
    google,
    microsoft::graph::zones,
    model::Subscription,
    store::{CalendarKey, ChangeNotification, State},
};

const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Incorrect secret that forged notifications contain.
const GUESSED: &str = "guessed";

/// A notification to be sent.
#[derive(Debug, Clone)]
pub(crate) struct OutgoingNotification {
    /// URL of the receiver.
    pub(crate) url: String,
    /// Headers besides the content type.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// JSON body; `None` for Google, whose notifications have none.
    pub(crate) body: Option<Value>,
    /// Whether the notification is forged, with a wrong secret.
    pub(crate) forged: bool,
}

/// Delivers notifications until the channel is closed. An unreachable receiver does not delay the others.
pub(crate) async fn deliver(app: Arc<App>, mut notices: mpsc::UnboundedReceiver<ChangeNotification>) {
    let mut running = JoinSet::new();
    let mut held: HashMap<CalendarKey, Vec<OutgoingNotification>> = HashMap::new();
    while let Some(notice) = notices.recv().await {
        let mailbox = address(&app, &notice);
        for letters in queued(&app, &notice, &mailbox, &mut held) {
            let (app, mailbox, change) = (Arc::clone(&app), mailbox.clone(), notice.change);
            // What goes to one receiver keeps its order.
            running.spawn(async move {
                for outgoing in letters {
                    let status = send(&app, &outgoing).await;
                    note(&app, &mailbox, change, outgoing.forged, status);
                }
            });
        }
        while running.try_join_next().is_some() {}
    }
}

/// Records the result of a notification.
fn note(app: &App, mailbox: &str, change: &'static str, forged: bool, status: Option<u16>) {
    let (at, mailbox) = (app.now(), mailbox.to_owned());
    app.deliveries.append(Delivery { n: 0, at, mailbox, change, forged, status });
}

/// The notifications to send about a change, one list per receiver.
fn queued(
    app: &App,
    notice: &ChangeNotification,
    mailbox: &str,
    held: &mut HashMap<CalendarKey, Vec<OutgoingNotification>>,
) -> Vec<Vec<OutgoingNotification>> {
    let letters = outgoing_notifications(app, app.store().state(), notice);
    if letters.is_empty() {
        return Vec::new();
    }
    match app.faults.take_for_notification(notice.change, mailbox) {
        Some(FaultAction::LoseNotice) => {
            for _ in &letters {
                note(app, mailbox, notice.change, false, None);
            }
            Vec::new()
        }
        Some(FaultAction::DuplicateNotice) => {
            letters.into_iter().map(|outgoing| vec![outgoing.clone(), outgoing]).collect()
        }
        Some(FaultAction::ReorderNotice) => {
            held.entry(notice.owner.clone()).or_default().extend(letters);
            Vec::new()
        }
        Some(FaultAction::ForgeNotice) => {
            letters.into_iter().map(|outgoing| vec![outgoing.forged(app), outgoing]).collect()
        }
        _ => {
            let mut late = held.remove(&notice.owner).unwrap_or_default();
            let with_late = |outgoing: OutgoingNotification| {
                let (same, other): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut late).into_iter().partition(|held| held.url == outgoing.url);
                late = other;
                std::iter::once(outgoing).chain(same).collect()
            };
            letters.into_iter().map(with_late).collect()
        }
    }
}

fn address(app: &App, notice: &ChangeNotification) -> String {
    let store = app.store();
    let organisation = store.state().organisations.get(&notice.owner.0);
    let mailbox = organisation.and_then(|organisation| organisation.mailboxes.get(&notice.owner.1));
    mailbox.map(|mailbox| mailbox.address.clone()).unwrap_or_default()
}

impl OutgoingNotification {
    /// A forged copy about an event that does not exist, with a wrong secret.
    fn forged(&self, app: &App) -> Self {
        let mut forged = Self { forged: true, ..self.clone() };
        if let Some(item) = forged.body.as_mut().and_then(|body| body["value"].get_mut(0)) {
            item["id"] = json!(app.new_guid());
            item["clientState"] = json!(GUESSED);
            item["resourceData"]["id"] = json!("AAMkADforged=");
        }
        for (_, token) in
            forged.headers.iter_mut().filter(|(name, _)| *name == google::notifications::CHANNEL_TOKEN_HEADER)
        {
            GUESSED.clone_into(token);
        }
        forged
    }
}

fn outgoing_notifications(
    app: &App,
    state: &State,
    notice: &ChangeNotification,
) -> Vec<OutgoingNotification> {
    let now = app.now();
    google::notifications::outgoing_notifications(state, notice, now)
        .chain(graph(app, state, notice, now))
        .collect()
}

fn graph(app: &App, state: &State, notice: &ChangeNotification, now: Timestamp) -> Vec<OutgoingNotification> {
    state
        .subscriptions
        .values()
        .filter(|found| (found.tenant, &found.mailbox) == (notice.owner.0, &notice.owner.1))
        .filter(|found| found.expires_at > now)
        .filter(|found| found.change_type.split(',').any(|kind| kind.trim() == notice.change))
        .map(|found| OutgoingNotification {
            url: found.notification_url.clone(),
            headers: Vec::new(),
            body: Some(json!({ "value": [item(app, found, notice)] })),
            forged: false,
        })
        .collect()
}

fn item(app: &App, subscription: &Subscription, notice: &ChangeNotification) -> Value {
    let path = format!("Users/{}/Events/{}", subscription.mailbox, notice.event);
    json!({
        "id": app.new_guid(),
        "subscriptionId": subscription.id,
        "subscriptionExpirationDateTime": zones::format_utc(subscription.expires_at),
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

/// Sends a notification, and repeats it after a while if it is not received. Returns the HTTP status.
pub(crate) async fn send(app: &App, outgoing: &OutgoingNotification) -> Option<u16> {
    let mut pause = FIRST_PAUSE;
    for _ in 0..ATTEMPTS {
        let mut request = app.client.post(&outgoing.url);
        for (name, value) in &outgoing.headers {
            request = request.header(*name, value);
        }
        let request = match &outgoing.body {
            Some(body) => request.json(body),
            None => request.header("content-length", "0"),
        };
        let sent = request.send().await;
        let status = sent.map(|answer| answer.status()).ok();
        if let Some(status) = status.filter(reqwest::StatusCode::is_success) {
            return Some(status.as_u16());
        }
        tokio::time::sleep(pause).await;
        pause *= 4;
    }
    tracing::warn!(attempts = ATTEMPTS, "a change notification was not taken");
    None
}
