//! Push channels: subscriptions to change notifications.

use chrono::Duration;
use serde_json::{Value, json};

use super::READ;
use crate::{
    google::{
        caller::CallContext,
        failure::{Failure, RequestError},
        state::{Change, Channel},
    },
    microsoft::identity::keys::sha256,
    store,
    wire::WireResponse,
};

const LONGEST_S: i64 = 7 * 24 * 3_600;
const ID_MOST: usize = 64;
const TOKEN_MOST: usize = 256;

/// Handles `POST /calendars/{id}/events/watch`.
pub fn open_channel(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    call.require_scope(READ)?;
    let body = body(call)?;
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let mut store = call.app.store();
    let state = store.state();
    let (owner, mailbox, _) = call.calendar_access(state, key)?;
    let id = text("id").filter(|id| !id.is_empty() && id.len() <= ID_MOST);
    let id = id.ok_or_else(|| Failure::missing_value("entity.id"))?;
    if body["type"] != "web_hook" && body["type"] != "webhook" {
        return Err(Failure::invalid_request("Unknown channel type").into());
    }
    let token = text("token");
    if token.as_ref().is_some_and(|token| token.len() > TOKEN_MOST) {
        return Err(Failure::invalid_request("Channel token too long").into());
    }
    let address = text("address").ok_or_else(|| Failure::missing_value("entity.address"))?;
    check(&address)?;
    if state.google.channels.contains_key(&id) {
        let message = format!("Channel id {id} not unique");
        return Err(Failure::new(400, "global", "channelIdNotUnique", message).into());
    }
    let ttl = body["params"]["ttl"].as_str().and_then(|ttl| ttl.parse::<i64>().ok()).unwrap_or(LONGEST_S);
    let path = call.request.path.trim_end_matches("/watch");
    let channel = Channel {
        resource_id: resource(&owner),
        resource_uri: format!("{}{path}?alt=json", call.request.origin),
        opener: (call.caller.client_id.clone(), call.caller.account.clone()),
        address,
        token,
        expires_at: call.app.now() + Duration::seconds(ttl.clamp(1, LONGEST_S)),
        owner,
        id,
    };
    call.note.mailbox = Some(mailbox.address.clone());
    call.note.outcome = Some("subscribed");
    call.note.key = Some(channel.id.clone());
    let mut answer = json!({
        "kind": "api#channel",
        "id": channel.id,
        "resourceId": channel.resource_id,
        "resourceUri": channel.resource_uri,
        "expiration": channel.expires_at.timestamp_millis().to_string(),
    });
    if let Some(token) = &channel.token {
        answer["token"] = token.clone().into();
    }
    call.app.commit(&mut store, vec![store::Change::Google(Change::Channel(channel))])?;
    Ok(WireResponse::json(200, answer))
}

/// Refuses a notification URL that is neither https nor on loopback, where tests use http.
fn check(address: &str) -> Result<(), Failure> {
    let url = url::Url::parse(address).ok();
    let local = url.as_ref().is_some_and(|url| matches!(url.host_str(), Some("127.0.0.1" | "localhost")));
    if url.is_some_and(|url| url.scheme() == "https" || local && url.scheme() == "http") {
        return Ok(());
    }
    Err(Failure::new(
        401,
        "global",
        "push.webhookUrlNotHttps",
        format!("WebHook callback must be HTTPS: {address}"),
    ))
}

fn resource(owner: &store::CalendarKey) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(&sha256(format!("{}|{}", owner.0, owner.1).as_bytes())[..20])
}

/// Handles `POST /channels/stop`.
pub fn stop_channel(call: &mut CallContext<'_>) -> Result<WireResponse, RequestError> {
    call.require_scope(READ)?;
    let body = body(call)?;
    let mut store = call.app.store();
    let (id, resource) = (body["id"].as_str().unwrap_or_default(), body["resourceId"].as_str());
    let opener = (call.caller.client_id.clone(), call.caller.account.clone());
    call.note.key = Some(id.to_owned());
    let found = store.state().google.channels.get(id).filter(|found| {
        found.opener == opener
            && Some(found.resource_id.as_str()) == resource
            && found.expires_at > call.app.now()
    });
    if found.is_none() {
        let message = format!("Channel '{id}' not found for project");
        return Err(Failure::new(404, "global", "notFound", message).into());
    }
    call.note.outcome = Some("unsubscribed");
    call.app.commit(&mut store, vec![store::Change::Google(Change::ChannelGone(id.to_owned()))])?;
    Ok(WireResponse::empty(204))
}

fn body(call: &CallContext<'_>) -> Result<Value, Failure> {
    call.request.json().map_err(|_| Failure::new(400, "global", "parseError", "Parse Error"))
}
