//! The Places API: lists the rooms of an organisation.

use serde_json::{Value, json};

use super::{
    CallContext,
    failure::{Failure, RequestError},
    odata,
};
use crate::{
    model::{Mailbox, Room},
    wire::WireResponse,
};

const PAGE: usize = 100;
const PAGE_MOST: usize = 1000;

/// Handles `GET /places/microsoft.graph.room`.
pub fn list_rooms(call: &mut CallContext<'_>) -> Result<WireResponse, RequestError> {
    if !call.bearer.has_any_permission(&["Place.Read.All"]) {
        return Err(Failure::mailbox_access_denied().into());
    }
    let (skip, top) =
        (odata::parse_skip(call.request, "$skip")?, odata::parse_top(call.request, PAGE, PAGE_MOST)?);
    let store = call.app.store();
    let rooms: Vec<Value> = call
        .organisation(store.state())?
        .mailboxes
        .values()
        .filter_map(|mailbox| Some(show(mailbox, mailbox.room.as_ref()?)))
        .map(|room| odata::apply_select(call.request, room))
        .collect();
    Ok(WireResponse::json(
        200,
        odata::collection_page(call.request, "places/microsoft.graph.room", &rooms, (skip, top), "$skip"),
    ))
}

fn show(mailbox: &Mailbox, room: &Room) -> Value {
    let equipment = |word: &str| room.equipment.iter().find(|name| name.to_lowercase().contains(word));
    json!({
        "@odata.type": "#microsoft.graph.room",
        "id": mailbox.id,
        "emailAddress": mailbox.address,
        "displayName": mailbox.name,
        "placeId": mailbox.id,
        "parentId": null,
        "nickname": mailbox.name,
        "label": mailbox.name,
        "capacity": room.capacity,
        "building": room.building,
        "floorNumber": room.floor,
        "floorLabel": room.floor.map(|floor| floor.to_string()),
        "phone": "",
        "bookingType": "standard",
        "address": null,
        "geoCoordinates": null,
        "tags": room.equipment,
        "isWheelChairAccessible": false,
        "audioDeviceName": equipment("speaker"),
        "videoDeviceName": equipment("video"),
        "displayDeviceName": equipment("display"),
    })
}
