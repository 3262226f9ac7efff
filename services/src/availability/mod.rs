//! When people and rooms are free, and why not at other times.
//!
//! A search reads what is kept of every calendar - its busy bitmap, the times that bookings block - in one
//! transaction with a fixed number of statements, and leaves the rest to [`domain::slots`]. It fails closed: a
//! calendar of which nothing fresh is known refuses every slot and is named in the answer, unless the caller says
//! that it may be ignored.

mod input;
pub(crate) mod picture;

use domain::{
    Allowed, BusyKind, Id, Reason, TimeRange, Timestamp,
    bitmap::{Bitmap, GRID_MINUTES},
    ids,
    slots::{self, Participant, Participants, Refusal as Cause},
    state::ConnectionState,
};
use uuid::Uuid;

pub use self::input::{DayHours, OnUnknown, OnUnreadable, Query, RoomChoice};
pub(crate) use self::input::{at_most, buffer, zone};
use self::picture::{Calendar, Picture, RoomsWanted, UNKNOWN, Wanted};
use crate::Result;

crate::noun! {
    /// When people and rooms are free.
    Availability
}

/// Somebody or some room whose time is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// A user.
    User(Id<ids::User>),
    /// A room.
    Room(Id<ids::Room>),
}

impl Holder {
    /// The id of the user or the room.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::User(id) => id.uuid(),
            Self::Room(id) => id.uuid(),
        }
    }

    /// The room, if it is one.
    pub const fn room(self) -> Option<Id<ids::Room>> {
        match self {
            Self::User(_) => None,
            Self::Room(id) => Some(id),
        }
    }

    /// Whether it is a person.
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

/// A time that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// The rooms that are free then, where any of several would do.
    pub rooms: Vec<Id<ids::Room>>,
}

/// What is known of one participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantStatus {
    /// Who.
    pub holder: Holder,
    /// The state of the connection that was read; absent where there is none.
    pub connection: Option<ConnectionState>,
    /// When the calendar was last read.
    pub as_of: Option<Timestamp>,
    /// Whether everything that was asked for is known.
    pub known: bool,
    /// How many items of the calendar can neither be read nor block anything, because nothing is known of their times.
    pub unreadable: i32,
    /// Why not everything is known.
    pub reason: Option<Reason>,
}

/// What a search answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The times that are offered, in order.
    pub slots: Vec<Slot>,
    /// Everybody who was asked for, and how well each calendar is known.
    pub participants: Vec<ParticipantStatus>,
}

/// Why a time is not offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Who is in the way; absent when the time itself is wrong.
    pub participant: Option<Holder>,
    /// The stable code.
    pub code: &'static str,
    /// One sentence for a person.
    pub message: String,
    /// When the participant's calendar was last read.
    pub as_of: Option<Timestamp>,
}

impl Availability {
    /// The times at which everybody can meet. Needs `AVAILABILITY_VIEW`.
    pub async fn find(&self, by: &Allowed, query: &Query) -> Result<Answer> {
        let search = query.search(Some(self.services.now()))?;
        let picture = self.picture(by, query, &search, search.needs_exact_times()).await?;
        let participants = picture.calendars().map(status).collect();
        let who = who(&picture, query, &search);
        let slots = slots::find(&search, &who).into_iter().map(|slot| Slot {
            start: slot.range.start,
            end: slot.range.end,
            rooms: slot.free.into_iter().flatten().filter_map(|holder| holder.room()).collect(),
        });
        Ok(Answer { slots: slots.collect(), participants })
    }

    /// Why the slot that begins at `start` is not offered; empty when it is. Needs `AVAILABILITY_VIEW`.
    pub async fn explain(&self, by: &Allowed, query: &Query, start: Timestamp) -> Result<Vec<Why>> {
        let search = query.search(None)?;
        let picture = self.picture(by, query, &search, true).await?;
        let who = who(&picture, query, &search);
        let whys = slots::explain(&search, &who, start);
        Ok(whys.into_iter().map(|why| told(&picture, why.key.copied(), &why.refusal)).collect())
    }

    async fn picture(
        &self,
        by: &Allowed,
        query: &Query,
        search: &slots::Query,
        exact: bool,
    ) -> Result<Picture> {
        let rooms = match &query.rooms {
            RoomChoice::None => RoomsWanted::These(&[]),
            RoomChoice::All(ids) | RoomChoice::AnyOf(ids) => RoomsWanted::These(ids),
            RoomChoice::AnyHolding(least) => RoomsWanted::Holding(*least),
        };
        let (users, reach, tentative_is_busy) = (&query.users[..], search.reach(), query.tentative_is_busy);
        let on_unreadable = query.on_unreadable;
        let wanted = Wanted { users, rooms, reach, exact, except: None, tentative_is_busy, on_unreadable };
        let tenant = by.tenant().uuid();
        let txn = self.services.store.read(tenant).await?;
        picture::load(&self.services, &txn, tenant, wanted).await
    }
}

/// The picture as the search takes it.
fn who(picture: &Picture, query: &Query, search: &slots::Query) -> Participants<Holder> {
    let participant = |calendar: &Calendar| Participant {
        key: calendar.holder,
        busy: calendar.busy.clone(),
        taken: match query.on_unknown {
            OnUnknown::Ignore if !calendar.is_refused() => over(search.reach(), calendar),
            _ => calendar.bits.clone(),
        },
    };
    let users = picture.users.iter().map(participant);
    let rooms: Vec<_> = picture.rooms.iter().map(participant).collect();
    match query.rooms {
        RoomChoice::None | RoomChoice::All(_) => {
            Participants { required: users.chain(rooms).collect(), any_of: Vec::new() }
        }
        RoomChoice::AnyOf(_) | RoomChoice::AnyHolding(_) => {
            Participants { required: users.collect(), any_of: vec![rooms] }
        }
    }
}

/// Bits that cover everything: what is not known counts as free, what bookings block does not.
fn over(reach: TimeRange, calendar: &Calendar) -> Bitmap {
    let mut bits = Bitmap::free(reach, GRID_MINUTES);
    if bits.union(&calendar.bits).is_err() {
        return calendar.bits.clone();
    }
    calendar.busy.iter().for_each(|busy| bits.mark(busy.range));
    bits
}

fn status(calendar: &Calendar) -> ParticipantStatus {
    ParticipantStatus {
        holder: calendar.holder,
        connection: calendar.state(),
        as_of: calendar.as_of(),
        known: calendar.unknown.is_none(),
        unreadable: calendar.unreadable(),
        reason: calendar.unknown.as_ref().map(|(_, reason)| reason.clone()),
    }
}

/// A cause in words.
fn told(picture: &Picture, holder: Option<Holder>, cause: &Cause) -> Why {
    let calendar = holder.and_then(|holder| picture.calendars().find(|one| one.holder == holder));
    let name = calendar.map_or("Somebody", |calendar| calendar.name.as_str());
    let message = match cause {
        Cause::Taken(kind, range) => taken(name, *kind, *range),
        Cause::Unknown => match calendar.and_then(|calendar| calendar.unknown.as_ref()) {
            Some((_, reason)) => format!("{name}: {}", reason.message),
            None => format!("{name}: Nothing is known of this calendar at that time."),
        },
        Cause::OutsideHours(zone) => format!("The time lies outside the working hours in {zone}."),
        Cause::OutsideWindow => "The time lies outside of what is searched.".to_owned(),
        Cause::NobodyToChoose => "There is no room to choose from.".to_owned(),
    };
    let code = match cause {
        Cause::Unknown => {
            calendar.and_then(|calendar| calendar.unknown.as_ref()).map_or(UNKNOWN, |(doubt, _)| doubt.code())
        }
        _ => cause.code(),
    };
    Why { participant: holder, code, message, as_of: calendar.and_then(Calendar::as_of) }
}

/// Says that somebody is taken, without saying by what.
pub(crate) fn taken(name: &str, kind: BusyKind, range: Option<TimeRange>) -> String {
    let how = if kind == BusyKind::Busy { "busy" } else { "tentatively busy" };
    match range {
        Some(range) => format!("{name} is {how} from {} to {}.", range.start, range.end),
        None => format!("{name} is {how} at that time."),
    }
}
