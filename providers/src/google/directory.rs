//! The organisation, its people and rooms, and single mailboxes, through the Admin SDK's Directory.

use std::collections::HashMap;

use super::{
    Google,
    request::{Call, is_resource_mailbox, too_many_pages, with_query},
    scopes::Scope,
    wire,
};
use crate::{
    Error, ErrorKind, Mailbox, MailboxKind, Organisation, Page, Person, Remedy, Result, RoomInfo, Session,
    error::another_account,
    messages,
    rest::{MAX_PAGES, RestApi},
};

/// The id by which the Directory API denotes the administrator's own organisation.
const OWN_CUSTOMER: &str = "my_customer";
/// Maximum page size.
const PAGE: &str = "500";

impl Google {
    /// Reads the organisation on behalf of its administrator, which shows that the key and the delegation are valid.
    pub(super) async fn read_organisation(&self, session: &Session) -> Result<Organisation> {
        let call = Call::get(self.directory_url(&["customers", OWN_CUSTOMER])?, Scope::Customer);
        let customer: wire::Customer = self.call_json(session, &call).await?;
        let name = customer.postal_address.and_then(|address| address.organization_name);
        let name = name.filter(|name| !name.is_empty()).or(customer.customer_domain);
        Ok(Organisation {
            name: name.unwrap_or_else(|| customer.id.clone()),
            id: customer.id,
            domains: self.verified_domains(session).await?,
            zone: None,
            language: customer.language,
        })
    }

    /// The organisation's verified domains and domain aliases; empty if the delegation lacks the scope for them, as
    /// older delegations do.
    async fn verified_domains(&self, session: &Session) -> Result<Vec<String>> {
        let call = Call::get(self.directory_url(&["customer", OWN_CUSTOMER, "domains"])?, Scope::Domains);
        let found: wire::Domains = match self.call_json(session, &call).await {
            Ok(found) => found,
            Err(error) if error.kind == ErrorKind::GrantLost => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for domain in found.domains.into_readable("domains").filter(|domain| domain.verified == Some(true)) {
            let aliases = domain.domain_aliases.into_iter().filter(|alias| alias.verified == Some(true));
            names.push(domain.domain_name);
            names.extend(aliases.map(|alias| alias.domain_alias_name));
        }
        Ok(names)
    }

    pub(super) async fn list_people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>> {
        let mut query = vec![
            ("customer", OWN_CUSTOMER),
            ("maxResults", PAGE),
            ("projection", "basic"),
            ("orderBy", "email"),
            ("query", "isSuspended=false"),
        ];
        query.extend(after.map(|token| ("pageToken", token)));
        let url = with_query(self.directory_url(&["users"])?, &query);
        let page: wire::Users = self.call_json(session, &Call::get(url, Scope::People)).await?;
        let alive = page.users.into_readable("people").filter(is_alive);
        Ok(Page { items: alive.map(person).collect(), next: page.next_page_token })
    }

    pub(super) async fn list_rooms(&self, session: &Session, after: Option<&str>) -> Result<Page<RoomInfo>> {
        let mut query = vec![("maxResults", PAGE)];
        query.extend(after.map(|token| ("pageToken", token)));
        let url = self.directory_url(&["customer", OWN_CUSTOMER, "resources", "calendars"])?;
        let call = Call::get(with_query(url, &query), Scope::Rooms);
        let page: wire::Resources = self.call_json(session, &call).await?;
        let rooms: Vec<wire::Resource> = page.items.into_readable("rooms").collect();
        let buildings = match rooms.iter().any(|room| room.building_id.is_some()) {
            true => self.buildings(session).await?,
            false => HashMap::new(),
        };
        let items = rooms.into_iter().filter_map(|resource| room(resource, &buildings)).collect();
        Ok(Page { items, next: page.next_page_token })
    }

    /// The names of all buildings, by id.
    async fn buildings(&self, session: &Session) -> Result<HashMap<String, String>> {
        let mut names = HashMap::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = vec![("maxResults", PAGE)];
            query.extend(token.as_deref().map(|token| ("pageToken", token)));
            let url = self.directory_url(&["customer", OWN_CUSTOMER, "resources", "buildings"])?;
            let call = Call::get(with_query(url, &query), Scope::Rooms);
            let page: wire::Buildings = self.call_json(session, &call).await?;
            names.extend(
                page.buildings
                    .into_readable("buildings")
                    .filter_map(|found| Some((found.building_id, found.building_name?))),
            );
            token = page.next_page_token;
            if token.is_none() {
                return Ok(names);
            }
        }
        Err(too_many_pages())
    }

    /// Reads a mailbox: its user or room from the directory; its time zone, and whether Google Calendar is enabled for
    /// it, from the calendar.
    pub(super) async fn read_mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox> {
        if session.own {
            return self.own_mailbox(session, mailbox).await;
        }
        if is_resource_mailbox(mailbox) {
            let calendar = self.read_calendar_metadata(session, mailbox).await?;
            return Ok(Mailbox {
                id: mailbox.to_owned(),
                address: mailbox.to_owned(),
                name: calendar.summary.unwrap_or_else(|| mailbox.to_owned()),
                kind: MailboxKind::Room,
                zone: calendar.time_zone,
                accepts_conflicts: None,
            });
        }
        let user = self.read_user(session, mailbox).await?;
        let calendar = self.read_calendar_metadata(session, mailbox).await?;
        let Person { id, address, name, .. } = person(user);
        Ok(Mailbox {
            id,
            address,
            name,
            kind: MailboxKind::Person,
            zone: calendar.time_zone,
            // Google Calendar accepts any number of simultaneous events in a person's calendar.
            accepts_conflicts: Some(true),
        })
    }

    /// Reads a user of the organisation; the directory shows an administrator no users of other organisations.
    pub(super) async fn read_user(&self, session: &Session, address: &str) -> Result<wire::User> {
        let url = with_query(self.directory_url(&["users", address])?, &[("projection", "basic")]);
        let user: wire::User =
            self.call_json(session, &Call::get(url, Scope::People).about_user(address)).await?;
        if is_alive(&user) {
            return Ok(user);
        }
        Err(Error::new(
            ErrorKind::NotServed,
            Remedy::SkipMailbox,
            "ACCOUNT_SUSPENDED",
            messages::google_account_suspended(),
        ))
    }

    /// Reads the mailbox for a user's own consent, whose calendar id is the email address.
    async fn own_mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox> {
        let call = Call::get(self.calendar_url("primary", &[])?, Scope::Events).for_mailbox(mailbox);
        let calendar: wire::Calendar = self.call_json(session, &call).await?;
        if !calendar.id.eq_ignore_ascii_case(mailbox) {
            return Err(another_account());
        }
        Ok(Mailbox {
            address: calendar.id.clone(),
            name: calendar.id.clone(),
            id: calendar.id,
            kind: MailboxKind::Person,
            zone: calendar.time_zone,
            accepts_conflicts: Some(true),
        })
    }
}

fn is_alive(user: &wire::User) -> bool {
    user.suspended != Some(true) && user.archived != Some(true)
}

pub(super) fn person(user: wire::User) -> Person {
    let name = user.name.and_then(|name| name.full_name).filter(|name| !name.is_empty());
    Person {
        name: name.unwrap_or_else(|| user.primary_email.clone()),
        id: user.id,
        address: user.primary_email,
        organisation: user.customer_id,
    }
}

/// Converts a resource to a room; `None` for other resources, such as cars and projectors. A resource without a
/// category counts as a room.
fn room(resource: wire::Resource, buildings: &HashMap<String, String>) -> Option<RoomInfo> {
    let filled = |text: &String| !text.is_empty();
    if resource.resource_category.as_deref() == Some("OTHER") {
        return None;
    }
    let address = resource.resource_email.filter(filled)?;
    let building = resource.building_id.map(|id| buildings.get(&id).cloned().unwrap_or(id));
    Some(RoomInfo {
        id: resource.resource_id,
        name: resource.resource_name.unwrap_or_else(|| address.clone()),
        address,
        capacity: resource.capacity,
        building: building.filter(filled),
        floor: resource.floor_name.filter(filled),
        equipment: resource.feature_instances.into_iter().map(|instance| instance.feature.name).collect(),
    })
}
