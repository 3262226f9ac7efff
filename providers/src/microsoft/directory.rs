//! Reads the organisation, its people, its rooms, and single mailboxes.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use url::Url;

use super::{
    Microsoft,
    request::{Call, too_many_pages, with_query},
    wire, zones,
};
use crate::{
    Error, ErrorKind, Mailbox, MailboxKind, Organisation, Page, Person, Remedy, Result, RoomInfo, Session,
    error::another_account,
    messages,
    rest::{MAX_PAGES, RestApi},
};

const USER_FIELDS: &str = "id,displayName,mail,userPrincipalName,accountEnabled,userType";

impl Microsoft {
    pub(super) async fn read_organisation(&self, session: &Session) -> Result<Organisation> {
        let fields = [("$select", "id,displayName,verifiedDomains,preferredLanguage")];
        let url = with_query(self.url(&["organization"])?, &fields);
        let list: wire::List<wire::Organization> = self.call_json(session, &Call::get(url)).await?;
        let found = list.value.into_readable("organisations").next().ok_or_else(|| {
            Error::new(
                ErrorKind::GrantLost,
                Remedy::Reconnect,
                "NO_ORGANISATION",
                messages::microsoft_no_organisation(),
            )
        })?;
        Ok(Organisation {
            name: found.display_name.unwrap_or_else(|| found.id.clone()),
            id: found.id,
            domains: found.verified_domains.into_iter().map(|domain| domain.name).collect(),
            zone: None,
            language: found.preferred_language,
        })
    }

    /// One page of people. Graph lists rooms among the users without distinguishing them, so each page is compared
    /// with the list of rooms.
    pub(super) async fn list_people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>> {
        let url = match after {
            Some(link) => self.next_page_url(link)?,
            None => with_query(self.url(&["users"])?, &[("$select", USER_FIELDS), ("$top", "999")]),
        };
        let list: wire::List<wire::User> = self.call_json(session, &Call::get(url)).await?;
        let rooms = self.room_addresses(session).await?;
        let items = list
            .value
            .into_readable("people")
            .filter_map(person)
            .filter(|p| !rooms.contains(&p.address.to_lowercase()));
        Ok(Page { items: items.collect(), next: list.next })
    }

    async fn room_addresses(&self, session: &Session) -> Result<HashSet<String>> {
        let url = with_query(self.rooms_url()?, &[("$top", "100")]);
        let rooms: Vec<wire::Room> = self.whole_list(session, url).await?;
        Ok(rooms.into_iter().filter_map(|room| Some(room.email_address?.to_lowercase())).collect())
    }

    pub(super) async fn list_rooms(&self, session: &Session, after: Option<&str>) -> Result<Page<RoomInfo>> {
        let url = match after {
            Some(link) => self.next_page_url(link)?,
            None => with_query(self.rooms_url()?, &[("$top", "100")]),
        };
        let list: wire::List<wire::Room> = self.call_json(session, &Call::get(url)).await?;
        Ok(Page { items: list.value.into_readable("rooms").filter_map(room).collect(), next: list.next })
    }

    fn rooms_url(&self) -> Result<Url> {
        self.url(&["places", "microsoft.graph.room"])
    }

    async fn whole_list<T: DeserializeOwned + Send + 'static>(
        &self,
        session: &Session,
        url: Url,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        let mut next = Some(url);
        for _ in 0..MAX_PAGES {
            let Some(url) = next else { return Ok(all) };
            let list: wire::List<T> = self.call_json(session, &Call::get(url)).await?;
            all.extend(list.value.into_readable("rooms"));
            next = list.next.map(|link| self.next_page_url(&link)).transpose()?;
        }
        Err(too_many_pages())
    }

    pub(super) async fn read_mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox> {
        let user = self.user(session, mailbox).await?;
        let url = self.mailbox_url(&user.id, &["mailboxSettings"])?;
        let settings: wire::MailboxSettings =
            self.call_json(session, &Call::get(url).for_mailbox(mailbox)).await?;
        Ok(Mailbox {
            name: user.display_name.unwrap_or_else(|| mailbox.to_owned()),
            address: user.mail.unwrap_or_else(|| mailbox.to_owned()),
            id: user.id,
            kind: kind(settings.user_purpose.as_deref()),
            zone: settings.time_zone.as_deref().and_then(zones::iana_name),
            accepts_conflicts: None,
        })
    }

    pub(super) async fn read_person(&self, session: &Session, address: &str) -> Result<Person> {
        let user = self.user(session, address).await?;
        let name = user.display_name.unwrap_or_else(|| address.to_owned());
        let address = user.mail.unwrap_or_else(|| address.to_owned());
        Ok(Person { id: user.id, address, name, organisation: None })
    }

    /// Finds a user by email address. Graph looks up users only by sign-in name; any other address requires a search.
    async fn user(&self, session: &Session, address: &str) -> Result<wire::User> {
        if session.own {
            return self.own_user(session, address).await;
        }
        let url = with_query(self.mailbox_url(address, &[])?, &[("$select", USER_FIELDS)]);
        match self.call_json(session, &Call::get(url).for_mailbox(address)).await {
            Err(error) if error.kind == ErrorKind::NoMailbox => {
                let quoted = address.to_lowercase().replace('\'', "''");
                let filter = format!("proxyAddresses/any(p:p eq 'smtp:{quoted}')");
                let query = [("$filter", filter.as_str()), ("$select", USER_FIELDS)];
                let url = with_query(self.url(&["users"])?, &query);
                let list: wire::List<wire::User> = self.call_json(session, &Call::get(url)).await?;
                list.value.into_readable("people").next().ok_or(error)
            }
            answer => answer,
        }
    }

    /// Reads the user who gave their own consent, whose token does not permit access to any other user.
    async fn own_user(&self, session: &Session, address: &str) -> Result<wire::User> {
        let fields = format!("{USER_FIELDS},proxyAddresses");
        let url = with_query(self.url(&["me"])?, &[("$select", &fields)]);
        let user: wire::User = self.call_json(session, &Call::get(url).for_mailbox(address)).await?;
        if is_known_as(&user, address) {
            return Ok(user);
        }
        Err(another_account())
    }
}

/// Whether the user has this email address.
fn is_known_as(user: &wire::User, address: &str) -> bool {
    let proxies = user.proxy_addresses.iter().filter_map(|proxy| proxy.split_once(':'));
    let proxies = proxies.filter(|(kind, _)| kind.eq_ignore_ascii_case("smtp")).map(|(_, address)| address);
    let names = user.mail.iter().chain(&user.user_principal_name).map(String::as_str);
    names.chain(proxies).any(|known| known.eq_ignore_ascii_case(address))
}

/// Converts a user to a person; `None` for guests, whose mailboxes are elsewhere, and for users without an address.
/// Disabled accounts are kept, because shared mailboxes are disabled accounts.
fn person(user: wire::User) -> Option<Person> {
    if user.user_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("guest")) {
        return None;
    }
    let address = user.mail.filter(|mail| !mail.is_empty())?;
    Some(Person {
        name: user.display_name.or(user.user_principal_name).unwrap_or_default(),
        id: user.id,
        address,
        organisation: None,
    })
}

fn room(room: wire::Room) -> Option<RoomInfo> {
    let devices = [room.audio_device_name, room.video_device_name, room.display_device_name];
    let filled = |text: &String| !text.is_empty();
    let address = room.email_address.filter(filled)?;
    Some(RoomInfo {
        id: room.id,
        name: room.display_name.unwrap_or_else(|| address.clone()),
        address,
        capacity: room.capacity,
        building: room.building.filter(filled),
        floor: room.floor_label.filter(filled).or(room.floor_number.map(|floor| floor.to_string())),
        equipment: room.tags.into_iter().chain(devices.into_iter().flatten()).filter(filled).collect(),
    })
}

fn kind(purpose: Option<&str>) -> MailboxKind {
    match purpose.unwrap_or_default().to_ascii_lowercase().as_str() {
        "user" | "linked" => MailboxKind::Person,
        "room" | "equipment" => MailboxKind::Room,
        "shared" => MailboxKind::Shared,
        _ => MailboxKind::Unknown,
    }
}
