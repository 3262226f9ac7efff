//! Copies of calendars: reading a window from the provider, and what was read.

use domain::{Allowed, TimeRange, Timestamp};
use providers::{Error, ErrorKind, Event, Provider, Remedy, Session};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::{Result, Services, change::CalendarCopy};

/// A calendar with more events than this in its window is not believed: something is wrong with it.
const MOST_EVENTS: usize = 20_000;

crate::noun! {
    /// Copies of calendars.
    Calendars
}

impl Calendars {
    /// The events of a mailbox that overlap a window, as they were last read.
    pub async fn events(
        &self,
        by: &Allowed,
        connection: Uuid,
        window: TimeRange,
    ) -> Result<Vec<entity::calendar_event::Model>> {
        use entity::calendar_event::{Column, of};
        let tenant = by.tenant().uuid();
        let txn = self.services.store.read(tenant).await?;
        let rows = of(tenant)
            .filter(Column::ConnectionId.eq(connection))
            .filter(Column::StartAt.lt(window.end))
            .filter(Column::EndAt.gt(window.start));
        Ok(rows.order_by_asc(Column::StartAt).all(&txn).await?)
    }

    /// Connections of usable integrations whose copy is older than wished, oldest first.
    pub async fn outdated(&self, tenant: Uuid, max: usize) -> Result<Vec<entity::connection::Model>> {
        use entity::connection::{Column, of};
        let txn = self.services.store.read(tenant).await?;
        let before = self.services.now() - self.services.settings.reread_after;
        let old = Condition::any().add(Column::AsOf.is_null()).add(Column::AsOf.lt(before));
        let rows = of(tenant)
            .filter(Column::State.is_in(["ACTIVE", "FREE_BUSY_ONLY"]))
            .filter(old)
            .order_by_asc(Column::AsOf)
            .limit(max as u64)
            .all(&txn)
            .await?;
        Ok(rows)
    }
}

/// The window that copies cover: from yesterday to the horizon, on whole days.
pub fn window(services: &Services) -> TimeRange {
    let today = services.now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let start = today - chrono::Duration::days(1);
    let horizon = chrono::Duration::from_std(services.settings.horizon).unwrap_or(chrono::Duration::days(60));
    TimeRange { start, end: today + horizon }
}

/// Reads a mailbox's whole window from the provider.
pub async fn read(
    provider: &dyn Provider,
    session: &Session,
    connection: &entity::connection::Model,
    window: TimeRange,
    as_of: Timestamp,
) -> providers::Result<CalendarCopy> {
    let mut events: Vec<Event> = Vec::new();
    let mut after = None;
    loop {
        let page = provider.events(session, &connection.address, window, after.as_deref()).await?;
        events.extend(page.items);
        after = page.next;
        if events.len() > MOST_EVENTS {
            let message = "This calendar holds more events than can be read.";
            return Err(Error::new(ErrorKind::NotServed, Remedy::SkipMailbox, "too_many_events", message));
        }
        if after.is_none() {
            return Ok(CalendarCopy { connection: connection.id, window, events, as_of });
        }
    }
}
