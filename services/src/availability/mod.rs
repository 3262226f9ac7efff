//! Finds free times of users and rooms, and explains why a time is not offered.
//!
//! A search reads the stored data of every calendar - its busy bitmap and the times that bookings block - in one
//! transaction with a fixed number of statements, and passes it to [`domain::slots`]. The search fails closed: if a
//! calendar is not sufficiently known, no slot is offered and the result names the calendar, unless the caller allows
//! unknown calendars to be ignored.

mod input;
pub(crate) mod snapshot;

use domain::{
    AnyId, BusyKind, Id, Message, Reason, TimeRange, Timestamp,
    bitmap::{Bitmap, GRID_MINUTES},
    ids, may,
    slots::{self, Participant, Participants, Refusal as Cause},
    state::ConnectionState,
};
use entity::Stored;

pub use self::input::{DayHours, Query, RoomChoice, UnknownCalendarPolicy, UnreadableItemPolicy};
pub(crate) use self::input::{check_buffer, check_participant_count, parse_zone};
use self::snapshot::{CALENDAR_UNKNOWN, Calendar, CalendarSnapshot, RoomScope, SnapshotScope};
use crate::{
    Result, messages,
    proof::{Allowed, Member},
};

crate::noun! {
    /// Free times of people and rooms.
    Availability
}

/// A user or room whose time can be booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// A user of the tenant.
    User(Id<ids::User>),
    /// A room of the tenant.
    Room(Id<ids::Room>),
}

impl Holder {
    /// Id of the user or room, as stored in `occupancy`.
    pub const fn any(self) -> AnyId {
        match self {
            Self::User(id) => id.any(),
            Self::Room(id) => id.any(),
        }
    }

    /// The user's id; `None` for a room.
    pub const fn user(self) -> Option<Id<ids::User>> {
        match self {
            Self::User(id) => Some(id),
            Self::Room(_) => None,
        }
    }

    /// The room's id; `None` for a user.
    pub const fn room(self) -> Option<Id<ids::Room>> {
        match self {
            Self::User(_) => None,
            Self::Room(id) => Some(id),
        }
    }

    /// Whether the calendar belongs to a user and not to a room.
    pub const fn is_user(&self) -> bool {
        matches!(self, Self::User(_))
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Room(id) => id.fmt(f),
        }
    }
}

/// A time that can be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Start of the slot, without its buffers.
    pub start: Timestamp,
    /// End of the slot, without its buffers.
    pub end: Timestamp,
    /// Rooms free at that time, if the search asked for any one of several rooms.
    pub rooms: Vec<Id<ids::Room>>,
}

/// How much is known about the calendar of one participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantStatus {
    /// The user or room that the status is about.
    pub holder: Holder,
    /// State of the connection through which the calendar is read; `None` if there is none.
    pub connection: Option<Stored<ConnectionState>>,
    /// When the calendar was last read; `None` if it never was.
    pub as_of: Option<Timestamp>,
    /// Whether the calendar is known for the whole search window.
    pub known: bool,
    /// Number of unreadable calendar items that block no time because their times are unknown.
    pub unreadable: i32,
    /// Why the calendar is unknown; `None` if `known` is true.
    pub reason: Option<Reason>,
}

/// Result of an availability search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchResult {
    /// Slots in chronological order.
    pub slots: Vec<Slot>,
    /// All participants of the search, with how much is known about each calendar.
    pub participants: Vec<ParticipantStatus>,
}

/// One reason why a slot is not offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The user or room that is not available; `None` if the slot itself is not allowed.
    pub participant: Option<Holder>,
    /// Stable, machine-readable code of the obstacle.
    pub code: &'static str,
    /// Explanation for a person.
    pub message: Message,
    /// When the participant's calendar was last read; `None` if it never was.
    pub as_of: Option<Timestamp>,
}

impl Availability {
    /// Finds slots at which all participants can meet. Needs `AVAILABILITY_VIEW`.
    pub async fn find(&self, by: &Allowed<may::AvailabilityView>, query: &Query) -> Result<SearchResult> {
        let search = query.to_slot_query(Some(self.services.now()))?;
        let snapshot = self.snapshot(by, query, &search, search.needs_exact_times()).await?;
        let participants = snapshot.calendars().map(status).collect();
        let who = who(&snapshot, query, &search);
        let slots = slots::find(&search, &who).into_iter().map(|slot| Slot {
            start: slot.range.start,
            end: slot.range.end,
            rooms: slot.free.into_iter().flatten().filter_map(|holder| holder.room()).collect(),
        });
        Ok(SearchResult { slots: slots.collect(), participants })
    }

    /// Explains why the slot that starts at `start` is not offered; empty if it is. Needs `AVAILABILITY_VIEW`.
    pub async fn explain(
        &self,
        by: &Allowed<may::AvailabilityView>,
        query: &Query,
        start: Timestamp,
    ) -> Result<Vec<Obstacle>> {
        let search = query.to_slot_query(None)?;
        let snapshot = self.snapshot(by, query, &search, true).await?;
        let who = who(&snapshot, query, &search);
        let whys = slots::explain_refusal(&search, &who, start);
        Ok(whys.into_iter().map(|why| describe_obstacle(&snapshot, why.key.copied(), &why.refusal)).collect())
    }

    async fn snapshot(
        &self,
        by: &Member,
        query: &Query,
        search: &slots::Query,
        exact: bool,
    ) -> Result<CalendarSnapshot> {
        let rooms = match &query.rooms {
            RoomChoice::None => RoomScope::These(&[]),
            RoomChoice::All(ids) | RoomChoice::AnyOf(ids) => RoomScope::These(ids),
            RoomChoice::AnyHolding(least) => RoomScope::Holding(*least),
        };
        let (users, reach, tentative_is_busy) =
            (&query.users[..], search.required_range(), query.tentative_is_busy);
        let on_unreadable = query.on_unreadable;
        let wanted =
            SnapshotScope { users, rooms, reach, exact, except: None, tentative_is_busy, on_unreadable };
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        snapshot::load(&self.services, &txn, tenant, wanted).await
    }
}

/// Converts a calendar snapshot to the participants of a slot search.
fn who(snapshot: &CalendarSnapshot, query: &Query, search: &slots::Query) -> Participants<Holder> {
    let participant = |calendar: &Calendar| Participant {
        key: calendar.holder,
        busy: calendar.busy.clone(),
        taken: match query.on_unknown {
            UnknownCalendarPolicy::Ignore if !calendar.counts_as_unknown() => {
                over(search.required_range(), calendar)
            }
            _ => calendar.bits.clone(),
        },
    };
    let users = snapshot.users.iter().map(participant);
    let rooms: Vec<_> = snapshot.rooms.iter().map(participant).collect();
    match query.rooms {
        RoomChoice::None | RoomChoice::All(_) => {
            Participants { required: users.chain(rooms).collect(), any_of: Vec::new() }
        }
        RoomChoice::AnyOf(_) | RoomChoice::AnyHolding(_) => {
            Participants { required: users.collect(), any_of: vec![rooms] }
        }
    }
}

/// Creates a bitmap of the whole time range in which unknown times count as free and bookings as busy.
fn over(reach: TimeRange, calendar: &Calendar) -> Bitmap {
    let mut bits = Bitmap::all_free(reach, GRID_MINUTES);
    if bits.union(&calendar.bits).is_err() {
        return calendar.bits.clone();
    }
    calendar.busy.iter().for_each(|busy| bits.mark_busy(busy.range));
    bits
}

fn status(calendar: &Calendar) -> ParticipantStatus {
    ParticipantStatus {
        holder: calendar.holder,
        connection: calendar.state(),
        as_of: calendar.as_of(),
        known: calendar.unknown.is_none(),
        unreadable: calendar.unreadable_count(),
        reason: calendar.unknown.as_ref().map(|(_, reason)| reason.clone()),
    }
}

/// Explains to a person why a slot is not offered.
fn describe_obstacle(snapshot: &CalendarSnapshot, holder: Option<Holder>, cause: &Cause) -> Obstacle {
    let calendar = holder.and_then(|holder| snapshot.calendars().find(|one| one.holder == holder));
    let name = calendar.map(|calendar| calendar.name.as_str()).unwrap_or_default();
    let message = match cause {
        Cause::Taken(kind, range) => describe_busy(name, *kind, *range),
        Cause::Unknown => match calendar.and_then(|calendar| calendar.unknown.as_ref()) {
            Some((_, reason)) => messages::calendar_unknown(name, reason.message.clone()),
            None => messages::calendar_not_read_for_that_time(name),
        },
        Cause::OutsideHours(zone) => messages::outside_working_hours(zone.to_string()),
        Cause::OutsideWindow => messages::outside_search_window(),
        Cause::NobodyToChoose => messages::no_room_matches(),
    };
    let code = match cause {
        Cause::Unknown => calendar
            .and_then(|calendar| calendar.unknown.as_ref())
            .map_or(CALENDAR_UNKNOWN, |(doubt, _)| doubt.code()),
        _ => cause.code(),
    };
    Obstacle { participant: holder, code, message, as_of: calendar.and_then(Calendar::as_of) }
}

/// The sentence that a participant is busy, without revealing what occupies the time.
pub(crate) fn describe_busy(name: &str, kind: BusyKind, range: Option<TimeRange>) -> Message {
    match (kind, range) {
        (BusyKind::Busy, Some(range)) => messages::busy_from_to(name, range.start, range.end),
        (BusyKind::Busy, None) => messages::busy_then(name),
        (BusyKind::Tentative, Some(range)) => messages::tentative_from_to(name, range.start, range.end),
        (BusyKind::Tentative, None) => messages::tentative_then(name),
    }
}
