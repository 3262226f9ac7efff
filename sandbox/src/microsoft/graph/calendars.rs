//! Calendars of the Microsoft Graph emulator. Every mailbox has exactly one calendar.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    CallContext, READ_BASIC,
    failure::{Failure, RequestError},
    odata, online_meetings,
};
use crate::{model::Mailbox, wire::WireResponse};

/// Handles `GET /users/{id}/calendars`.
pub fn list_calendars(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    let store = call.app.store();
    let (_, mailbox) = call.mailbox(store.state(), key, READ_BASIC)?;
    let value = odata::apply_select(call.request, show(mailbox));
    let context = format!("users('{}')/calendars", mailbox.id);
    Ok(WireResponse::json(200, odata::collection_page(call.request, &context, &[value], (0, 10), "$skip")))
}

/// Handles `GET /users/{id}/calendar`.
pub fn get_calendar(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    let store = call.app.store();
    let (_, mailbox) = call.mailbox(store.state(), key, READ_BASIC)?;
    let mut value = show(mailbox);
    value["@odata.context"] = odata::odata_context(&format!("users('{}')/calendar/$entity", mailbox.id));
    Ok(WireResponse::json(200, odata::apply_select(call.request, value)))
}

/// Returns an error if the mailbox has no calendar with this id.
pub fn check_calendar(call: &mut CallContext<'_>, key: &str, calendar: &str) -> Result<(), Failure> {
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
        "allowedOnlineMeetingProviders": online_meetings::permitted_meeting_providers(mailbox),
        "defaultOnlineMeetingProvider": online_meetings::permitted_meeting_providers(mailbox).first().unwrap_or(&"unknown"),
        "isTallyingResponses": true,
        "isRemovable": false,
        "owner": { "name": mailbox.name, "address": mailbox.address },
    })
}
