//! What the account can read from a mailbox: the events of its calendars, or only busy times.

use domain::{BusyTime, TimeRange, UnreadableItem, UnreadableReason};

use super::{
    collection::Collection,
    free_busy, href,
    interpret::{self, CalendarOwner},
    locate::{self, LocatedMailbox},
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
    Busy(Vec<BusyTime>),
    /// Nothing can be read, although the calendar belongs to the owner.
    Nothing,
}

/// The calendars of a mailbox, each with its readable content.
pub(super) type CalendarViews = Vec<(Collection, CalendarView)>;

/// The owner's time zone and email addresses, for interpreting a calendar of a mailbox.
pub(super) fn calendar_owner(
    dav: &DavClient<'_>,
    place: &LocatedMailbox,
    mailbox: &str,
    calendar: &Collection,
) -> CalendarOwner {
    let mut addresses = place.principal.addresses.clone();
    if !place.principal.has_address(mailbox) {
        addresses.push(mailbox.to_owned());
    }
    CalendarOwner { zone: locate::calendar_zone(dav, calendar), addresses }
}

/// The result for a calendar from which nothing can be read.
fn mark(calendar: &Collection) -> UnreadableItem {
    let uid = href::resource_id(&calendar.url);
    UnreadableItem { uid, reason: UnreadableReason::NotDelivered, blocks: false }
}

/// The readable content of all calendars as events, in order.
pub(super) async fn read_events(
    dav: &DavClient<'_>,
    place: &LocatedMailbox,
    mailbox: &str,
    window: TimeRange,
    seen: CalendarViews,
) -> Result<EventPage> {
    let mut page = EventPage::default();
    for (calendar, one) in seen {
        match one {
            CalendarView::Events(found) => {
                let reader = calendar_owner(dav, place, mailbox, &calendar);
                let (events, unreadable) = interpret::to_events(found, reader, window).await?;
                page.items.extend(events);
                page.unreadable.extend(unreadable);
            }
            CalendarView::Busy(busy) => {
                page.items.extend(busy.iter().map(|busy| free_busy::busy_event(&calendar.url, busy)));
            }
            CalendarView::Nothing => page.unreadable.push(mark(&calendar)),
        }
    }
    page.items.sort_by(|one, other| (one.range, &one.id).cmp(&(other.range, &other.id)));
    Ok(page)
}

/// The readable content of all calendars as busy times.
pub(super) async fn read_busy(
    dav: &DavClient<'_>,
    place: &LocatedMailbox,
    mailbox: &str,
    window: TimeRange,
    seen: CalendarViews,
) -> Result<FreeBusy> {
    let mut all = FreeBusy::default();
    for (calendar, one) in seen {
        match one {
            CalendarView::Events(found) => {
                let reader = calendar_owner(dav, place, mailbox, &calendar);
                let (busy, unreadable) = interpret::to_busy_times(found, reader, window).await?;
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
