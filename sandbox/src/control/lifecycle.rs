//! Lifecycle notifications of Microsoft Graph, which concern a subscription itself and not a mailbox.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ControlError, find_organisation};
use crate::{
    app::App,
    microsoft::graph::zones::format_utc,
    model::Subscription,
    notifications::{self, OutgoingNotification},
    store::Change,
};

/// A lifecycle event for the subscriptions of an organisation, or of one of its mailboxes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LifecycleRequest {
    event: LifecycleEvent,
    /// Address of the mailbox; `None` for all mailboxes.
    mailbox: Option<String>,
}

/// Values of `lifecycleEvent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum LifecycleEvent {
    /// The subscription ends soon unless it is renewed.
    ReauthorizationRequired,
    /// The subscription no longer exists.
    SubscriptionRemoved,
    /// Notifications were lost.
    Missed,
}

/// Triggers the event, and returns when every subscriber with a lifecycle URL has been notified.
pub(super) async fn trigger(
    app: &Arc<App>,
    organisation: Uuid,
    input: LifecycleRequest,
) -> Result<Value, ControlError> {
    let concerned = {
        let store = app.store();
        let mailboxes = find_organisation(store.state(), organisation)?;
        let wanted = match &input.mailbox {
            Some(address) => {
                Some(mailboxes.find(address).ok_or(ControlError::NotFound("mailbox"))?.id.clone())
            }
            None => None,
        };
        let all = store.state().subscriptions.values();
        let of_organisation = all.filter(|found| found.tenant == organisation);
        of_organisation
            .filter(|found| wanted.as_ref().is_none_or(|mailbox| found.mailbox == *mailbox))
            .cloned()
            .collect::<Vec<_>>()
    };
    if input.event == LifecycleEvent::SubscriptionRemoved {
        let gone = concerned.iter().map(|found| Change::SubscriptionGone(found.id.clone()));
        app.commit(&mut app.store(), gone.collect())?;
    }
    let mut told = 0;
    for letter in concerned.iter().filter_map(|found| letter(found, input.event)) {
        notifications::send(app, &letter).await;
        told += 1;
    }
    Ok(json!({ "told": told }))
}

fn letter(subscription: &Subscription, event: LifecycleEvent) -> Option<OutgoingNotification> {
    let item = json!({
        "subscriptionId": subscription.id,
        "subscriptionExpirationDateTime": format_utc(subscription.expires_at),
        "tenantId": subscription.tenant,
        "clientState": subscription.client_state,
        "lifecycleEvent": event,
    });
    let url = subscription.lifecycle_url.clone()?;
    Some(OutgoingNotification {
        url,
        headers: Vec::new(),
        body: Some(json!({ "value": [item] })),
        forged: false,
    })
}
