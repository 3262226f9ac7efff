//! Writes changes of bookings: the responses of attendees, the occupancy, and the events in stored calendar copies.

use domain::{
    Id, Reason, TimeRange, WrittenVia, ids,
    state::{Answer, BookingChangeKind, BookingState, OnlineMeetingState},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};

use super::{Writer, reason_to_json};
use crate::{Result, events::topic};

/// A change of a booking; fields that are `None` or empty leave the stored value unchanged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BookingChange {
    /// Identifier of the booking.
    pub id: Id<ids::Booking>,
    /// New state.
    pub state: Option<BookingState>,
    /// New reason; `Some(None)` removes it.
    pub reason: Option<Option<Reason>>,
    /// The calendar to which the booking is written; selected once for each booking.
    pub via: Option<WriteTarget>,
    /// The written event: its id at the provider and its iCalendar UID.
    pub event: Option<(String, String)>,
    /// The online meeting: its join URL, or `Some(None)` if there is none.
    pub meeting: Option<Option<String>>,
    /// New time of the booking. Occupancy of any other time is released.
    pub time: Option<TimeRange>,
    /// Responses of attendees, by email address.
    pub answers: Vec<(String, Answer)>,
    /// Whether to release all occupancy of the booking.
    pub free: bool,
    /// An entry for the booking's history: the kind of change, the former time, and the actor.
    pub record: Option<(BookingChangeKind, TimeRange, String)>,
}

/// The calendar to which a booking is written.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteTarget {
    /// Whether the calendar belongs to the organiser or to a service mailbox.
    pub written_via: WrittenVia,
    /// The integration that gives access to the calendar.
    pub integration: Id<ids::Integration>,
    /// The service account, if the calendar belongs to one.
    pub service_account: Option<Id<ids::ServiceAccount>>,
    /// Email address of the mailbox that contains the calendar.
    pub mailbox: String,
}

/// An event written by Muster, to be updated in the stored copies of the calendars that contain it.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnEvent {
    /// The provider's id of the event, in the calendar to which it was written.
    pub external_id: String,
    /// UID of the event in iCalendar.
    pub uid: String,
    /// Title of the event in the participants' calendars.
    pub title: String,
    /// Connections whose calendars contain the event.
    pub connections: Vec<Id<ids::Connection>>,
    /// Time of the event; `None` removes the event.
    pub range: Option<TimeRange>,
}

impl Writer<'_> {
    pub(super) async fn write_booking(&mut self, change: BookingChange) -> Result<()> {
        use entity::booking::{Column, update};
        let mut statement = update(self.tenant)
            .filter(Column::Id.eq(change.id))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1));
        if let Some(state) = change.state {
            statement = statement
                .col_expr(Column::State, Expr::value(state.as_str()))
                .col_expr(Column::Since, Expr::value(self.at));
        }
        if let Some(reason) = change.reason {
            statement = statement.col_expr(Column::Reason, Expr::value(reason_to_json(reason)));
        }
        if let Some(via) = change.via {
            statement = statement
                .col_expr(Column::WrittenVia, Expr::value(via.written_via.as_str()))
                .col_expr(Column::IntegrationId, Expr::value(via.integration))
                .col_expr(Column::ServiceAccountId, Expr::value(via.service_account))
                .col_expr(Column::Mailbox, Expr::value(via.mailbox));
        }
        if let Some((id, uid)) = change.event {
            statement = statement
                .col_expr(Column::ExternalId, Expr::value(id))
                .col_expr(Column::EventUid, Expr::value(uid));
        }
        if let Some(url) = change.meeting {
            let state =
                if url.is_some() { OnlineMeetingState::Ready } else { OnlineMeetingState::Unavailable };
            statement = statement
                .col_expr(Column::OnlineMeeting, Expr::value(state.as_str()))
                .col_expr(Column::OnlineMeetingUrl, Expr::value(url));
        }
        if let Some(time) = change.time {
            statement = statement
                .col_expr(Column::StartAt, Expr::value(time.start))
                .col_expr(Column::EndAt, Expr::value(time.end));
        }
        statement.exec(self.txn).await?;
        if let Some(time) = change.time {
            self.keep_only(change.id, time).await?;
        }
        if change.free {
            self.free(change.id).await?;
        }
        self.answers(change.id, change.answers).await?;
        if let Some((what, old, by_whom)) = change.record {
            self.record(change.id, what, old, by_whom).await?;
        }
        self.add_event(topic::BOOKING, change.id);
        Ok(())
    }

    /// Releases the time that the booking blocks outside `time` and its buffers.
    async fn keep_only(&self, booking: Id<ids::Booking>, time: TimeRange) -> Result<()> {
        use entity::occupancy::{Column, delete};
        let row = entity::booking::by_id(self.tenant, booking).one(self.txn).await?;
        let Some(row) = row else { return Ok(()) };
        let blocked = crate::bookings::blocked_range(&row, time);
        delete(self.tenant)
            .filter(Column::BookingId.eq(booking))
            .filter(Column::StartAt.ne(blocked.start).or(Column::EndAt.ne(blocked.end)))
            .exec(self.txn)
            .await?;
        Ok(())
    }

    async fn free(&self, booking: Id<ids::Booking>) -> Result<()> {
        use entity::occupancy::{Column, delete};
        delete(self.tenant).filter(Column::BookingId.eq(booking)).exec(self.txn).await?;
        Ok(())
    }

    async fn answers(&self, booking: Id<ids::Booking>, answers: Vec<(String, Answer)>) -> Result<()> {
        use entity::booking_participant::{Column, update};
        for (address, answer) in answers {
            update(self.tenant)
                .filter(Column::BookingId.eq(booking))
                .filter(Column::Address.eq(address.to_lowercase()))
                .col_expr(Column::Answer, Expr::value(answer.as_str()))
                .exec(self.txn)
                .await?;
        }
        Ok(())
    }

    async fn record(
        &self,
        booking: Id<ids::Booking>,
        what: BookingChangeKind,
        old: TimeRange,
        by_whom: String,
    ) -> Result<()> {
        let row = entity::booking_change::ActiveModel {
            id: Set(self.services.ids.make()),
            tenant_id: Set(self.tenant),
            booking_id: Set(booking),
            what: Set(what.into()),
            old_start: Set(old.start),
            old_end: Set(old.end),
            by_whom: Set(by_whom),
            at: Set(self.at),
        };
        entity::booking_change::Entity::insert(row).exec_without_returning(self.txn).await?;
        Ok(())
    }

    pub(super) async fn write_own_event(&mut self, event: OwnEvent) -> Result<()> {
        use entity::calendar_event::{Column, delete};
        let calendars = self.lock_connections(&event.connections).await?;
        self.mark_copies_for_reread(&event.connections).await?;
        delete(self.tenant)
            .filter(Column::ConnectionId.is_in(event.connections.iter().copied()))
            .filter(Column::Uid.eq(event.uid.clone()))
            .exec(self.txn)
            .await?;
        if let Some(range) = event.range {
            let rows = event.connections.iter().map(|connection| entity::calendar_event::ActiveModel {
                id: Set(self.services.ids.make()),
                tenant_id: Set(self.tenant),
                connection_id: Set(*connection),
                external_id: Set(event.external_id.clone()),
                uid: Set(event.uid.clone()),
                title: Set(event.title.clone()),
                private: Set(false),
                start_at: Set(range.start),
                end_at: Set(range.end),
                all_day: Set(false),
                busy: Set(Some(domain::BusyKind::Busy.into())),
            });
            let rows: Vec<_> = rows.collect();
            if !rows.is_empty() {
                entity::calendar_event::Entity::insert_many(rows).exec_without_returning(self.txn).await?;
            }
        }
        self.rebuild_bitmaps(calendars).await
    }
}
