//! What the account can read from a mailbox: the events of its calendars, or only busy times.

use domain::{Busy, TimeRange, Unreadable, UnreadableReason};

use super::{
    collection::Collection,
    free_busy, href,
    interpret::{self, Reader},
    locate::{self, Located},
    read::ReadResources,
    transport::DavClient,
};
use crate::{EventPage, FreeBusy, Result};

/// What the account can read of one calendar.
#[derive(Debug)]
pub(super) enum CalendarView {
    /// All events, as iCalendar resources.
    Events(ReadResources),
    /// Only the busy times are readable.
    Busy(Vec<Busy>),
    /// Nothing can be read, although the calendar belongs to the owner.
    Nothing,
}

/// The calendars of a mailbox, each with its readable content.
pub(super) type CalendarViews = Vec<(Collection, CalendarView)>;

/// The owner's zone and addresses, for interpreting a calendar of a mailbox.
pub(super) fn reader(dav: &DavClient<'_>, place: &Located, mailbox: &str, calendar: &Collection) -> Reader {
    let mut addresses = place.principal.addresses.clone();
    if !place.principal.has(mailbox) {
        addresses.push(mailbox.to_owned());
    }
    Reader { zone: locate::zone(dav, calendar), addresses }
}

/// The entry for a calendar from which nothing can be read.
fn mark(calendar: &Collection) -> Unreadable {
    let uid = href::id(&calendar.url);
    Unreadable { uid, reason: UnreadableReason::NotDelivered, blocks: false }
}

/// The readable content of all calendars as events, in order.
pub(super) async fn events(
    dav: &DavClient<'_>,
    place: &Located,
    mailbox: &str,
    window: TimeRange,
    seen: CalendarViews,
) -> Result<EventPage> {
    let mut page = EventPage::default();
    for (calendar, one) in seen {
        match one {
            CalendarView::Events(found) => {
                let reader = reader(dav, place, mailbox, &calendar);
                let (events, unreadable) = interpret::events(found, reader, window).await?;
                page.items.extend(events);
                page.unreadable.extend(unreadable);
            }
            CalendarView::Busy(busy) => {
                page.items.extend(busy.iter().map(|busy| free_busy::event(&calendar.url, busy)));
            }
            CalendarView::Nothing => page.unreadable.push(mark(&calendar)),
        }
    }
    page.items.sort_by(|one, other| (one.range, &one.id).cmp(&(other.range, &other.id)));
    Ok(page)
}

/// The readable content of all calendars as busy times.
pub(super) async fn busy(
    dav: &DavClient<'_>,
    place: &Located,
    mailbox: &str,
    window: TimeRange,
    seen: CalendarViews,
) -> Result<FreeBusy> {
    let mut all = FreeBusy::default();
    for (calendar, one) in seen {
        match one {
            CalendarView::Events(found) => {
                let reader = reader(dav, place, mailbox, &calendar);
                let (busy, unreadable) = interpret::busy(found, reader, window).await?;
                all.busy.extend(busy);
                all.unreadable.extend(unreadable);
            }
            CalendarView::Busy(busy) => all.busy.extend(busy),
            CalendarView::Nothing => all.unreadable.push(mark(&calendar)),
        }
    }
    all.busy = interpret::merge_adjacent(all.busy);
    Ok(all)
}
