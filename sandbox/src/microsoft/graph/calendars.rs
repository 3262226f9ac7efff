//! Calendars. Every mailbox has exactly one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Call, READ_BASIC,
    failure::{Failure, Refused},
    odata, online,
};
use crate::{model::Mailbox, wire::Answer};

/// Handles `GET /users/{id}/calendars`.
pub fn list(call: &mut Call<'_>, key: &str) -> Result<Answer, Refused> {
    let store = call.app.store();
    let (_, mailbox) = call.mailbox(store.state(), key, READ_BASIC)?;
    let value = odata::select(call.request, show(mailbox));
    let context = format!("users('{}')/calendars", mailbox.id);
    Ok(Answer::json(200, odata::page(call.request, &context, &[value], (0, 10), "$skip")))
}

/// Handles `GET /users/{id}/calendar`.
pub fn one(call: &mut Call<'_>, key: &str) -> Result<Answer, Refused> {
    let store = call.app.store();
    let (_, mailbox) = call.mailbox(store.state(), key, READ_BASIC)?;
    let mut value = show(mailbox);
    value["@odata.context"] = odata::context(&format!("users('{}')/calendar/$entity", mailbox.id));
    Ok(Answer::json(200, odata::select(call.request, value)))
}

/// Refuses a calendar that the mailbox does not have.
pub fn check(call: &mut Call<'_>, key: &str, calendar: &str) -> Result<(), Failure> {
    let store = call.app.store();
    let (_, mailbox) = call.mailbox(store.state(), key, READ_BASIC)?;
    (id(mailbox) == calendar).then_some(()).ok_or_else(Failure::item_not_found)
}

fn id(mailbox: &Mailbox) -> String {
    format!("AAMkAGCal/+{}=", STANDARD.encode(&mailbox.id).trim_end_matches('='))
}

fn show(mailbox: &Mailbox) -> Value {
    json!({
        "id": id(mailbox),
        "name": "Calendar",
        "color": "auto",
        "hexColor": "",
        "isDefaultCalendar": true,
        "changeKey": STANDARD.encode(format!("calendar of {}", mailbox.id)),
        "canShare": true,
        "canViewPrivateItems": true,
        "canEdit": true,
        "allowedOnlineMeetingProviders": online::permitted(mailbox),
        "defaultOnlineMeetingProvider": online::permitted(mailbox).first().unwrap_or(&"unknown"),
        "isTallyingResponses": true,
        "isRemovable": false,
        "owner": { "name": mailbox.name, "address": mailbox.address },
    })
}
