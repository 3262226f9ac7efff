//! Delivers change notifications, and lets planted faults happen to them: they get lost, come twice, in another
//! order, or are forged by somebody else.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    app::App,
    fault::Action,
    microsoft::graph::zones,
    model::Subscription,
    store::{Notice, Owner, State},
};

const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A message and where it goes.
type Letter = (String, Value);

/// Delivers notices until nobody makes any more. A receiver that is away does not hold up the others.
pub(crate) async fn deliver(app: Arc<App>, mut notices: mpsc::UnboundedReceiver<Notice>) {
    let mut running = JoinSet::new();
    let mut held: HashMap<Owner, Vec<Letter>> = HashMap::new();
    while let Some(notice) = notices.recv().await {
        for letters in queued(&app, &notice, &mut held) {
            let app = Arc::clone(&app);
            // What goes to one receiver keeps its order.
            running.spawn(async move {
                for (url, message) in letters {
                    send(&app, &url, &message).await;
                }
            });
        }
        while running.try_join_next().is_some() {}
    }
}

/// What is to be sent about a notice, one list per subscription.
fn queued(app: &App, notice: &Notice, held: &mut HashMap<Owner, Vec<Letter>>) -> Vec<Vec<Letter>> {
    let letters = messages(app, app.store().state(), notice);
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
            letters.into_iter().map(|letter| vec![forged(app, &letter), letter]).collect()
        }
        _ => {
            let mut late = held.remove(&notice.owner).unwrap_or_default();
            let with_late = |letter: Letter| {
                let (same, other) =
                    std::mem::take(&mut late).into_iter().partition(|(url, _)| *url == letter.0);
                late = other;
                let same: Vec<Letter> = same;
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

/// The same about an event that never was, by somebody who does not know the word.
fn forged(app: &App, (url, message): &Letter) -> Letter {
    let mut message = message.clone();
    if let Some(item) = message["value"].get_mut(0) {
        item["id"] = json!(app.guid());
        item["clientState"] = json!("guessed");
        item["resourceData"]["id"] = json!("AAMkADforged=");
    }
    (url.clone(), message)
}

fn messages(app: &App, state: &State, notice: &Notice) -> Vec<Letter> {
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
