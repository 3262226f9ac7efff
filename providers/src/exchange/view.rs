//! The calendar items in a time range, as an Exchange calendar view lists them.
//!
//! A view expands series but neither sorts nor pages. A time range with more items than the server returns at once is
//! read in parts, and so is one in which the server cannot read an item; the items are sorted here, and only the items
//! of one page are read with their attendees, which lists do not include.

use std::collections::{HashMap, HashSet};

use chrono::Duration;
use domain::{TimeRange, Timestamp, UnreadableItem, UnreadableReason, Zone};
use futures::future::BoxFuture;

use super::{
    Exchange, PAGE, failure,
    item::{self, ItemId, SeriesRole},
    soap::{self, MESSAGES, TYPES},
    transport::SoapRequest,
};
use crate::{
    Error, ErrorKind, Event, EventPage, Remedy, Result, Session, messages,
    moment::{ParsedItem, Span},
    parts,
    xml::Element,
};

/// Maximum number of items that a calendar view returns.
const VIEW: usize = 1_000;
/// The longest time range of a calendar view; Exchange refuses two years.
const LONGEST: Duration = Duration::days(700);

/// One item of a list.
#[derive(Debug)]
pub(super) struct ListedItem {
    /// The item's id and version.
    pub handle: ItemId,
    /// The time of the item, as far as it is known.
    pub range: TimeRange,
    /// Whether the item is a series, an occurrence of one, or a single item.
    pub place: SeriesRole,
    /// The UID, shared by all occurrences of a series.
    pub uid: String,
    /// The item as described by the list.
    pub outline: ParsedItem,
}

/// The items of a time range of a calendar.
#[derive(Debug, Default)]
pub(super) struct CalendarView {
    /// The items, sorted by start and id; occurrences of series are separate items.
    pub listed: Vec<ListedItem>,
    /// Items without an id or without times, about which nothing more can be requested.
    pub nameless: Vec<ParsedItem>,
    /// The parts of the time range that the server cannot list.
    pub lost: Vec<TimeRange>,
}

impl Exchange {
    /// One page of a calendar's events, sorted by start and id. Items that cannot be sorted, because their id or
    /// times are unknown, are on the first page.
    pub(super) async fn list_events(
        &self,
        session: &Session,
        mailbox: &str,
        folder: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        let after = after.map(|after| cursor(after).ok_or_else(foreign_cursor)).transpose()?;
        // Items that begin before the last item of the previous page were on an earlier page.
        let from = after.as_ref().map_or(window.start, |(start, _)| (*start).max(window.start));
        let Some(rest) = TimeRange::new(from, window.end) else {
            return Ok(EventPage::default());
        };
        let CalendarView { mut listed, nameless, lost } =
            self.read_view(session, mailbox, folder, rest).await?;
        let place = |one: &ListedItem| (one.range.start, one.handle.id.clone());
        listed.retain(|one| after.as_ref().is_none_or(|after| place(one) > *after));
        let next = listed
            .get(PAGE)
            .and(listed.get(PAGE - 1))
            .map(|last| format!("{} {}", last.range.start.timestamp_micros(), last.handle.id));
        listed.truncate(PAGE);
        let series = self.find_series_ids(session, mailbox, &listed).await?;
        let mut page = self.read_listed_events(session, mailbox, listed, &series, window).await?;
        if after.is_none() {
            for reading in nameless.into_iter().chain(lost.into_iter().map(ParsedItem::unreadable_range)) {
                page.add_parsed_item(reading);
            }
        }
        Ok(EventPage { next, ..page })
    }

    /// Reads a whole window.
    pub(super) async fn read_view(
        &self,
        session: &Session,
        mailbox: &str,
        folder: &str,
        window: TimeRange,
    ) -> Result<CalendarView> {
        let whole = match window.duration() > LONGEST {
            true => Err(too_many()),
            false => self.view_part(session, mailbox, folder, window).await,
        };
        let (found, lost) = match whole {
            Err(error) if parts::can_be_split(&error) => {
                let ask =
                    |part| -> BoxFuture<'_, _> { Box::pin(self.view_part(session, mailbox, folder, part)) };
                let parts = parts::read_in_parts(window, error, ask).await?;
                (parts.read.into_iter().flatten().collect(), parts.lost)
            }
            whole => (whole?, Vec::new()),
        };
        let days = session.zone.clone().unwrap_or(Zone::UTC);
        Ok(CalendarView { lost, ..sort_items(&found, &days, window) })
    }

    async fn view_part(
        &self,
        session: &Session,
        mailbox: &str,
        folder: &str,
        part: TimeRange,
    ) -> Result<Vec<Element>> {
        if part.duration() > LONGEST {
            return Err(too_many());
        }
        let end = soap::format_instant(part.end + Duration::milliseconds(999));
        let view = format!(
            r#"<m:CalendarView MaxEntriesReturned="{VIEW}" StartDate="{}" EndDate="{end}"/>"#,
            soap::format_instant(part.start)
        );
        let shape = soap::response_shape("ItemShape", item::LIST_FIELDS, "");
        let (items, is_whole) = self.find_items(session, mailbox, folder, &shape, &view).await?;
        if is_whole { Ok(items) } else { Err(too_many()) }
    }

    /// Executes FindItem in a calendar. Returns the items, and whether the list is complete.
    pub(super) async fn find_items(
        &self,
        session: &Session,
        mailbox: &str,
        folder: &str,
        shape: &str,
        filter: &str,
    ) -> Result<(Vec<Element>, bool)> {
        let body = format!(
            r#"<m:FindItem Traversal="Shallow">{shape}{filter}<m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>"#
        );
        let answer = self.call(session, SoapRequest::new("FindItem", body).in_mailbox(mailbox)).await?;
        let message =
            answer.into_messages().into_iter().next().unwrap_or_else(|| Err(failure::unexpected_response()));
        let mut root =
            message?.take_child(MESSAGES, "RootFolder").ok_or_else(failure::unexpected_response)?;
        let is_whole = root.attribute("IncludesLastItemInRange") != Some("false");
        // A response that counts items but lists none is not usable.
        let count = root.attribute("TotalItemsInView").and_then(|count| count.parse::<u64>().ok());
        match root.take_child(TYPES, "Items") {
            Some(items) => Ok((items.children, is_whole)),
            None if count.unwrap_or_default() > 0 => Err(failure::unexpected_response()),
            None => Ok((Vec::new(), is_whole)),
        }
    }

    /// Reads the events of listed items. If one cannot be read, its time in the list counts as busy; one deleted
    /// meanwhile is left out.
    pub(super) async fn read_listed_events(
        &self,
        session: &Session,
        mailbox: &str,
        listed: Vec<ListedItem>,
        series: &HashMap<String, String>,
        window: TimeRange,
    ) -> Result<EventPage> {
        let days = session.zone.clone().unwrap_or(Zone::UTC);
        let ids: Vec<String> = listed.iter().map(|one| one.handle.id.clone()).collect();
        let read = self.read_items(session, mailbox, &ids).await?;
        let mut page = EventPage::default();
        for (listed, read) in listed.into_iter().zip(read) {
            let belongs = (listed.place == SeriesRole::Occurrence)
                .then(|| series.get(&listed.uid).cloned().unwrap_or_else(|| listed.uid.clone()));
            let reading = match read {
                Ok(None) => ParsedItem::Nothing,
                Ok(Some(read)) => item::parse_item(&read.item, &days, Some(window)),
                Err(error) if concerns_whole_mailbox(&error) => return Err(error),
                Err(_) => busy_from_listed_item(listed),
            };
            let of_series = |event: Box<Event>| Box::new(Event { series: belongs, ..*event });
            page.add_parsed_item(match reading {
                ParsedItem::Event(event) => ParsedItem::Event(of_series(event)),
                ParsedItem::Blocked(event, mark) => ParsedItem::Blocked(of_series(event), mark),
                other => other,
            });
        }
        Ok(page)
    }
}

/// Sorts and classifies the items of a view. Items that only touch the edge of the time range are left out.
pub(super) fn sort_items(items: &[Element], days: &Zone, window: TimeRange) -> CalendarView {
    let mut view = CalendarView::default();
    let mut seen = HashSet::new();
    for item in items {
        let outline = item::parse_item(item, days, Some(window));
        let range = match item::span(item, days, Some(window)) {
            Span::Exact(range) if range.overlaps(&window) => Some(range),
            Span::Widest(range, _) => Some(range),
            Span::Exact(_) | Span::Nothing => continue,
            Span::Unknown(_) => None,
        };
        match (item::item_id(item), range) {
            (Some(handle), Some(range)) if seen.insert(handle.id.clone()) => view.listed.push(ListedItem {
                handle,
                range,
                place: item::series_role(item),
                uid: item::uid(item).to_owned(),
                outline,
            }),
            (Some(_), Some(_)) => {}
            (None, _) | (_, None) => view.nameless.push(outline),
        }
    }
    view.listed.sort_by(|a, b| (a.range.start, &a.handle.id).cmp(&(b.range.start, &b.handle.id)));
    view
}

/// Converts a listed item whose details cannot be read: it counts as busy at the time given in the list.
pub(super) fn busy_from_listed_item(listed: ListedItem) -> ParsedItem {
    let ParsedItem::Event(event) = listed.outline else { return listed.outline };
    match event.busy {
        Some(_) => {
            let mark = UnreadableItem {
                uid: Some(listed.uid).filter(|uid| !uid.is_empty()).unwrap_or_else(|| event.id.clone()),
                reason: UnreadableReason::NotDelivered,
                blocks: true,
            };
            ParsedItem::Blocked(Box::new(Event { private: true, ..*event }), mark)
        }
        None => ParsedItem::Event(Box::new(Event { private: true, ..*event })),
    }
}

/// Whether an error about one item concerns the whole mailbox or is temporary.
pub(super) fn concerns_whole_mailbox(error: &Error) -> bool {
    match error.remedy {
        Remedy::Reconnect => true,
        Remedy::RetryAfter(_) => !parts::can_be_split(error) && error.code != "ErrorInternalServerError",
        _ => false,
    }
}

fn too_many() -> Error {
    let message = messages::exchange_too_many_events();
    Error::new(ErrorKind::NotServed, Remedy::SkipMailbox, "TOO_MANY_EVENTS", message)
}

/// The position at which a page of events ended; `None` for a malformed cursor.
fn cursor(text: &str) -> Option<(Timestamp, String)> {
    let (start, id) = text.split_once(' ')?;
    Some((Timestamp::from_timestamp_micros(start.parse().ok()?)?, id.to_owned()))
}

fn foreign_cursor() -> Error {
    let message = messages::exchange_position_of_another_calendar();
    Error::new(ErrorKind::Invalid, Remedy::Resync, "FOREIGN_CURSOR", message)
}
