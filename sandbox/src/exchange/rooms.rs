//! Room lists: one per building, and one for rooms without a building.

use std::collections::BTreeMap;

use super::{
    account::CallContext,
    failure::Failure,
    names::{address_content, mailbox_content},
    xml::{Element, MESSAGES},
};
use crate::model::{Mailbox, Organisation};

/// Room lists by address, with their names and rooms.
type Lists<'o> = BTreeMap<String, (String, Vec<&'o Mailbox>)>;

fn all(organisation: &Organisation) -> Lists<'_> {
    let mut lists = Lists::new();
    for mailbox in organisation.mailboxes.values() {
        let Some(room) = &mailbox.room else { continue };
        let (slug, name) = match &room.building {
            Some(building) => {
                (format!("rooms-{}", building.to_lowercase().replace(' ', "-")), format!("Rooms {building}"))
            }
            None => ("rooms".to_owned(), "Rooms".to_owned()),
        };
        let list = lists.entry(format!("{slug}@{}", organisation.domain)).or_insert((name, Vec::new()));
        list.1.push(mailbox);
    }
    for (_, rooms) in lists.values_mut() {
        rooms.sort_by_key(|room| &room.address);
    }
    lists
}

/// Handles GetRoomLists.
pub fn get_room_lists(call: &CallContext<'_>) -> Result<String, Failure> {
    let store = call.app.store();
    let lists: String = all(call.organisation(store.state())?)
        .into_iter()
        .map(|(list, (name, _))| {
            format!("<t:Address>{}</t:Address>", address_content(&name, &list, "PublicDL"))
        })
        .collect::<Vec<_>>()
        .concat();
    Ok(format!(
        r#"<m:GetRoomListsResponse ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:RoomLists>{lists}</m:RoomLists></m:GetRoomListsResponse>"#
    ))
}

/// Handles GetRooms.
pub fn get_rooms(call: &CallContext<'_>, operation: &Element) -> Result<String, Failure> {
    let asked = operation.child(MESSAGES, "RoomList").and_then(|list| list.child_text("EmailAddress"));
    let store = call.app.store();
    let lists = all(call.organisation(store.state())?);
    let Some((_, rooms)) = lists.get(&asked.unwrap_or_default().to_lowercase()) else {
        let failure = Failure::new("ErrorNameResolutionNoResults", "No results were found.");
        return Ok(failure.to_message("m:GetRoomsResponse"));
    };
    let rooms: String = rooms
        .iter()
        .map(|room| format!("<t:Room><t:Id>{}</t:Id></t:Room>", mailbox_content(room)))
        .collect::<Vec<_>>()
        .concat();
    Ok(format!(
        r#"<m:GetRoomsResponse ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Rooms>{rooms}</m:Rooms></m:GetRoomsResponse>"#
    ))
}
