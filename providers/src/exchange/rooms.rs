//! Rooms: the members of the organisation's room lists. A room outside every list cannot be found; capacities are
//! not available.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Exchange, PAGE,
    names::parse_mailbox,
    soap::{self, MESSAGES, TYPES},
    transport::SoapRequest,
};
use crate::{Page, Result, RoomInfo, Session};

impl Exchange {
    /// One page of rooms, by address. The first page reads all rooms; later pages use the result.
    pub(super) async fn list_rooms(&self, session: &Session, after: Option<&str>) -> Result<Page<RoomInfo>> {
        let all = match after {
            None => self.fetch_rooms(session).await?,
            Some(_) => self.cached_rooms(session).await?,
        };
        let mut rest = all.iter().filter(|room| after.is_none_or(|after| room.id.as_str() > after));
        let items: Vec<RoomInfo> = rest.by_ref().take(PAGE).cloned().collect();
        let next = rest.next().and(items.last()).map(|room| room.id.clone());
        Ok(Page { items, next })
    }

    /// The rooms, cached if possible.
    pub(super) async fn cached_rooms(&self, session: &Session) -> Result<Arc<Vec<RoomInfo>>> {
        match self.rooms.get(&self.rooms_key(session).await?).await {
            Some(known) => Ok(known),
            None => self.fetch_rooms(session).await,
        }
    }

    /// Reads the rooms, sorted by address.
    pub(super) async fn fetch_rooms(&self, session: &Session) -> Result<Arc<Vec<RoomInfo>>> {
        let answer =
            self.call(session, SoapRequest::new("GetRoomLists", "<m:GetRoomLists/>".to_owned())).await?;
        let lists = answer.check_message(&answer.response)?.child(MESSAGES, "RoomLists");
        let lists = lists.map(|lists| lists.children.as_slice()).unwrap_or_default();
        let mut all = BTreeMap::new();
        for list in lists.iter().filter_map(parse_mailbox) {
            for room in self.rooms_of(session, &list.address).await? {
                all.insert(room.id.clone(), room);
            }
        }
        let all = Arc::new(all.into_values().collect::<Vec<_>>());
        self.rooms.insert(self.rooms_key(session).await?, Arc::clone(&all)).await;
        Ok(all)
    }

    async fn rooms_of(&self, session: &Session, list: &str) -> Result<Vec<RoomInfo>> {
        let address = soap::element("t:EmailAddress", list);
        let body = format!("<m:GetRooms><m:RoomList>{address}</m:RoomList></m:GetRooms>");
        let answer = self.call(session, SoapRequest::new("GetRooms", body)).await?;
        let told = match answer.check_message(&answer.response) {
            // The list was deleted after it was listed.
            Err(error) if error.code == "ErrorNameResolutionNoResults" => return Ok(Vec::new()),
            told => told?,
        };
        let rooms = told.child(MESSAGES, "Rooms").map(|rooms| rooms.children.as_slice()).unwrap_or_default();
        let found = rooms.iter().filter_map(|room| parse_mailbox(room.child(TYPES, "Id")?));
        Ok(found
            .map(|room| RoomInfo {
                id: room.address.to_ascii_lowercase(),
                address: room.address,
                name: room.name,
                capacity: None,
                building: None,
                floor: None,
                equipment: Vec::new(),
            })
            .collect())
    }

    async fn rooms_key(&self, session: &Session) -> Result<String> {
        Ok(format!("{}\n{}", session.scope, self.endpoint(session).await?))
    }
}
