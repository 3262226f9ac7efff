//! Use cases for bookings: creating, moving, cancelling and reading them.
//!
//! Checks, occupancy and the run that writes to the provider are committed together: once a booking is returned, its
//! time is blocked; calendars are written afterwards by the run. Two bookings of one user or room never overlap: a
//! booking first locks its participants in a fixed order, and the occupancy table prevents any remaining conflict. A
//! booking belongs to the tenant: every caller with the permission may move and cancel it.

mod check;
mod create;
mod event;
mod follow;
mod input;
mod online;
mod restore;
mod revise;
mod route;

use chrono::Duration;
use domain::{
    Id, Message, TimeRange, Timestamp, ids, may,
    state::{BookingState, ParticipantKind},
};
use entity::booking::Model;
use sea_orm::{ColumnTrait, Condition, DbErr, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

pub use self::{
    event::{build_event, effect_key},
    follow::{FoundEvent, only_news},
    input::{Guest, NewBooking, NewTime},
    online::{awaits_online_meeting, online_meeting_change, online_meeting_removal},
    route::{SERVICE_ACCOUNT_NOTICE, TargetCalendar},
};
use crate::{
    Page, PageArgs, Refusal, Result, System,
    availability::Holder,
    change::OwnEvent,
    page,
    proof::{Allowed, TenantScope},
};

crate::noun! {
    /// Bookings of meetings.
    Bookings
}

/// A booking that was created or is being changed, and the run that makes the change.
#[derive(Debug, Clone, PartialEq)]
pub struct BookingReceipt {
    /// The booking in its current state.
    pub booking: Model,
    /// Identifier of the run that writes the change to the calendar.
    pub run: Id<ids::Run>,
    /// What the organiser should know about the booking, in one sentence.
    pub notice: Option<String>,
}

/// Why a booking was not created or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A participant is busy at the requested time.
    #[error("The time is taken.")]
    SlotTaken(SlotTaken),
    /// Any other failure of the use case.
    #[error(transparent)]
    Other(#[from] crate::Error),
}

/// Conflicts at the requested time, and free alternatives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotTaken {
    /// Participants who are busy; empty if another booking was created for that time at the same moment.
    pub conflicts: Vec<Conflict>,
    /// Up to three free times of the same length on the same day, nearest to the requested time, in chronological
    /// order.
    pub alternatives: Vec<TimeRange>,
}

/// A participant who is busy at the requested time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The user or room that is busy.
    pub holder: Holder,
    /// Kind of conflict: `BUSY` or `TENTATIVE`.
    pub code: &'static str,
    /// Explanation for a person.
    pub message: Message,
}

impl Error {
    /// Stable, machine-readable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SlotTaken(_) => "SLOT_TAKEN",
            Self::Other(error) => error.code(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Other(refusal.into())
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Other(error.into())
    }
}

/// Result of creating, moving or cancelling a booking.
pub type Outcome<T> = std::result::Result<T, Error>;

/// Selects bookings. A booking must match every criterion that is specified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only bookings organised by this user.
    pub organiser: Option<Id<ids::User>>,
    /// Only bookings of this room.
    pub room: Option<Id<ids::Room>>,
    /// Only bookings in which this user takes part, as organiser or otherwise.
    pub participant: Option<Id<ids::User>>,
    /// Only bookings to which the guest with this email address is invited.
    pub guest: Option<String>,
    /// Only bookings that end after this time.
    pub from: Option<Timestamp>,
    /// Only bookings that start before this time.
    pub until: Option<Timestamp>,
    /// Only bookings in this state; `Some(None)` for states that only a newer version supports.
    pub state: Option<Option<BookingState>>,
}

impl Filter {
    /// The conditions that each have to hold for one of a booking's participants.
    fn takes_part(&self) -> Vec<Condition> {
        use entity::booking_participant::Column;
        let room = self.room.map(|room| Condition::all().add(Column::RoomId.eq(room)));
        let user = self.participant.map(|user| Condition::all().add(Column::UserId.eq(user)));
        let guest = self.guest.as_ref().map(|email| {
            let is_guest = Column::Kind.eq(ParticipantKind::Guest.as_str());
            Condition::all().add(is_guest).add(Column::Address.eq(email.trim().to_lowercase()))
        });
        [room, user, guest].into_iter().flatten().collect()
    }
}

/// A booking with all its participants, as needed for writing calendar events.
#[derive(Debug, Clone, PartialEq)]
pub struct BookingDetails {
    /// The booking's own row.
    pub booking: Model,
    /// All participants, the organiser included.
    pub participants: Vec<entity::booking_participant::Model>,
}

/// The time range that a booking at `time` blocks, including its buffers.
pub(crate) fn blocked_range(row: &Model, time: TimeRange) -> TimeRange {
    let minutes = |minutes: i32| Duration::minutes(i64::from(minutes));
    time.widened(minutes(row.buffer_before_minutes), minutes(row.buffer_after_minutes))
}

/// The time range of a booking's meeting.
pub fn time_of(row: &Model) -> TimeRange {
    TimeRange { start: row.start_at, end: row.end_at }
}

impl Bookings {
    /// One booking. Needs `BOOKING_VIEW`.
    pub async fn get(&self, by: &Allowed<may::BookingView>, id: Id<ids::Booking>) -> Result<Model> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let row = entity::booking::by_id(tenant, id).one(&txn).await?;
        row.ok_or_else(|| crate::Error::not_found("booking"))
    }

    /// One page of bookings, oldest first by creation. Needs `BOOKING_VIEW`.
    pub async fn list(
        &self,
        by: &Allowed<may::BookingView>,
        filter: Filter,
        args: PageArgs,
    ) -> Result<Page<Model>> {
        use entity::booking::{Column, of};
        let tenant = by.tenant();
        let mut rows = of(tenant);
        if let Some(organiser) = filter.organiser {
            rows = rows.filter(Column::OrganiserId.eq(organiser));
        }
        for takes_part in filter.takes_part() {
            use entity::booking_participant::{Column as P, of};
            let theirs = of(tenant).filter(takes_part).select_only().column(P::BookingId);
            rows = rows.filter(Column::Id.in_subquery(theirs.into_query()));
        }
        if let Some(from) = filter.from {
            rows = rows.filter(Column::EndAt.gt(from));
        }
        if let Some(until) = filter.until {
            rows = rows.filter(Column::StartAt.lt(until));
        }
        if let Some(state) = filter.state {
            rows = rows.filter(entity::column_equals(Column::State, state));
        }
        let txn = self.services.read(tenant).await?;
        page::read_page(rows, Column::Id, args, &txn).await
    }

    /// The tenant's bookings with these ids, for a data loader.
    pub async fn by_ids(&self, scope: TenantScope, bookings: &[Id<ids::Booking>]) -> Result<Vec<Model>> {
        let txn = self.services.read(scope.tenant()).await?;
        let ids = bookings.iter().copied();
        Ok(entity::booking::by_ids(scope.tenant(), ids).all(&txn).await?)
    }

    /// All participants of these bookings, organisers first, for a data loader.
    pub async fn participants_of(
        &self,
        scope: TenantScope,
        bookings: &[Id<ids::Booking>],
    ) -> Result<Vec<entity::booking_participant::Model>> {
        use entity::booking_participant::{Column, of};
        let txn = self.services.read(scope.tenant()).await?;
        let theirs = Column::BookingId.is_in(bookings.iter().copied());
        Ok(of(scope.tenant()).filter(theirs).order_by_asc(Column::Id).all(&txn).await?)
    }

    /// Moves and cancellations of these bookings, oldest first, for a data loader.
    pub async fn changes_of(
        &self,
        scope: TenantScope,
        bookings: &[Id<ids::Booking>],
    ) -> Result<Vec<entity::booking_change::Model>> {
        use entity::booking_change::{Column, of};
        let txn = self.services.read(scope.tenant()).await?;
        let theirs = Column::BookingId.is_in(bookings.iter().copied());
        Ok(of(scope.tenant()).filter(theirs).order_by_asc(Column::Id).all(&txn).await?)
    }

    /// Returns a booking with its participants; called by workflows.
    pub async fn details(
        &self,
        _by: &System,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Booking>,
    ) -> Result<Option<BookingDetails>> {
        self.with_participants(tenant, id).await
    }

    async fn with_participants(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Booking>,
    ) -> Result<Option<BookingDetails>> {
        use entity::booking_participant::{Column, of};
        let txn = self.services.read(tenant).await?;
        let Some(booking) = entity::booking::by_id(tenant, id).one(&txn).await? else { return Ok(None) };
        let theirs = of(tenant).filter(Column::BookingId.eq(id));
        let participants = theirs.order_by_asc(Column::Id).all(&txn).await?;
        Ok(Some(BookingDetails { booking, participants }))
    }

    /// The event of a booking, to be updated in the stored copies of its participants' calendars: moved to `range`, or
    /// removed if `None`. Called by workflows.
    pub async fn build_own_event(
        &self,
        _by: &System,
        details: &BookingDetails,
        (external_id, uid): (&str, &str),
        range: Option<TimeRange>,
    ) -> Result<OwnEvent> {
        Ok(OwnEvent {
            external_id: external_id.to_owned(),
            uid: uid.to_owned(),
            title: details.booking.title.clone(),
            connections: self.copies(details).await?,
            range,
        })
    }

    /// Connections whose stored calendar copies contain the booking's event.
    async fn copies(&self, details: &BookingDetails) -> Result<Vec<Id<ids::Connection>>> {
        use entity::connection::{Column, of};
        let users = details.participants.iter().filter_map(|one| one.user_id);
        let rooms = details.participants.iter().filter_map(|one| one.room_id);
        let tenant = details.booking.tenant_id;
        let txn = self.services.read(tenant).await?;
        let theirs = Column::UserId.is_in(users).or(Column::RoomId.is_in(rooms));
        let rows = of(tenant).filter(theirs).filter(Column::AsOf.is_not_null()).all(&txn).await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// Whether the booking blocks this time for all its participants; called by workflows.
    pub async fn blocks_time(&self, _by: &System, booking: &Model, time: TimeRange) -> Result<bool> {
        use entity::occupancy::{Column, of};
        let (tenant, blocked) = (booking.tenant_id, blocked_range(booking, time));
        let txn = self.services.read(tenant).await?;
        let held = of(tenant)
            .filter(Column::BookingId.eq(booking.id))
            .filter(Column::StartAt.eq(blocked.start))
            .filter(Column::EndAt.eq(blocked.end));
        Ok(held.one(&txn).await?.is_some())
    }

    /// Unfinished runs of a booking, oldest first. Called by workflows, because only one of these runs may change the
    /// booking at a time.
    pub async fn live_runs(
        &self,
        _by: &System,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Booking>,
    ) -> Result<Vec<entity::run::Model>> {
        let txn = self.services.read(tenant).await?;
        check::live_runs(&txn, tenant, id).await
    }
}
