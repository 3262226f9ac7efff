//! The in-memory provider's directory of people and rooms.

use async_trait::async_trait;

use super::{Memory, Method, PAGE, Request, messages, record::SystemState};
use crate::{
    Directory, Error, ErrorKind, Mailbox, MailboxKind, Organisation, Page, Person, Remedy, Result, RoomInfo,
    Session,
};

#[async_trait]
impl Directory for Memory {
    async fn organisation(&self, session: &Session) -> Result<Organisation> {
        let request = Request::new(Method::Organisation, "", session);
        self.call(session, request, |record| Ok(record.organisation.clone())).await
    }

    async fn people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>> {
        let request = Request::new(Method::People, "", session);
        self.call(session, request, |record| page(&record.people, after)).await
    }

    async fn rooms(&self, session: &Session, after: Option<&str>) -> Result<Page<RoomInfo>> {
        let request = Request::new(Method::Rooms, "", session);
        self.call(session, request, |record| page(&record.rooms, after)).await
    }

    async fn mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox> {
        let request = Request::new(Method::Mailbox, mailbox, session);
        self.call(session, request, |record| {
            record.require_mailbox(mailbox)?;
            let is_room = record.rooms.iter().any(|room| room.address == mailbox);
            let person = record.people.iter().find(|person| person.address == mailbox);
            Ok(Mailbox {
                id: mailbox.to_owned(),
                address: mailbox.to_owned(),
                name: person.map_or(mailbox, |person| person.name.as_str()).to_owned(),
                kind: match (is_room, person) {
                    (true, _) => MailboxKind::Room,
                    (false, Some(_)) => MailboxKind::Person,
                    (false, None) => MailboxKind::Unknown,
                },
                zone: None,
                accepts_conflicts: None,
            })
        })
        .await
    }

    async fn person(&self, session: &Session, address: &str) -> Result<Person> {
        let request = Request::new(Method::Person, address, session);
        self.call(session, request, |record| {
            let person = record.people.iter().find(|person| person.address == address);
            person.cloned().ok_or_else(no_mailbox)
        })
        .await
    }
}

impl Request {
    pub(super) fn new(method: Method, mailbox: &str, session: &Session) -> Self {
        Self {
            method,
            mailbox: mailbox.to_owned(),
            calendar: None,
            zone: session.zone.as_ref().map(|zone| zone.name().to_owned()),
            scope: session.scope.to_string(),
        }
    }
}

impl SystemState {
    /// Returns an error if the address has no mailbox.
    pub(super) fn require_mailbox(&self, mailbox: &str) -> Result<()> {
        let mut listed = self.people.iter().map(|person| &person.address);
        let is_room = || self.rooms.iter().any(|room| room.address == mailbox);
        match self.only_listed && !listed.any(|address| address == mailbox) && !is_room() {
            true => Err(no_mailbox()),
            false => Ok(()),
        }
    }
}

fn no_mailbox() -> Error {
    let message = messages::memory_no_mailbox();
    Error::new(ErrorKind::NoMailbox, Remedy::SkipMailbox, "NO_MAILBOX", message)
}

/// The page that begins at the position `after`.
pub(super) fn page<T: Clone>(all: &[T], after: Option<&str>) -> Result<Page<T>> {
    let start = match after {
        Some(text) => text.parse().map_err(|_| no_page())?,
        None => 0,
    };
    let items: Vec<T> = all.iter().skip(start).take(PAGE).cloned().collect();
    let end = start + items.len();
    Ok(Page { items, next: (end < all.len()).then(|| end.to_string()) })
}

fn no_page() -> Error {
    Error::new(ErrorKind::Invalid, Remedy::Never, "NO_PAGE", messages::memory_no_page())
}
