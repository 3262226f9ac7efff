//! The list of rooms.

use serde_json::{Value, json};

use super::{
    Call,
    failure::{Failure, Refused},
    odata,
};
use crate::{
    model::{Mailbox, Room},
    wire::Answer,
};

const PAGE: usize = 100;
const PAGE_MOST: usize = 1000;

/// Handles `GET /places/microsoft.graph.room`.
pub fn rooms(call: &mut Call<'_>) -> Result<Answer, Refused> {
    if !call.bearer.has(&["Place.Read.All"]) {
        return Err(Failure::denied().into());
    }
    let (skip, top) = (odata::skip(call.request, "$skip")?, odata::top(call.request, PAGE, PAGE_MOST)?);
    let store = call.app.store();
    let rooms: Vec<Value> = call
        .organisation(store.state())?
        .mailboxes
        .values()
        .filter_map(|mailbox| Some(show(mailbox, mailbox.room.as_ref()?)))
        .map(|room| odata::select(call.request, room))
        .collect();
    Ok(Answer::json(
        200,
        odata::page(call.request, "places/microsoft.graph.room", &rooms, (skip, top), "$skip"),
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
