//! A snapshot of calendars: their stored copies and the occupancy table, read together.
//!
//! A search and the check of a booking read the same kind of snapshot, each in its own transaction and with the same
//! number of statements for any number of participants. It fails closed: time that a sufficiently new copy does not
//! cover is unknown.

mod bitmaps;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AnyId, BusyKind, BusyTime, Id, Message, Reason, Route, TimeRange, Timestamp,
    bitmap::{Bitmap, GRID_MINUTES},
    ids,
    state::{ConnectionState, IntegrationState},
};
use entity::Stored;
use sea_orm::{
    ColumnTrait, ConnectionTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};

use self::bitmaps::{bitmaps, events, occupancy};
use super::{Holder, UnreadableItemPolicy};
use crate::{Refusal, Result, Services, change, messages, suspension};

/// Maximum number of rooms considered if any room with a certain capacity is acceptable: the smallest suitable rooms.
const ROOMS_TO_CHOOSE: u64 = 100;

/// Which calendars and which time range to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SnapshotScope<'a> {
    /// Users whose calendars to read.
    pub users: &'a [Id<ids::User>],
    /// Rooms whose calendars to read.
    pub rooms: RoomScope<'a>,
    /// The time range of interest, including buffers.
    pub reach: TimeRange,
    /// Whether exact busy times are needed; otherwise only bitmaps are read.
    pub exact: bool,
    /// The booking that is being moved, whose own occupancy does not count.
    pub except: Option<&'a entity::booking::Model>,
    /// Whether tentative events count as busy.
    pub tentative_is_busy: bool,
    /// How to treat unreadable calendar items whose times are unknown.
    pub on_unreadable: UnreadableItemPolicy,
}

/// Selects the rooms of a snapshot.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RoomScope<'a> {
    /// The rooms with these ids.
    These(&'a [Id<ids::Room>]),
    /// Rooms with at least this many seats.
    Holding(i32),
}

/// The known busy times of one user's or room's calendar.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    /// The user or room that owns the calendar.
    pub holder: Holder,
    /// Display name of the user or room.
    pub name: String,
    /// Email address at which the user or room is invited.
    pub address: String,
    /// The connection through which the calendar was read, or the one that best explains why it was not read.
    pub connection: Option<entity::connection::Model>,
    /// Whether one of the owner's mailboxes is accessible, or soon will be.
    pub reachable: bool,
    /// Why the calendar is not completely known; `None` if it is.
    pub unknown: Option<(UnknownCause, Reason)>,
    /// Exact busy times: occupancy always, events only if they were requested.
    pub busy: Vec<BusyTime>,
    /// Busy times on the grid, for the time range that is known.
    pub bits: Bitmap,
}

impl Calendar {
    /// State of the owner's connection.
    pub fn state(&self) -> Option<Stored<ConnectionState>> {
        Some(self.connection.as_ref()?.state.clone())
    }

    /// When the calendar was last read.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.connection.as_ref().and_then(|connection| connection.as_of)
    }

    /// Number of unreadable calendar items whose times are unknown.
    pub fn unreadable_count(&self) -> i32 {
        self.connection.as_ref().map_or(0, |connection| connection.unknown_count)
    }

    /// Whether the calendar counts as unknown because of unreadable items, as the caller requested;
    /// `UnknownCalendarPolicy::Ignore` does not override this.
    pub fn counts_as_unknown(&self) -> bool {
        matches!(self.unknown, Some((UnknownCause::Items, _)))
    }

    /// The first busy time that overlaps `time`.
    pub fn first_conflict(&self, time: TimeRange) -> Option<BusyTime> {
        self.busy
            .iter()
            .filter(|busy| busy.range.overlaps(&time))
            .min_by_key(|busy| busy.range.start)
            .copied()
    }
}

/// Why a calendar is not fully known, from least to most severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnknownCause {
    /// The stored copy covers only a part of the time range.
    Partly,
    /// The times of some of the calendar's items are unknown.
    Items,
    /// The stored copy is too old, or the calendar was never read.
    Stale,
    /// The calendar cannot be read.
    Unreadable,
    /// The calendar has not been connected.
    NotConnected,
}

impl UnknownCause {
    fn because(self, message: Message) -> (Self, Reason) {
        (self, Reason::new(self.code(), message))
    }

    /// Stable, machine-readable code of the cause.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Items => UNREADABLE,
            Self::Partly | Self::Stale | Self::Unreadable | Self::NotConnected => CALENDAR_UNKNOWN,
        }
    }
}

/// Error code for a calendar that is unknown.
pub(crate) const CALENDAR_UNKNOWN: &str = "CALENDAR_UNKNOWN";
/// Error code for a calendar in which only some items are unknown.
const UNREADABLE: &str = "CALENDAR_UNREADABLE";

/// A snapshot of calendars: users in the requested order, then rooms.
#[derive(Debug)]
pub(crate) struct CalendarSnapshot {
    /// The tenant to which the calendars belong.
    pub tenant: Id<ids::Tenant>,
    /// Calendars of users, in the requested order.
    pub users: Vec<Calendar>,
    /// The calendar of each requested room, in the requested order.
    pub rooms: Vec<Calendar>,
}

impl CalendarSnapshot {
    /// Calendars of users and rooms.
    pub fn calendars(&self) -> impl Iterator<Item = &Calendar> {
        self.users.iter().chain(&self.rooms)
    }
}

/// Reads the snapshot. An id that does not exist in the tenant is refused with the name of its field.
pub(crate) async fn load(
    services: &Services,
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    wanted: SnapshotScope<'_>,
) -> Result<CalendarSnapshot> {
    let mut users = users(txn, tenant, wanted.users).await?;
    let mut rooms = rooms(txn, tenant, wanted.rooms).await?;
    let freshest = services.now() - services.settings.stale_after;
    attach_connections(txn, tenant, users.iter_mut().chain(&mut rooms), wanted, freshest).await?;
    let connections: Vec<Id<ids::Connection>> = users.iter().chain(&rooms).filter_map(readable).collect();
    let mut copies = if wanted.exact {
        events(txn, tenant, &connections, wanted).await?
    } else {
        bitmaps(txn, tenant, &connections, wanted).await?
    };
    let holders: Vec<AnyId> = users.iter().chain(&rooms).map(|one| one.holder.any()).collect();
    let occupied = occupancy(txn, tenant, &holders, wanted).await?;
    for calendar in users.iter_mut().chain(&mut rooms) {
        if let Some(copy) = readable(calendar).and_then(|connection| copies.remove(&connection)) {
            calendar.busy = copy.busy;
            calendar.bits = copy.bits.unwrap_or_else(|| bitmap_from_busy(calendar));
        }
        for range in occupied.get(&calendar.holder.any()).into_iter().flatten() {
            calendar.bits.mark_busy(*range);
            calendar.busy.push(BusyTime { range: *range, kind: BusyKind::Busy });
        }
    }
    Ok(CalendarSnapshot { tenant, users, rooms })
}

/// The connection whose stored copy can be used.
fn readable(calendar: &Calendar) -> Option<Id<ids::Connection>> {
    let connection = calendar.connection.as_ref()?;
    matches!(calendar.unknown, None | Some((UnknownCause::Partly, _))).then_some(connection.id)
}

/// Creates a bitmap of the copy's time range from its exact busy times.
fn bitmap_from_busy(calendar: &Calendar) -> Bitmap {
    let Some(window) = calendar.connection.as_ref().and_then(change::stored_copy_range) else {
        return Bitmap::unknown();
    };
    Bitmap::from_busy(window, GRID_MINUTES, calendar.busy.iter().map(|busy| busy.range))
}

fn blank(holder: Holder, name: String, address: String) -> Calendar {
    let (busy, bits) = (Vec::new(), Bitmap::unknown());
    Calendar { holder, name, address, connection: None, reachable: false, unknown: None, busy, bits }
}

async fn users(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    wanted: &[Id<ids::User>],
) -> Result<Vec<Calendar>> {
    let rows = entity::tenant_user::by_ids(tenant, wanted.iter().copied()).all(txn).await?;
    let mut rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mut calendars = Vec::with_capacity(wanted.len());
    for id in distinct(wanted) {
        let row = rows.remove(&id).ok_or_else(|| missing("user", "userIds"))?;
        let address = row.calendar_address.unwrap_or(row.email);
        calendars.push(blank(Holder::User(id), row.name, address));
    }
    Ok(calendars)
}

async fn rooms(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    wanted: RoomScope<'_>,
) -> Result<Vec<Calendar>> {
    use entity::room::{Column, by_ids, of};
    let calendar = |row: entity::room::Model| blank(Holder::Room(row.id), row.name, row.address);
    let ids = match wanted {
        RoomScope::Holding(least) => {
            let fitting = of(tenant).filter(Column::Capacity.gte(least));
            let rows = fitting.order_by_asc(Column::Capacity).order_by_asc(Column::Id).limit(ROOMS_TO_CHOOSE);
            return Ok(rows.all(txn).await?.into_iter().map(calendar).collect());
        }
        RoomScope::These(ids) => ids,
    };
    let rows = by_ids(tenant, ids.iter().copied()).all(txn).await?;
    let mut rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
    let one =
        |id: Id<ids::Room>| rows.remove(&id).map(calendar).ok_or_else(|| missing("room", "roomIds").into());
    distinct(ids).map(one).collect()
}

fn missing(what: &str, field: &'static str) -> Refusal {
    Refusal::new("NOT_FOUND", messages::not_found(what)).at(field)
}

/// The ids in their order, without duplicates.
pub(crate) fn distinct<T: Copy + Ord>(ids: &[T]) -> impl Iterator<Item = T> + '_ {
    let mut seen = BTreeSet::new();
    ids.iter().copied().filter(move |id| seen.insert(*id))
}

async fn attach_connections(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    calendars: impl Iterator<Item = &mut Calendar>,
    wanted: SnapshotScope<'_>,
    freshest: Timestamp,
) -> Result<()> {
    use entity::connection::{Column, of};
    let calendars: Vec<&mut Calendar> = calendars.collect();
    let (users, rooms): (Vec<Holder>, _) = calendars.iter().map(|one| one.holder).partition(Holder::is_user);
    let ids = |holders: Vec<Holder>| holders.into_iter().map(Holder::any);
    let theirs = Column::UserId.is_in(ids(users)).or(Column::RoomId.is_in(ids(rooms)));
    let in_force = Column::IntegrationId.not_in_subquery(out_of_force(tenant).into_query());
    let mut found: BTreeMap<AnyId, Vec<entity::connection::Model>> = BTreeMap::new();
    for row in of(tenant).filter(theirs).filter(in_force).order_by_asc(Column::Id).all(txn).await? {
        if let Some(holder) = row.user_id.map(Id::any).or(row.room_id.map(Id::any)) {
            found.entry(holder).or_default().push(row);
        }
    }
    let mut without = Vec::new();
    for calendar in calendars {
        let rows = found.remove(&calendar.holder.any()).unwrap_or_default();
        calendar.reachable = rows.iter().any(may_be_reached);
        let judged = rows.into_iter().map(|row| (cause(&row, wanted, freshest), row));
        let best = judged.min_by_key(|(cause, row)| (cause.as_ref().map(|(cause, _)| *cause), rank(row)));
        if let Some((cause, row)) = best {
            calendar.address.clone_from(&row.address);
            (calendar.unknown, calendar.connection) = (cause, Some(row));
        } else {
            without.push(calendar);
        }
    }
    if !without.is_empty() {
        let unknown = not_connected(txn, tenant).await?;
        for calendar in without {
            calendar.unknown = Some(unknown.clone());
        }
    }
    Ok(())
}

/// The ids of the tenant's suspended integrations.
fn suspended(tenant: Id<ids::Tenant>) -> Select<entity::integration::Entity> {
    of_states(tenant, &[IntegrationState::Suspended])
}

/// The ids of the integrations whose copies say nothing of their calendars: those that are suspended or being
/// disconnected.
fn out_of_force(tenant: Id<ids::Tenant>) -> Select<entity::integration::Entity> {
    use IntegrationState as S;
    of_states(tenant, &[S::Suspended, S::Retiring, S::Removed])
}

fn of_states(tenant: Id<ids::Tenant>, states: &[IntegrationState]) -> Select<entity::integration::Entity> {
    use entity::integration::{Column, of};
    let states = states.iter().map(|state| state.as_str());
    of(tenant).filter(Column::State.is_in(states)).select_only().column(Column::Id)
}

/// Why a calendar has no connection that may be used.
async fn not_connected(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
) -> Result<(UnknownCause, Reason)> {
    if suspended(tenant).into_tuple::<Id<ids::Integration>>().one(txn).await?.is_some() {
        return Ok((UnknownCause::Unreadable, suspension::suspended_reason()));
    }
    let (cause, reason) = UnknownCause::NotConnected.because(messages::calendar_not_connected());
    Ok((cause, reason.with_next_action(messages::connect_the_calendar())))
}

/// Whether a mailbox is accessible. A mailbox that is being activated counts as accessible: it will be known soon, so
/// bookings are not redirected to the service mailbox.
fn may_be_reached(row: &entity::connection::Model) -> bool {
    use ConnectionState as S;
    matches!(row.state.known(), Some(S::Active | S::FreeBusyOnly | S::Pending | S::Verifying))
}

/// Why a connection's stored copy does not cover the requested time range; `None` if it does.
fn cause(
    row: &entity::connection::Model,
    wanted: SnapshotScope<'_>,
    freshest: Timestamp,
) -> Option<(UnknownCause, Reason)> {
    if !row.state.known().is_some_and(ConnectionState::is_readable) {
        let stored: Option<Reason> = row.reason.clone().and_then(|json| serde_json::from_value(json).ok());
        let (message, next_action) = stored.map_or_else(
            || (messages::calendar_unreadable(), None),
            |reason| (reason.message, reason.next_action),
        );
        let (cause, reason) = UnknownCause::Unreadable.because(message);
        return Some((cause, Reason { next_action, ..reason }));
    }
    let (Some(as_of), Some(window)) = (row.as_of, change::stored_copy_range(row)) else {
        return Some(UnknownCause::Stale.because(messages::calendar_not_read_yet()));
    };
    if as_of < freshest {
        return Some(UnknownCause::Stale.because(messages::calendar_read_too_long_ago()));
    }
    if wanted.on_unreadable == UnreadableItemPolicy::Refuse && row.unknown_count > 0 {
        let message = messages::unreadable_items(row.unknown_count);
        let (cause, reason) = UnknownCause::Items.because(message);
        return Some((cause, reason.with_next_action(messages::ask_the_owner_to_correct_items())));
    }
    let part = || messages::calendar_read_in_part(window.start, window.end);
    (!window.contains(&wanted.reach)).then(|| UnknownCause::Partly.because(part()))
}

/// Rank of a connection: one with the owner's consent is preferred to one through a service account.
fn rank(row: &entity::connection::Model) -> u8 {
    match row.route.known() {
        Some(Route::Own) => 0,
        Some(Route::Delegated) => 1,
        _ => 2,
    }
}
