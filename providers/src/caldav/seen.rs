//! What may be seen of a mailbox: the events of its calendars, or only when they are busy.

use domain::{Busy, TimeRange, Unreadable, UnreadableReason};

use super::{
    collection::Collection,
    free_busy, href,
    locate::{self, Located},
    meaning::{self, Reader},
    read::Found,
    transport::Dav,
};
use crate::{EventPage, FreeBusy, Result};

/// What may be seen of one calendar.
#[derive(Debug)]
pub(super) enum Seen {
    /// Its events.
    Found(Found),
    /// Only when it is busy.
    Busy(Vec<Busy>),
    /// Nothing, although it is the owner's.
    Nothing,
}

/// The calendars of a mailbox, each with what may be seen of it.
pub(super) type AllSeen = Vec<(Collection, Seen)>;

/// For whom a calendar of a mailbox is read.
pub(super) fn reader(dav: &Dav<'_>, place: &Located, mailbox: &str, calendar: &Collection) -> Reader {
    let mut addresses = place.principal.addresses.clone();
    if !place.principal.has(mailbox) {
        addresses.push(mailbox.to_owned());
    }
    Reader { zone: locate::zone(dav, calendar), addresses }
}

/// The mark of a calendar that shows nothing.
fn mark(calendar: &Collection) -> Unreadable {
    let uid = href::id(&calendar.url);
    Unreadable { uid, reason: UnreadableReason::NotDelivered, blocks: false }
}

/// What is seen, as events in order.
pub(super) async fn events(
    dav: &Dav<'_>,
    place: &Located,
    mailbox: &str,
    window: TimeRange,
    seen: AllSeen,
) -> Result<EventPage> {
    let mut page = EventPage::default();
    for (calendar, one) in seen {
        match one {
            Seen::Found(found) => {
                let reader = reader(dav, place, mailbox, &calendar);
                let (events, unreadable) = meaning::events(found, reader, window).await?;
                page.items.extend(events);
                page.unreadable.extend(unreadable);
            }
            Seen::Busy(busy) => {
                page.items.extend(busy.iter().map(|busy| free_busy::event(&calendar.url, busy)));
            }
            Seen::Nothing => page.unreadable.push(mark(&calendar)),
        }
    }
    page.items.sort_by(|one, other| (one.range, &one.id).cmp(&(other.range, &other.id)));
    Ok(page)
}

/// What is seen, as busy times: the union of all calendars.
pub(super) async fn busy(
    dav: &Dav<'_>,
    place: &Located,
    mailbox: &str,
    window: TimeRange,
    seen: AllSeen,
) -> Result<FreeBusy> {
    let mut all = FreeBusy::default();
    for (calendar, one) in seen {
        match one {
            Seen::Found(found) => {
                let reader = reader(dav, place, mailbox, &calendar);
                let (busy, unreadable) = meaning::busy(found, reader, window).await?;
                all.busy.extend(busy);
                all.unreadable.extend(unreadable);
            }
            Seen::Busy(busy) => all.busy.extend(busy),
            Seen::Nothing => all.unreadable.push(mark(&calendar)),
        }
    }
    all.busy = meaning::joined(all.busy);
    Ok(all)
}
