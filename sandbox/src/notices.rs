//! Delivers change notifications, and lets planted faults happen to them: they get lost, come twice, in another
//! order, or are forged by somebody else.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::Timestamp;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    app::App,
    fault::Action,
    google,
    microsoft::graph::zones,
    model::Subscription,
    store::{Notice, Owner, State},
};

const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// What a forger writes where the secret word belongs.
const GUESSED: &str = "guessed";

/// What is sent, and where.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// Where it goes.
    pub(crate) url: String,
    /// Headers besides those of the body.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// JSON; Google's have none.
    pub(crate) body: Option<Value>,
}

/// Delivers notices until nobody makes any more. A receiver that is away does not hold up the others.
pub(crate) async fn deliver(app: Arc<App>, mut notices: mpsc::UnboundedReceiver<Notice>) {
    let mut running = JoinSet::new();
    let mut held: HashMap<Owner, Vec<Letter>> = HashMap::new();
    while let Some(notice) = notices.recv().await {
        for letters in queued(&app, &notice, &mut held) {
            let app = Arc::clone(&app);
            // What goes to one receiver keeps its order.
            running.spawn(async move {
                for letter in letters {
                    send(&app, &letter).await;
                }
            });
        }
        while running.try_join_next().is_some() {}
    }
}

/// What is to be sent about a notice, one list per receiver.
fn queued(app: &App, notice: &Notice, held: &mut HashMap<Owner, Vec<Letter>>) -> Vec<Vec<Letter>> {
    let letters = letters(app, app.store().state(), notice);
    if letters.is_empty() {
        return Vec::new();
    }
    match app.faults.take_notice(notice.change, &address(app, notice)) {
        Some(Action::LoseNotice) => Vec::new(),
        Some(Action::DuplicateNotice) => {
            letters.into_iter().map(|letter| vec![letter.clone(), letter]).collect()
        }
        Some(Action::ReorderNotice) => {
            held.entry(notice.owner.clone()).or_default().extend(letters);
            Vec::new()
        }
        Some(Action::ForgeNotice) => {
            letters.into_iter().map(|letter| vec![letter.forged(app), letter]).collect()
        }
        _ => {
            let mut late = held.remove(&notice.owner).unwrap_or_default();
            let with_late = |letter: Letter| {
                let (same, other): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut late).into_iter().partition(|held| held.url == letter.url);
                late = other;
                std::iter::once(letter).chain(same).collect()
            };
            letters.into_iter().map(with_late).collect()
        }
    }
}

fn address(app: &App, notice: &Notice) -> String {
    let store = app.store();
    let organisation = store.state().organisations.get(&notice.owner.0);
    let mailbox = organisation.and_then(|organisation| organisation.mailboxes.get(&notice.owner.1));
    mailbox.map(|mailbox| mailbox.address.clone()).unwrap_or_default()
}

impl Letter {
    /// The same about an event that never was, by somebody who does not know the word.
    fn forged(&self, app: &App) -> Self {
        let mut forged = self.clone();
        if let Some(item) = forged.body.as_mut().and_then(|body| body["value"].get_mut(0)) {
            item["id"] = json!(app.guid());
            item["clientState"] = json!(GUESSED);
            item["resourceData"]["id"] = json!("AAMkADforged=");
        }
        for (_, token) in forged.headers.iter_mut().filter(|(name, _)| *name == google::notices::TOKEN) {
            GUESSED.clone_into(token);
        }
        forged
    }
}

fn letters(app: &App, state: &State, notice: &Notice) -> Vec<Letter> {
    let now = app.now();
    google::notices::letters(state, notice, now).chain(graph(app, state, notice, now)).collect()
}

fn graph(app: &App, state: &State, notice: &Notice, now: Timestamp) -> Vec<Letter> {
    state
        .subscriptions
        .values()
        .filter(|found| (found.tenant, &found.mailbox) == (notice.owner.0, &notice.owner.1))
        .filter(|found| found.expires_at > now)
        .filter(|found| found.change_type.split(',').any(|kind| kind.trim() == notice.change))
        .map(|found| Letter {
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
pub(crate) async fn send(app: &App, letter: &Letter) {
    let mut pause = FIRST_PAUSE;
    for _ in 0..ATTEMPTS {
        let mut request = app.client.post(&letter.url);
        for (name, value) in &letter.headers {
            request = request.header(*name, value);
        }
        let request = match &letter.body {
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
