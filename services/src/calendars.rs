//! Stored copies of calendars: reads a time range of events from the provider and stores the result.
//!
//! A calendar copy is stored with a watermark that the provider issued before the events were read, so that the next
//! query for changes reports concurrent changes. Two concurrent readers each write a copy and its watermark together,
//! one after the other; the copy that remains is consistent.

use domain::{Id, TimeRange, Timestamp, UnreadableItem, UnreadableReason, ids};
use providers::{ChangeCheck, Error, ErrorKind, Event, Provider, Remedy, Session};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, sea_query::Expr};

use crate::{
    Change, Result, Services,
    change::{CalendarCopy, UnchangedCalendar, stored_copy_range as covered},
    connections::chosen_calendars,
    messages,
};

/// Maximum number of events in the time range of a calendar copy; a calendar with more is reported as unreadable.
const MOST_EVENTS: usize = 20_000;
/// Maximum length of a stored watermark in bytes; if it is longer, all events are read every time.
const LONGEST_WATERMARK: usize = 8_000;

/// The time range that calendar copies cover: from yesterday to the horizon, in whole days.
pub fn calendar_copy_range(services: &Services) -> TimeRange {
    let today = services.now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let start = today - chrono::Duration::days(1);
    let horizon = chrono::Duration::from_std(services.settings.horizon).unwrap_or(chrono::Duration::days(60));
    TimeRange { start, end: today + horizon }
}

/// Marks the calendar copies of a user, or of the whole tenant, to be read again even if the provider reports no
/// change, because their time zone has changed.
pub(crate) async fn invalidate_copies(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    user: Option<Id<ids::User>>,
) -> Result<()> {
    use entity::connection::{Column, update};
    let copies = update(tenant).col_expr(Column::Watermark, Expr::value(None::<String>));
    let copies = match user {
        Some(user) => copies.filter(Column::UserId.eq(user)),
        None => copies,
    };
    copies.exec(txn).await?;
    Ok(())
}

/// Brings a calendar copy up to date: queries the provider for changes, and reads all events if there are any, if that
/// cannot be determined, or if the copy's time range has moved. So every calendar is read at least once a day.
pub async fn refresh_copy(
    provider: &dyn Provider,
    session: &Session,
    connection: &entity::connection::Model,
    window: TimeRange,
    as_of: Timestamp,
) -> providers::Result<Change> {
    let asked = connection.watermark.clone();
    let since = ask(provider, session, connection, window).await?;
    let is_copied = covered(connection) == Some(window);
    let id = connection.id;
    match (since, asked) {
        (ChangeCheck::Same(watermark), Some(asked)) if is_copied => {
            let watermark = storable(Some(watermark));
            Ok(Change::UnchangedCalendar(UnchangedCalendar {
                connection: id,
                asked,
                window,
                as_of,
                watermark,
            }))
        }
        (since, _) => {
            let WindowEvents { items, unreadable } = events(provider, session, connection, window).await?;
            let watermark = storable(since.watermark());
            let copy = CalendarCopy { connection: id, window, events: items, unreadable, as_of, watermark };
            Ok(Change::Calendar(Box::new(copy)))
        }
    }
}

/// Reads all events of a mailbox in the time range of calendar copies from the provider. An existing watermark is kept.
pub async fn read_calendar_copy(
    provider: &dyn Provider,
    session: &Session,
    connection: &entity::connection::Model,
    window: TimeRange,
    as_of: Timestamp,
) -> providers::Result<CalendarCopy> {
    let watermark = match connection.watermark {
        Some(_) => ask(provider, session, connection, window).await?.watermark(),
        // The next reading begins to follow: the first one is waited for.
        None => None,
    };
    let WindowEvents { items, unreadable } = events(provider, session, connection, window).await?;
    let watermark = storable(watermark);
    Ok(CalendarCopy { connection: connection.id, window, events: items, unreadable, as_of, watermark })
}

/// Requests the watermark before the events are read. If the provider cannot return one, the events are read
/// nevertheless; throttling and authorisation errors are returned.
async fn ask(
    provider: &dyn Provider,
    session: &Session,
    connection: &entity::connection::Model,
    window: TimeRange,
) -> providers::Result<ChangeCheck> {
    // What a provider tells of changes is about the calendars that count by its own rule.
    if chosen_calendars(connection).is_some() {
        return Ok(ChangeCheck::Changed(None));
    }
    let known = connection.watermark.as_deref();
    match provider.poll_changes(session, &connection.address, window, known).await {
        Err(error) if error.remedy == Remedy::Reconnect || error.kind == ErrorKind::Throttled => Err(error),
        Err(error) => {
            tracing::debug!(code = error.code, connection = %connection.id, "changes cannot be asked for");
            Ok(ChangeCheck::Changed(None))
        }
        answer => answer,
    }
}

/// The watermark, if it is short enough to be stored.
fn storable(watermark: Option<String>) -> Option<String> {
    watermark.filter(|text| text.len() <= LONGEST_WATERMARK)
}

/// The events and unreadable items of a calendar in a time range.
#[derive(Default)]
struct WindowEvents {
    items: Vec<Event>,
    unreadable: Vec<UnreadableItem>,
}

/// Reads the calendars that make the owner busy: those selected by an administrator, otherwise those that the calendar
/// system counts.
async fn events(
    provider: &dyn Provider,
    session: &Session,
    connection: &entity::connection::Model,
    window: TimeRange,
) -> providers::Result<WindowEvents> {
    let mut events = WindowEvents::default();
    let Some(chosen) = chosen_calendars(connection) else {
        pages(provider, session, connection, window, None, &mut events).await?;
        return Ok(events);
    };
    for calendar in chosen {
        match pages(provider, session, connection, window, Some(&calendar), &mut events).await {
            // It was deleted since it was chosen. The others are still read, and somebody has to choose again.
            Err(error) if error.kind == ErrorKind::Gone => {
                let reason = UnreadableReason::NotDelivered;
                events.unreadable.push(UnreadableItem { uid: calendar, reason, blocks: false });
            }
            read => read?,
        }
    }
    Ok(events)
}

async fn pages(
    provider: &dyn Provider,
    session: &Session,
    connection: &entity::connection::Model,
    window: TimeRange,
    calendar: Option<&str>,
    events: &mut WindowEvents,
) -> providers::Result<()> {
    let (mailbox, mut after) = (&connection.address, None::<String>);
    loop {
        let page = match calendar {
            None => provider.events(session, mailbox, window, after.as_deref()).await?,
            Some(id) => provider.events_of(session, mailbox, id, window, after.as_deref()).await?,
        };
        events.items.extend(page.items);
        events.unreadable.extend(page.unreadable);
        after = page.next;
        if events.items.len() > MOST_EVENTS {
            let message = messages::too_many_events();
            return Err(Error::new(ErrorKind::NotServed, Remedy::SkipMailbox, "too_many_events", message));
        }
        if after.is_none() {
            return Ok(());
        }
    }
}
