//! Checks whether a time can be booked: locks the participants, and finds unknown calendars, conflicts and alternative
//! times.

use std::num::NonZeroU32;

use chrono::Duration;
use domain::{
    AnyId, BusyKind, Id, TimeRange, Timestamp, ids,
    slots::{self, Participant, Participants},
};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseBackend, QueryFilter, QueryOrder, Statement};

use super::{Conflict, Outcome, SlotTaken};
use crate::{
    Refusal, Result, Services,
    availability::{
        Holder, UnreadableItemPolicy, describe_busy, parse_zone,
        snapshot::{self, Calendar, CalendarSnapshot, RoomScope, SnapshotScope, UnknownCause},
    },
    messages,
};

/// Maximum number of alternative times offered.
const ALTERNATIVES: usize = 3;
/// Interval between the starts of two candidate alternatives, in minutes.
const STEP_MINUTES: u32 = 15;

/// The participants and time requested for a booking.
#[derive(Debug, Clone)]
pub(super) struct SlotRequest {
    /// Participating users.
    pub users: Vec<Id<ids::User>>,
    /// Participating rooms.
    pub rooms: Vec<Id<ids::Room>>,
    /// The requested time, without buffers.
    pub time: TimeRange,
    /// Time blocked before the meeting, in minutes.
    pub before: u32,
    /// Time blocked after the meeting, in minutes.
    pub after: u32,
    /// The time zone whose local day limits the alternatives.
    pub zone: String,
    /// The booking that is being moved, whose own occupancy is ignored.
    pub except: Option<entity::booking::Model>,
    /// How to treat unreadable calendar items whose times are unknown.
    pub on_unreadable: UnreadableItemPolicy,
}

impl SlotRequest {
    /// The requested time with its buffers.
    pub fn blocked_range(&self) -> TimeRange {
        let minutes = |minutes: u32| Duration::minutes(i64::from(minutes));
        self.time.widened(minutes(self.before), minutes(self.after))
    }

    /// Ids of all participants, in the fixed order in which they are locked.
    pub fn participant_ids(&self) -> Vec<AnyId> {
        let users = self.users.iter().map(|id| id.any());
        let mut holders: Vec<AnyId> = users.chain(self.rooms.iter().map(|id| id.any())).collect();
        holders.sort_unstable();
        holders.dedup();
        holders
    }

    /// Reads a snapshot of the participants' calendars in a time range, with exact times.
    pub async fn snapshot(
        &self,
        services: &Services,
        txn: &impl ConnectionTrait,
        tenant: Id<ids::Tenant>,
        reach: TimeRange,
    ) -> Result<CalendarSnapshot> {
        let rooms = RoomScope::These(&self.rooms);
        let (exact, tentative_is_busy) = (true, true);
        let except = self.except.as_ref();
        let (users, on_unreadable) = (&self.users[..], self.on_unreadable);
        let wanted = SnapshotScope { users, rooms, reach, exact, except, tentative_is_busy, on_unreadable };
        snapshot::load(services, txn, tenant, wanted).await
    }
}

/// Locks the participants until this transaction ends, so that other bookings of the same participants wait. Not needed
/// on SQLite, which has a single writer. Without the lock, bursts of requests would cause deadlocks on the exclusion
/// constraint.
pub(super) async fn lock_participants(txn: &impl ConnectionTrait, holders: &[AnyId]) -> Result<()> {
    if txn.get_database_backend() != DatabaseBackend::Postgres {
        return Ok(());
    }
    let list = holders.iter().map(|holder| holder.uuid().to_string()).collect::<Vec<_>>().join(",");
    // OFFSET 0 keeps the planner from merging the sorted part away.
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended(holder, 0)) FROM (
                   SELECT holder FROM unnest(string_to_array($1, ',')) WITH ORDINALITY AS h (holder, n)
                   ORDER BY n OFFSET 0
               ) sorted";
    txn.query_all_raw(Statement::from_sql_and_values(DatabaseBackend::Postgres, sql, [list.into()])).await?;
    Ok(())
}

/// Returns an error for participants whose calendars are unknown. The calendars of rooms must always be known. Users
/// may be ignored, and users without any accessible mailbox are booked through the service account if there is one.
pub(super) fn require_known_calendars(
    snapshot: &CalendarSnapshot,
    ignore_people: bool,
    by_service: bool,
) -> Result<()> {
    let blocks = |calendar: &&Calendar| match calendar.holder {
        Holder::Room(_) => true,
        Holder::User(_) => {
            calendar.counts_as_unknown() || (!ignore_people && (calendar.reachable || !by_service))
        }
    };
    let Some(calendar) = snapshot.calendars().filter(|one| one.unknown.is_some()).find(blocks) else {
        return Ok(());
    };
    let Some((doubt, reason)) = &calendar.unknown else { return Ok(()) };
    let field = if calendar.holder.is_user() { "userIds" } else { "roomIds" };
    let message = messages::cannot_tell_whether_free(calendar.name.as_str(), reason.message.clone());
    Err(Refusal::new(doubt.code(), message).at(field).into())
}

/// Returns an error for participants who are busy.
pub(super) fn require_free(snapshot: &CalendarSnapshot, blocked: TimeRange) -> Outcome<()> {
    let conflict = |calendar: &Calendar| {
        let busy = calendar.first_conflict(blocked)?;
        let code = if busy.kind == BusyKind::Busy { "BUSY" } else { "TENTATIVE" };
        let message = describe_busy(&calendar.name, busy.kind, Some(busy.range));
        Some(Conflict { holder: calendar.holder, code, message })
    };
    let conflicts: Vec<_> = snapshot.calendars().filter_map(conflict).collect();
    if conflicts.is_empty() {
        return Ok(());
    }
    Err(super::Error::SlotTaken(SlotTaken { conflicts, alternatives: Vec::new() }))
}

/// Up to three free times of the same length on the same local day, as near to the requested time as possible.
pub(super) async fn find_alternatives(
    services: &Services,
    tenant: Id<ids::Tenant>,
    request: &SlotRequest,
) -> Result<Vec<TimeRange>> {
    let Some(window) = day_of(request, services.now())? else { return Ok(Vec::new()) };
    let length = u32::try_from(request.time.duration().num_minutes()).unwrap_or_default();
    let (Some(duration_minutes), Some(step_minutes)) =
        (NonZeroU32::new(length), NonZeroU32::new(STEP_MINUTES))
    else {
        return Ok(Vec::new());
    };
    let search = slots::Query {
        window,
        duration_minutes,
        step_minutes,
        before_minutes: request.before,
        after_minutes: request.after,
        hours: Vec::new(),
        tentative_is_taken: true,
        limit: usize::MAX,
    };
    let txn = services.read(tenant).await?;
    let snapshot = request.snapshot(services, &txn, tenant, search.required_range()).await?;
    let who =
        Participants { required: snapshot.calendars().filter_map(participant).collect(), any_of: Vec::new() };
    let mut free: Vec<TimeRange> = slots::find(&search, &who).into_iter().map(|slot| slot.range).collect();
    free.sort_by_key(|range| ((range.start - request.time.start).abs(), range.start));
    free.truncate(ALTERNATIVES);
    free.sort_unstable();
    Ok(free)
}

/// A participant of the search for alternatives; `None` if the calendar is unknown and therefore does not restrict the
/// search.
fn participant(calendar: &Calendar) -> Option<Participant<Holder>> {
    let known = !matches!(calendar.unknown, Some((UnknownCause::NotConnected | UnknownCause::Unreadable, _)));
    (known || !calendar.holder.is_user()).then(|| Participant {
        key: calendar.holder,
        busy: calendar.busy.clone(),
        taken: calendar.bits.clone(),
    })
}

/// The rest of the request's local day, starting at the next quarter-hour.
fn day_of(request: &SlotRequest, now: Timestamp) -> Result<Option<TimeRange>> {
    let zone = parse_zone(&request.zone)?;
    let Some((from, to)) = domain::zone::day_bounds(&zone, zone.local(request.time.start).date()) else {
        return Ok(None);
    };
    let quarter = i64::from(STEP_MINUTES) * 60;
    let next = Timestamp::from_timestamp((now.timestamp() + quarter) / quarter * quarter, 0).unwrap_or(now);
    Ok(TimeRange::new(from.max(next), to))
}

/// Unfinished runs of a booking, oldest first.
pub(super) async fn live_runs(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    booking: Id<ids::Booking>,
) -> Result<Vec<entity::run::Model>> {
    use entity::run::{Column, of};
    let live = of(tenant).filter(Column::Subject.eq(booking)).filter(Column::FinishedAt.is_null());
    Ok(live.order_by_asc(Column::Id).all(txn).await?)
}
