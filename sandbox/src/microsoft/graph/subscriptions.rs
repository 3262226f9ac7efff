//! Subscriptions to change notifications.

use chrono::Duration;
use domain::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    CallContext, READ, events,
    failure::{Failure, RequestError},
    odata,
    zones::{self, Zone},
};
use crate::{model::Subscription, store::Change, wire::WireResponse};

const SHORTEST_MINUTES: i64 = 45;
const LONGEST_MINUTES: i64 = 10_080;
const STATE_MOST: usize = 128;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    change_type: String,
    notification_url: String,
    lifecycle_notification_url: Option<String>,
    resource: String,
    expiration_date_time: String,
    client_state: Option<String>,
}

/// Handles `POST /subscriptions`: responds after the URLs have passed the validation handshake.
pub async fn create_subscription(call: &mut CallContext<'_>) -> Result<WireResponse, RequestError> {
    let body = events::parse_json_body(call)?;
    let asked: Asked = serde_json::from_value(body).map_err(|cause| {
        Failure::new(400, "InvalidRequest", format!("The subscription cannot be read: {cause}."))
    })?;
    let subscription = check(call, asked)?;
    shake_hands(call, &subscription.notification_url).await?;
    if let Some(url) = &subscription.lifecycle_url {
        shake_hands(call, url).await?;
    }
    call.note.outcome = Some("subscribed");
    call.note.key = Some(subscription.id.clone());
    let answer = WireResponse::json(201, show(&subscription));
    call.app.commit(&mut call.app.store(), vec![Change::Subscription(subscription)])?;
    Ok(answer)
}

/// Handles `GET`, `PATCH` and `DELETE` of `/subscriptions/{id}`, and `GET /subscriptions`.
pub fn handle_existing(
    call: &mut CallContext<'_>,
    method: &str,
    rest: &[&str],
) -> Result<WireResponse, RequestError> {
    match (method, rest) {
        ("GET", []) => Ok(list(call)),
        ("GET", [id]) => Ok(WireResponse::json(200, show(&find(call, id)?))),
        ("PATCH", [id]) => renew(call, id),
        ("POST", [id, "reauthorize"]) => {
            find(call, id)?;
            Ok(WireResponse::empty(204))
        }
        ("DELETE", [id]) => {
            find(call, id)?;
            call.note.outcome = Some("unsubscribed");
            call.app.commit(&mut call.app.store(), vec![Change::SubscriptionGone((*id).to_owned())])?;
            Ok(WireResponse::empty(204))
        }
        _ => Err(super::unknown(rest)),
    }
}

fn list(call: &CallContext<'_>) -> WireResponse {
    let store = call.app.store();
    let values: Vec<Value> =
        store.state().subscriptions.values().filter(|found| visible(call, found)).map(show).collect();
    WireResponse::json(
        200,
        odata::collection_page(call.request, "subscriptions", &values, (0, values.len()), "$skiptoken"),
    )
}

fn renew(call: &mut CallContext<'_>, id: &str) -> Result<WireResponse, RequestError> {
    let mut subscription = find(call, id)?;
    let body = events::parse_json_body(call)?;
    let wanted = body["expirationDateTime"].as_str();
    let wanted = wanted.ok_or_else(|| Failure::invalid_request("Only expirationDateTime can be changed."))?;
    subscription.expires_at = expiry(call, wanted)?;
    call.note.outcome = Some("renewed");
    let answer = WireResponse::json(200, show(&subscription));
    call.app.commit(&mut call.app.store(), vec![Change::Subscription(subscription)])?;
    Ok(answer)
}

fn find(call: &mut CallContext<'_>, id: &str) -> Result<Subscription, Failure> {
    call.note.key = Some(id.to_owned());
    let store = call.app.store();
    let found = store.state().subscriptions.get(id).filter(|found| visible(call, found));
    found.cloned().ok_or_else(|| Failure::new(404, "ResourceNotFound", "The object was not found."))
}

fn visible(call: &CallContext<'_>, found: &Subscription) -> bool {
    found.tenant == call.bearer.tenant
        && found.client_id == call.bearer.client_id
        && found.expires_at > call.app.now()
}

fn check(call: &mut CallContext<'_>, asked: Asked) -> Result<Subscription, Failure> {
    let bad = |message: &str| Failure::new(400, "InvalidRequest", message);
    let kinds = ["created", "updated", "deleted"];
    if !asked.change_type.split(',').all(|kind| kinds.contains(&kind.trim())) {
        return Err(bad("The changeType is not valid."));
    }
    if asked.client_state.as_ref().is_some_and(|state| state.len() > STATE_MOST) {
        return Err(bad("The clientState must not be longer than 128 characters."));
    }
    let expires_at = expiry(call, &asked.expiration_date_time)?;
    let parts: Vec<&str> = asked.resource.split('/').filter(|part| !part.is_empty()).collect();
    let own = call.bearer.object.clone();
    let key = match parts.as_slice() {
        ["me", "events"] => own.as_str(),
        ["users" | "Users", key, "events" | "Events"] => *key,
        _ => return Err(bad("The resource is not supported.")),
    };
    let store = call.app.store();
    let (owner, _) = call.mailbox(store.state(), key, READ)?;
    Ok(Subscription {
        id: call.app.new_guid().to_string(),
        tenant: owner.0,
        client_id: call.bearer.client_id.clone(),
        creator: call.bearer.object.clone(),
        mailbox: owner.1,
        resource: asked.resource,
        change_type: asked.change_type,
        notification_url: asked.notification_url,
        lifecycle_url: asked.lifecycle_notification_url,
        client_state: asked.client_state,
        expires_at,
    })
}

fn expiry(call: &CallContext<'_>, text: &str) -> Result<Timestamp, Failure> {
    let bad = |message: &str| Failure::new(400, "InvalidRequest", message);
    let at = Zone::utc().parse_time(text).ok_or_else(|| bad("The expirationDateTime is not valid."))?;
    let now = call.app.now();
    if at <= now {
        return Err(bad("Subscription expiration must be in the future."));
    }
    if at > now + Duration::minutes(LONGEST_MINUTES) {
        return Err(bad("Subscription expiration can only be 10080 minutes in the future."));
    }
    Ok(at.max(now + Duration::minutes(SHORTEST_MINUTES)))
}

/// Validates a notification URL: it must return the token it is sent, as plain text, within ten seconds.
async fn shake_hands(call: &CallContext<'_>, url: &str) -> Result<(), Failure> {
    let refused = |message: String| Failure::new(400, "ValidationError", message);
    let mut target =
        url::Url::parse(url).map_err(|_| refused("The notificationUrl is not a URL.".to_owned()))?;
    let token = format!(
        "Validation: Testing client application reachability for subscription. Request-Id: {}",
        call.app.new_guid()
    );
    target.query_pairs_mut().append_pair("validationToken", &token);
    let sent = call.app.client.post(target).header("content-type", "text/plain; charset=utf-8").send().await;
    let Ok(answer) = sent else {
        return Err(refused(
            "Subscription validation request failed. The notification endpoint cannot be reached.".to_owned(),
        ));
    };
    let status = answer.status().as_u16();
    let plain = answer
        .headers()
        .get("content-type")
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/plain"));
    let echoed = answer.text().await.is_ok_and(|text| text == token);
    if status == 200 && plain && echoed {
        return Ok(());
    }
    Err(refused(format!(
        "Subscription validation request failed. Notification endpoint must respond with 200 OK and the validation token as text/plain; it responded with {status}."
    )))
}

fn show(subscription: &Subscription) -> Value {
    json!({
        "@odata.context": odata::odata_context("subscriptions/$entity"),
        "id": subscription.id,
        "resource": subscription.resource,
        "applicationId": subscription.client_id,
        "changeType": subscription.change_type,
        "clientState": subscription.client_state,
        "notificationUrl": subscription.notification_url,
        "notificationQueryOptions": null,
        "lifecycleNotificationUrl": subscription.lifecycle_url,
        "expirationDateTime": zones::format_utc(subscription.expires_at),
        "creatorId": subscription.creator,
        "includeResourceData": null,
        "latestSupportedTlsVersion": "v1_2",
        "encryptionCertificate": null,
        "encryptionCertificateId": null,
        "notificationUrlAppId": null,
    })
}
