//! The directory: the people and rooms that a CalDAV server lists.

use async_trait::async_trait;

use super::{CalDav, account, listing, page, principal::Principal};
use crate::{
    Directory, Mailbox, MailboxKind, Organisation, Page, Person, Result, RoomInfo, Session,
    error::another_account,
};

#[async_trait]
impl Directory for CalDav {
    async fn organisation(&self, session: &Session) -> Result<Organisation> {
        let dav = self.dav(session, None)?;
        account::read_organisation(&dav).await
    }

    async fn people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>> {
        let dav = self.dav(session, None)?;
        let account = account::cached_account(&dav).await?;
        let all = listing::list_principals(&dav, &account, after.is_none()).await?;
        let people = all.value.all()?.iter().filter(|found| {
            // The service account is not a person's mailbox; a user's own consent covers only that user.
            !found.is_room() && account.is_own_principal(found) == session.own
        });
        let person = |found: &Principal| Person {
            id: found.id(),
            address: found.address().to_owned(),
            name: found.name.clone(),
            organisation: None,
        };
        Ok(page(people.map(person).collect(), after, |person| &person.id))
    }

    async fn rooms(&self, session: &Session, after: Option<&str>) -> Result<Page<RoomInfo>> {
        let dav = self.dav(session, None)?;
        let account = account::cached_account(&dav).await?;
        let all = listing::list_principals(&dav, &account, after.is_none()).await?;
        let rooms = all.value.all()?.iter().cloned().filter_map(Principal::into_room).collect();
        Ok(page(rooms, after, |room| &room.id))
    }

    async fn mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox> {
        let dav = self.dav(session, Some(mailbox))?;
        let place = self.fresh_place(&dav, mailbox).await?;
        // What others share with a user is not the user's own mailbox.
        if session.own && !place.is_account {
            return Err(another_account());
        }
        let kind = match (&place.principal.room, place.is_account && !session.own) {
            (Some(_), _) => MailboxKind::Room,
            (None, true) => MailboxKind::Shared,
            (None, false) => MailboxKind::Person,
        };
        Ok(Mailbox {
            id: place.principal.id(),
            address: place.principal.address().to_owned(),
            name: place.principal.name.clone(),
            kind,
            zone: place.booking_calendar().zone.as_ref().map(|zone| zone.name().to_owned()),
            // RFC 4791 has no precondition against events at the same time.
            accepts_conflicts: Some(true),
        })
    }
}
