//! Writes stored calendar copies: events and busy bitmaps, consistent within one transaction.

use domain::{
    BusyKind, Id, TimeRange, Timestamp, UnreadableItem,
    bitmap::Bitmap,
    ids,
    state::{Answer, BookingState, ConnectionState, Lane},
};
use providers::Event;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, LockType, OnConflict},
};

use super::{Writer, integrations::stored_copy_range, unreadable_summary::UnreadableSummary};
use crate::{
    Result,
    bookings::time_of,
    events::topic,
    run_inputs::{FollowBooking, RunInput},
};

/// Minutes represented by one bit of a busy bitmap.
pub const GRID_MINUTES: u32 = 5;

/// Title shown for an event whose details may not be read.
const HIDDEN_TITLE: &str = "Busy";

/// Newly read events of a calendar, which replace the stored ones.
#[derive(Debug, Clone, PartialEq)]
pub struct CalendarCopy {
    /// Connection whose calendar was read.
    pub connection: Id<ids::Connection>,
    /// The time range that was read.
    pub window: TimeRange,
    /// Events that overlap the time range.
    pub events: Vec<Event>,
    /// Items that cannot be read.
    pub unreadable: Vec<UnreadableItem>,
    /// When reading began: the copy is at least as new as this time.
    pub as_of: Timestamp,
    /// Watermark obtained before reading, with which the provider reports changes made during the reading.
    pub watermark: Option<String>,
}

/// Confirms that a calendar has not changed since its copy was read, so that the copy counts as newly read.
#[derive(Debug, Clone, PartialEq)]
pub struct UnchangedCalendar {
    /// Connection whose calendar was checked.
    pub connection: Id<ids::Connection>,
    /// Watermark used for the query. It identifies the stored copy; any other copy is left unchanged.
    pub asked: String,
    /// The time range that the stored copy covers.
    pub window: TimeRange,
    /// When the provider was queried.
    pub as_of: Timestamp,
    /// Watermark for the next query.
    pub watermark: Option<String>,
}

impl Writer<'_> {
    pub(super) async fn store_copy(&mut self, copy: CalendarCopy) -> Result<()> {
        use entity::{calendar_event, connection};
        // First, because it locks the calendar: its bitmap is drawn from all its events, so one writer at a time. Nothing
        // is kept of a mailbox that was excluded or lost its user while it was read.
        let left_out = ConnectionState::LEFT_OUT.map(ConnectionState::as_str);
        let stored = connection::update(self.tenant)
            .filter(connection::Column::Id.eq(copy.connection))
            .filter(connection::Column::State.is_not_in(left_out))
            .col_expr(connection::Column::AsOf, Expr::value(copy.as_of))
            .col_expr(connection::Column::ReadFrom, Expr::value(copy.window.start))
            .col_expr(connection::Column::ReadUntil, Expr::value(copy.window.end))
            .col_expr(connection::Column::Watermark, Expr::value(copy.watermark.clone()))
            .exec(self.txn)
            .await?;
        if stored.rows_affected == 0 {
            return Ok(());
        }
        calendar_event::delete(self.tenant)
            .filter(calendar_event::Column::ConnectionId.eq(copy.connection))
            .exec(self.txn)
            .await?;
        self.succeeded(copy.connection, Some(&UnreadableSummary::from_items(&copy.unreadable))).await?;
        let rows: Vec<_> = copy.events.iter().map(|event| self.copied(copy.connection, event)).collect();
        for rows in rows.chunks(200) {
            calendar_event::Entity::insert_many(rows.to_vec()).exec_without_returning(self.txn).await?;
        }
        self.rebuild_bitmap(copy.connection, copy.window).await?;
        self.compare_bookings(&copy).await
    }

    /// Enqueues runs for the bookings in this calendar that differ from their events in the copy, or whose events are
    /// not in it: the run asks the provider for the event itself.
    async fn compare_bookings(&mut self, copy: &CalendarCopy) -> Result<()> {
        use entity::{booking::Column, connection};
        let mailbox = connection::by_id(self.tenant, copy.connection);
        let theirs = |column: connection::Column| mailbox.clone().select_only().column(column).into_query();
        let bookings = entity::booking::of(self.tenant)
            .filter(Column::Mailbox.in_subquery(theirs(connection::Column::Address)))
            .filter(Column::IntegrationId.in_subquery(theirs(connection::Column::IntegrationId)))
            .filter(Column::EndAt.gt(self.at))
            .filter(Column::StartAt.lt(copy.window.end))
            .filter(Column::State.is_in(BookingState::FOLLOWED.map(BookingState::as_str)))
            .filter(Column::ExternalId.is_not_null())
            .all(self.txn)
            .await?;
        let participants = match bookings.is_empty() {
            true => Vec::new(),
            false => self.participants_of(&bookings).await?,
        };
        for row in bookings {
            let is_of = |event: &&Event| {
                Some(&event.id) == row.external_id.as_ref() || Some(&event.uid) == row.event_uid.as_ref()
            };
            let is_missing = row.state == BookingState::Missing;
            let differs = match copy.events.iter().find(is_of) {
                Some(event) => {
                    let theirs = participants.iter().filter(|one| one.booking_id == row.id);
                    is_missing || event.range != time_of(&row) || has_new_answer(event, theirs)
                }
                None => !is_missing,
            };
            if differs {
                let order = RunInput::FollowBooking(FollowBooking { booking: row.id });
                self.enqueue(order, Lane::Background).await?;
            }
        }
        Ok(())
    }

    async fn participants_of(
        &self,
        bookings: &[entity::booking::Model],
    ) -> Result<Vec<entity::booking_participant::Model>> {
        use entity::booking_participant::{Column, of};
        let ids = bookings.iter().map(|row| row.id);
        Ok(of(self.tenant).filter(Column::BookingId.is_in(ids)).all(self.txn).await?)
    }

    /// Records a successful access to a mailbox, which ends its series of failures. After a full read, the unreadable
    /// items are recorded too. The connection is written only if something differs.
    async fn succeeded(
        &mut self,
        connection: Id<ids::Connection>,
        mark: Option<&UnreadableSummary>,
    ) -> Result<()> {
        use entity::connection::{Column, update};
        let mut differs = Condition::any().add(Column::FailingCode.is_not_null());
        let mut statement = update(self.tenant)
            .filter(Column::Id.eq(connection))
            .col_expr(Column::FailingSince, Expr::value(None::<Timestamp>))
            .col_expr(Column::FailingCode, Expr::value(None::<String>))
            .col_expr(Column::Failures, Expr::value(0))
            .col_expr(Column::RetryAt, Expr::value(None::<Timestamp>))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1));
        if let Some(mark) = mark {
            differs = differs
                .add(Column::UnreadableCount.ne(mark.count))
                .add(Column::UnknownCount.ne(mark.unknown))
                .add(Column::Unreadable.ne(mark.examples.clone()));
            statement = statement
                .col_expr(Column::UnreadableCount, Expr::value(mark.count))
                .col_expr(Column::UnknownCount, Expr::value(mark.unknown))
                .col_expr(Column::Unreadable, Expr::value(mark.examples.clone()));
        }
        if statement.filter(differs).exec(self.txn).await?.rows_affected > 0 {
            self.add_event(topic::CONNECTION, connection);
        }
        Ok(())
    }

    /// Marks a calendar copy as up to date, unless another copy, or an event written by Muster, has been stored since
    /// the provider was queried.
    pub(super) async fn confirm_unchanged(&mut self, same: UnchangedCalendar) -> Result<()> {
        use entity::connection::{Column, update};
        update(self.tenant)
            .filter(Column::Id.eq(same.connection))
            .filter(Column::Watermark.eq(same.asked))
            .filter(Column::ReadFrom.eq(same.window.start))
            .filter(Column::ReadUntil.eq(same.window.end))
            .filter(Column::AsOf.lt(same.as_of))
            .col_expr(Column::AsOf, Expr::value(same.as_of))
            .col_expr(Column::Watermark, Expr::value(same.watermark))
            .exec(self.txn)
            .await?;
        self.succeeded(same.connection, None).await
    }

    /// Marks calendar copies to which Muster has added its own events, so that they are next read in full whatever the
    /// provider reports.
    pub(super) async fn mark_copies_for_reread(&mut self, connections: &[Id<ids::Connection>]) -> Result<()> {
        use entity::connection::{Column, update};
        update(self.tenant)
            .filter(Column::Id.is_in(connections.iter().copied()))
            .col_expr(Column::Watermark, Expr::value(None::<String>))
            .exec(self.txn)
            .await?;
        Ok(())
    }

    fn copied(&self, connection: Id<ids::Connection>, event: &Event) -> calendar_event::ActiveModel {
        calendar_event::ActiveModel {
            id: Set(self.services.ids.make()),
            tenant_id: Set(self.tenant),
            connection_id: Set(connection),
            external_id: Set(event.id.clone()),
            uid: Set(event.uid.clone()),
            title: Set(event.title.clone().unwrap_or_else(|| HIDDEN_TITLE.to_owned())),
            private: Set(event.private),
            start_at: Set(event.range.start),
            end_at: Set(event.range.end),
            all_day: Set(event.all_day),
            busy: Set(event.busy.map(Into::into)),
        }
    }

    /// Recomputes both bitmaps of a calendar, busy and tentative, from its events.
    pub(super) async fn rebuild_bitmap(
        &mut self,
        connection: Id<ids::Connection>,
        window: TimeRange,
    ) -> Result<()> {
        use entity::{busy_bitmap, calendar_event};
        let events = calendar_event::of(self.tenant)
            .filter(calendar_event::Column::ConnectionId.eq(connection))
            .filter(calendar_event::Column::Busy.is_not_null())
            .all(self.txn)
            .await?;
        for plane in [BusyKind::Busy, BusyKind::Tentative] {
            let taken = events.iter().filter(|event| event.busy.as_ref().is_some_and(|busy| *busy == plane));
            let ranges = taken.filter_map(|event| TimeRange::new(event.start_at, event.end_at));
            let bits = Bitmap::from_busy(window, GRID_MINUTES, ranges).to_bytes();
            let row = busy_bitmap::ActiveModel {
                tenant_id: Set(self.tenant),
                connection_id: Set(connection),
                plane: Set(plane.into()),
                bits: Set(bits),
            };
            let key = [
                busy_bitmap::Column::TenantId,
                busy_bitmap::Column::ConnectionId,
                busy_bitmap::Column::Plane,
            ];
            busy_bitmap::Entity::insert(row)
                .on_conflict(OnConflict::columns(key).update_column(busy_bitmap::Column::Bits).to_owned())
                .exec_without_returning(self.txn)
                .await?;
        }
        Ok(())
    }

    /// Locks connections in a fixed order, so that each writer sees the events of the previous one.
    pub(super) async fn lock_connections(
        &self,
        connections: &[Id<ids::Connection>],
    ) -> Result<Vec<entity::connection::Model>> {
        use entity::connection::{Column, by_ids};
        let rows = by_ids(self.tenant, connections.iter().copied())
            .order_by_asc(Column::Id)
            .lock(LockType::NoKeyUpdate);
        Ok(rows.all(self.txn).await?)
    }

    /// Recomputes the bitmaps of calendars in which an event written by Muster changed.
    pub(super) async fn rebuild_bitmaps(
        &mut self,
        connections: Vec<entity::connection::Model>,
    ) -> Result<()> {
        for connection in connections {
            if let Some(window) = stored_copy_range(&connection) {
                self.rebuild_bitmap(connection.id, window).await?;
            }
        }
        Ok(())
    }
}

/// Whether a participant has answered otherwise than is recorded. A list of events need not show attendees.
fn has_new_answer<'a>(
    event: &Event,
    mut recorded: impl Iterator<Item = &'a entity::booking_participant::Model>,
) -> bool {
    recorded.any(|one| {
        let listed =
            event.attendees.iter().find(|listed| listed.party.address.eq_ignore_ascii_case(&one.address));
        listed.is_some_and(|listed| listed.answer != Answer::None && one.answer != listed.answer)
    })
}

use entity::calendar_event;
