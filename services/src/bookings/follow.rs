//! Keeps bookings true to their events (S7.1 to S7.3): what people do with an event in the calendar is taken over.
//!
//! An event that was deleted makes the booking `MISSING`, which blocks nothing. One that was moved moves the booking,
//! which is `CONFLICTING` if not everybody is free at the new time: it then blocks that time for those who are. The event
//! itself is never touched.

use chrono::Duration;
use domain::{
    AnyId, BusyKind, Id, Reason, TimeRange, ids,
    state::{Answer, BookingChangeKind, BookingState, ConnectionState, Lane},
};
use entity::{booking, connection};
use sea_orm::{
    ColumnTrait, Condition, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, NullOrdering, SelectStatement},
};

use super::{
    BookingDetails, Bookings, Error, Outcome, blocked_range,
    check::{self, SlotRequest},
    online_meeting_removal, time_of,
};
use crate::{
    Change, Result, System, Tx,
    audit::ENGINE_ACTOR,
    availability::{UnreadableItemPolicy, snapshot::CalendarSnapshot},
    change::{BookingChange, OwnEvent},
    integrations, messages,
    run_inputs::{FollowBooking, RunInput},
};

/// Who moves a booking in its history, if its event was moved in the calendar.
const CALENDAR_ACTOR: &str = "calendar";
/// Bookings that begin within this time are compared with their events whenever calendars are read again.
const SOON: Duration = Duration::days(2);
/// How often later bookings are compared with their events, if no change of a calendar was noticed.
const SELDOM: Duration = Duration::hours(1);
/// Workflows that change a booking: it is not compared with its event while one of them works on it.
const CHANGING: [&str; 3] = ["write_booking", "move_booking", "cancel_booking"];

/// What was found of a booking's event in its calendar.
#[derive(Debug, Clone, PartialEq)]
pub enum FoundEvent {
    /// The event was deleted.
    Gone,
    /// The event is in the calendar.
    There {
        /// The provider's id of the event, and its iCalendar UID.
        ids: (String, String),
        /// When the event takes place.
        time: TimeRange,
        /// State, reason and answers that follow from the event if everybody is free at its time.
        standing: Box<BookingChange>,
    },
}

impl Bookings {
    /// Takes over what was found of a booking's event. Changes nothing if the booking is over or has changed since
    /// `seen`, or if a run changes it. Called by workflows.
    pub async fn follow(&self, _by: &System, seen: &BookingDetails, found: &FoundEvent) -> Result<()> {
        match self.retry_on_contention(|| self.follow_once(seen, found)).await {
            Ok(()) => Ok(()),
            Err(Error::Other(error)) => Err(error),
            // Somebody was faster on every attempt.
            Err(Error::SlotTaken(_)) => Err(crate::Error::Overloaded),
        }
    }

    async fn follow_once(&self, seen: &BookingDetails, found: &FoundEvent) -> Outcome<()> {
        let (tenant, id) = (seen.booking.tenant_id, seen.booking.id);
        let mut tx = self.services.begin(tenant).await?;
        check::lock_participants(tx.conn(), &request(seen, time_of(&seen.booking)).participant_ids()).await?;
        let row = booking::by_id(tenant, id).lock_exclusive().one(tx.conn()).await?;
        if row.is_none_or(|row| row.version != seen.booking.version || row.end_at <= tx.now()) {
            return Ok(());
        }
        let live = check::live_runs(tx.conn(), tenant, id).await?;
        if live.iter().any(|run| CHANGING.contains(&run.workflow.as_str())) {
            return Ok(());
        }
        let changes = match found {
            FoundEvent::Gone => self.missing(seen).await?,
            FoundEvent::There { ids, time, standing } => {
                self.standing(&tx, seen, (ids, *time), standing).await?
            }
        };
        booking::update(tenant)
            .filter(booking::Column::Id.eq(id))
            .col_expr(booking::Column::FollowedAt, Expr::value(tx.now()))
            .exec(tx.conn())
            .await?;
        tx.write(ENGINE_ACTOR, changes).await?;
        Ok(tx.commit().await?)
    }

    /// The changes after the event of a booking was deleted: its times are free again.
    async fn missing(&self, seen: &BookingDetails) -> Result<Vec<Change>> {
        let row = &seen.booking;
        if row.state == BookingState::Missing {
            return Ok(Vec::new());
        }
        let reason = Reason::new("EVENT_GONE", messages::event_deleted())
            .with_next_action(messages::restore_or_cancel());
        let mut changes = vec![Change::Booking(BookingChange {
            id: row.id,
            state: Some(BookingState::Missing),
            reason: Some(Some(reason)),
            meeting: online_meeting_removal(row),
            free: true,
            ..BookingChange::default()
        })];
        changes.extend(self.own_event(seen, None).await?);
        Ok(changes)
    }

    /// The changes after the event of a booking was found.
    async fn standing(
        &self,
        tx: &Tx,
        seen: &BookingDetails,
        (ids, time): (&(String, String), TimeRange),
        standing: &BookingChange,
    ) -> Result<Vec<Change>> {
        let row = &seen.booking;
        let is_moved = time != time_of(row);
        let was_lost = matches!(row.state.require()?, BookingState::Missing | BookingState::Conflicting);
        let mut change = BookingChange { id: row.id, ..standing.clone() };
        if is_moved || was_lost {
            // Whatever was said of the event is over.
            change.reason.get_or_insert(None);
            if let Some(reason) = self.take_time(tx, seen, time).await? {
                change.state = Some(BookingState::Conflicting);
                change.reason = Some(Some(reason));
            }
            if is_moved {
                change.time = Some(time);
                change.record = Some((BookingChangeKind::Moved, time_of(row), CALENDAR_ACTOR.to_owned()));
            }
        }
        let known = (row.external_id.as_deref(), row.event_uid.as_deref());
        if known != (Some(&ids.0), Some(&ids.1)) {
            change.event = Some(ids.clone());
        }
        let mut changes: Vec<_> = only_news(seen, change).map(Change::Booking).into_iter().collect();
        if is_moved || row.state == BookingState::Missing {
            changes.extend(self.own_event(seen, Some(time)).await?);
        }
        Ok(changes)
    }

    /// Blocks a time for those participants of a booking who are free then, and nothing else. Returns why the booking is
    /// in conflict; `None` if everybody is free.
    async fn take_time(&self, tx: &Tx, seen: &BookingDetails, time: TimeRange) -> Result<Option<Reason>> {
        use entity::occupancy::{Column, delete};
        let (row, request) = (&seen.booking, request(seen, time));
        let blocked = blocked_range(row, time);
        delete(tx.tenant()).filter(Column::BookingId.eq(row.id)).exec(tx.conn()).await?;
        let snapshot = request.snapshot(&self.services, tx.conn(), tx.tenant(), blocked).await?;
        let (free, taken) = divide(&snapshot, blocked);
        if !free.is_empty() {
            self.insert_occupancy(tx, row.id, &free, blocked).await?;
        }
        let reason = |taken: &[&str]| {
            Reason::new("MOVED_TO_TAKEN_TIME", messages::moved_to_taken_time(taken.join(", ")))
                .with_next_action(messages::move_accept_or_cancel())
        };
        Ok((!taken.is_empty()).then(|| reason(&taken)))
    }

    async fn own_event(&self, seen: &BookingDetails, range: Option<TimeRange>) -> Result<Option<Change>> {
        let row = &seen.booking;
        let (Some(external_id), Some(uid)) = (row.external_id.clone(), row.event_uid.clone()) else {
            return Ok(None);
        };
        let (title, connections) = (row.title.clone(), self.copies(seen).await?);
        Ok(Some(Change::OwnEvent(OwnEvent { external_id, uid, title, connections, range })))
    }

    /// Whether the calendar of a booking may still be read; called by workflows.
    pub async fn is_followable(&self, _by: &System, row: &booking::Model) -> Result<bool> {
        let txn = self.services.read(row.tenant_id).await?;
        let own = booking::by_id(row.tenant_id, row.id);
        let readable = own.filter(Expr::exists(mailbox_left_out(row.tenant_id)).not());
        Ok(readable.one(&txn).await?.is_some())
    }

    /// Enqueues runs that compare bookings with their events, those first that were not compared for the longest time.
    /// Changes of connected calendars are noticed earlier, when they are read; this finds the others, such as those of
    /// service mailboxes. Returns the number of runs.
    pub async fn enqueue_follow_ups(&self, _by: &System, tenant: Id<ids::Tenant>, max: u64) -> Result<usize> {
        use booking::{Column, of};
        let (txn, now) = (self.services.read(tenant).await?, self.services.now());
        let usable = integrations::usable_integrations(&txn, tenant).await?;
        let every = Duration::from_std(self.services.settings.reread_after).unwrap_or(SELDOM);
        let before = |age: Duration| {
            Condition::any().add(Column::FollowedAt.is_null()).add(Column::FollowedAt.lt(now - age))
        };
        let is_due = Condition::any()
            .add(before(SELDOM.max(every)))
            .add(Condition::all().add(Column::StartAt.lt(now + SOON)).add(before(every)));
        let due = of(tenant)
            .filter(Column::State.is_in(BookingState::FOLLOWED.map(BookingState::as_str)))
            .filter(Column::EndAt.gt(now))
            .filter(Column::ExternalId.is_not_null())
            .filter(Column::IntegrationId.is_in(usable))
            .filter(Expr::exists(mailbox_left_out(tenant)).not())
            .filter(is_due)
            .order_by_with_nulls(Column::FollowedAt, sea_orm::Order::Asc, NullOrdering::First)
            .limit(max)
            .select_only()
            .column(Column::Id);
        let due: Vec<Id<ids::Booking>> = due.into_tuple().all(&txn).await?;
        drop(txn);
        let count = due.len();
        if count == 0 {
            return Ok(0);
        }
        let mut tx = self.services.begin(tenant).await?;
        let runs = due.into_iter().map(|booking| RunInput::FollowBooking(FollowBooking { booking }));
        tx.enqueue_runs(runs, "upkeep", Lane::Background).await?;
        tx.commit().await?;
        Ok(count)
    }
}

/// Selects the mailbox of a booking if it is excluded or disconnected: it is not read any more (S6.6).
fn mailbox_left_out(tenant: Id<ids::Tenant>) -> SelectStatement {
    use connection::{Column, Entity, of};
    let is_of_booking = |own: Column, of_booking: booking::Column| {
        Expr::col((Entity, own)).equals((booking::Entity, of_booking))
    };
    of(tenant)
        .filter(Column::State.is_in(ConnectionState::LEFT_OUT.map(ConnectionState::as_str)))
        .filter(is_of_booking(Column::IntegrationId, booking::Column::IntegrationId))
        .filter(is_of_booking(Column::Address, booking::Column::Mailbox))
        .select_only()
        .column(Column::Id)
        .into_query()
}

/// The participants of a booking at a time. Whoever moved the event has seen what cannot be read.
pub(super) fn request(seen: &BookingDetails, time: TimeRange) -> SlotRequest {
    let row = &seen.booking;
    let minutes = |minutes: i32| u32::try_from(minutes).unwrap_or_default();
    SlotRequest {
        users: seen.participants.iter().filter_map(|one| one.user_id).collect(),
        rooms: seen.participants.iter().filter_map(|one| one.room_id).collect(),
        time,
        before: minutes(row.buffer_before_minutes),
        after: minutes(row.buffer_after_minutes),
        zone: row.time_zone.clone(),
        except: Some(row.clone()),
        on_unreadable: UnreadableItemPolicy::Offer,
    }
}

/// Those who are free at a time, and the names of those who are busy.
fn divide(snapshot: &CalendarSnapshot, blocked: TimeRange) -> (Vec<AnyId>, Vec<&str>) {
    let (mut free, mut taken) = (Vec::new(), Vec::new());
    for calendar in snapshot.calendars() {
        let is_taken = |busy: &domain::BusyTime| busy.kind == BusyKind::Busy && busy.range.overlaps(&blocked);
        match calendar.busy.iter().any(is_taken) {
            true => taken.push(calendar.name.as_str()),
            false => free.push(calendar.holder.any()),
        }
    }
    (free, taken)
}

/// What differs from the booking as it is; `None` if nothing does.
pub fn only_news(known: &BookingDetails, change: BookingChange) -> Option<BookingChange> {
    let row = &known.booking;
    let is_new = |(address, answer): &(String, Answer)| {
        let known = known.participants.iter().find(|one| one.address.eq_ignore_ascii_case(address));
        known.is_some_and(|one| one.answer != *answer)
    };
    let stored = integrations::parse_reason(row.reason.as_ref());
    let change = BookingChange {
        id: row.id,
        state: change.state.filter(|state| row.state != *state),
        reason: change.reason.filter(|reason| *reason != stored),
        answers: change.answers.into_iter().filter(is_new).collect(),
        ..change
    };
    let is_nothing = BookingChange { id: row.id, ..BookingChange::default() } == change;
    (!is_nothing).then_some(change)
}
