//! What may be asked of a search.

use std::num::NonZeroU32;

use chrono::{Duration, NaiveTime, SubsecRound, Weekday};
use domain::{
    Id, TimeRange, Timestamp, ids,
    slots::{self, Span, WorkingHours},
};

use crate::Refusal;

/// The longest window of a search, in days.
const LONGEST_DAYS: i64 = 62;
/// The most people, and the most rooms, of one search or booking.
pub(crate) const MOST_PARTICIPANTS: usize = 100;
/// The most slots of one answer.
const MOST_SLOTS: usize = 1_000;
/// The longest buffer, in minutes.
pub(crate) const LONGEST_BUFFER: u32 = 240;
/// The minutes of a day: the longest slot and the longest booking.
pub(crate) const DAY_MINUTES: u32 = 24 * 60;

/// What is searched.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Where the window begins; the first candidate begins here, and one every step after it.
    pub from: Timestamp,
    /// Where the window ends.
    pub until: Timestamp,
    /// How long a slot is, in minutes: up to a day.
    pub duration_minutes: u32,
    /// From one candidate to the next, in minutes: up to a day.
    pub step_minutes: u32,
    /// What must be free before a slot, in minutes: up to 240.
    pub buffer_before_minutes: u32,
    /// What must be free after a slot, in minutes: up to 240.
    pub buffer_after_minutes: u32,
    /// The IANA zone of the working hours.
    pub zone: String,
    /// The working hours; none means any time. A day that is not named is not worked.
    pub hours: Vec<DayHours>,
    /// The people who must be free.
    pub users: Vec<Id<ids::User>>,
    /// The rooms.
    pub rooms: RoomChoice,
    /// Whether tentative times count as taken.
    pub tentative_is_busy: bool,
    /// What an unknown calendar does to slots.
    pub on_unknown: OnUnknown,
    /// What items do to slots of which nothing is known.
    pub on_unreadable: OnUnreadable,
    /// How many slots are answered at most.
    pub max_slots: usize,
}

/// The working hours of one day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayHours {
    /// The day.
    pub weekday: Weekday,
    /// From when.
    pub from: NaiveTime,
    /// Until when; on the next day unless this is after `from`.
    pub to: NaiveTime,
}

/// Which rooms must be free.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RoomChoice {
    /// None is needed.
    #[default]
    None,
    /// All of these.
    All(Vec<Id<ids::Room>>),
    /// One of these.
    AnyOf(Vec<Id<ids::Room>>),
    /// One that holds so many people; the hundred smallest that do are looked at.
    AnyHolding(i32),
}

/// What a calendar of which nothing is known does to slots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnUnknown {
    /// It refuses them.
    #[default]
    Refuse,
    /// It counts as free, save for what bookings block.
    Ignore,
}

/// What an item of a calendar does to slots that cannot be read, and of whose times nothing is known. Other unreadable
/// items count as busy for as long as they may last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub enum OnUnreadable {
    /// Slots are offered as if it were not there.
    #[default]
    Offer,
    /// Its calendar counts as unknown and refuses every slot.
    Refuse,
}

impl OnUnreadable {
    /// Whether it is the default, which a request's digest leaves out.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub(crate) fn is_offer(&self) -> bool {
        *self == Self::Offer
    }
}

impl Query {
    /// A search with the defaults: a candidate every 15 minutes, no buffers, any time of the day.
    pub fn new(from: Timestamp, until: Timestamp, duration_minutes: u32) -> Self {
        Self {
            from,
            until,
            duration_minutes,
            step_minutes: 15,
            buffer_before_minutes: 0,
            buffer_after_minutes: 0,
            zone: "UTC".to_owned(),
            hours: Vec::new(),
            users: Vec::new(),
            rooms: RoomChoice::None,
            tentative_is_busy: true,
            on_unknown: OnUnknown::Refuse,
            on_unreadable: OnUnreadable::Offer,
            max_slots: 200,
        }
    }

    /// The search itself. Candidates before `now` are left out.
    pub(super) fn search(&self, now: Option<Timestamp>) -> Result<slots::Query, Refusal> {
        let zone = zone(&self.zone)?;
        let window = self.window()?;
        let duration_minutes =
            within_a_day(self.duration_minutes, "DURATION_OUT_OF_RANGE", "durationMinutes")?;
        let step_minutes = within_a_day(self.step_minutes, "STEP_OUT_OF_RANGE", "stepMinutes")?;
        buffer(self.buffer_before_minutes, "bufferBeforeMinutes")?;
        buffer(self.buffer_after_minutes, "bufferAfterMinutes")?;
        self.check_participants()?;
        let spans = self.hours.iter().map(|day| Span { weekday: day.weekday, from: day.from, to: day.to });
        let hours = WorkingHours { zone, spans: spans.collect() };
        let (before_minutes, after_minutes) = (self.buffer_before_minutes, self.buffer_after_minutes);
        let search = slots::Query {
            window,
            duration_minutes,
            step_minutes,
            before_minutes,
            after_minutes,
            hours: if self.hours.is_empty() { Vec::new() } else { vec![hours] },
            tentative_is_taken: self.tentative_is_busy,
            limit: self.max_slots.clamp(1, MOST_SLOTS),
        };
        Ok(now.map_or(search.clone(), |now| from_now(search, now)))
    }

    fn window(&self) -> Result<TimeRange, Refusal> {
        let window =
            TimeRange::new(self.from.trunc_subsecs(6), self.until.trunc_subsecs(6)).ok_or_else(|| {
                Refusal::new("END_BEFORE_START", "The window ends before it begins.").at("until")
            })?;
        if window.duration() > Duration::days(LONGEST_DAYS) {
            let message = format!("A window is at most {LONGEST_DAYS} days long.");
            let days = (window.duration() + Duration::days(1) - Duration::microseconds(1)).num_days();
            return Err(Refusal::new("WINDOW_TOO_LARGE", message).at("until").exceeding(LONGEST_DAYS, days));
        }
        Ok(window)
    }

    fn check_participants(&self) -> Result<(), Refusal> {
        let rooms = match &self.rooms {
            RoomChoice::All(ids) | RoomChoice::AnyOf(ids) => ids.len(),
            RoomChoice::None => 0,
            RoomChoice::AnyHolding(_) => 1,
        };
        if self.users.is_empty() && rooms == 0 {
            return Err(Refusal::new("PARTICIPANTS_MISSING", "Name somebody or some room.").at("userIds"));
        }
        at_most(self.users.len(), "userIds")?;
        at_most(rooms, "roomIds")
    }
}

/// Moves the window's start to the first candidate that is not past. A window that is past stays as it is, but for
/// its limit of no slots.
fn from_now(mut search: slots::Query, now: Timestamp) -> slots::Query {
    let step = Duration::minutes(i64::from(search.step_minutes.get()));
    let behind = (now - search.window.start).num_microseconds().unwrap_or_default();
    let steps = -(-behind).div_euclid(step.num_microseconds().unwrap_or(1));
    if behind <= 0 {
        return search;
    }
    let start = search.window.start + step * i32::try_from(steps).unwrap_or(i32::MAX);
    match TimeRange::new(start, search.window.end) {
        Some(window) => search.window = window,
        None => search.limit = 0,
    }
    search
}

/// An IANA zone.
pub(crate) fn zone(name: &str) -> Result<domain::Zone, Refusal> {
    domain::Zone::named(name).ok_or_else(|| {
        Refusal::new("ZONE_UNKNOWN", "Name the time zone as IANA does, such as Europe/Berlin.").at("timeZone")
    })
}

/// A buffer that is not too long.
pub(crate) fn buffer(minutes: u32, field: &'static str) -> Result<(), Refusal> {
    if minutes <= LONGEST_BUFFER {
        return Ok(());
    }
    let message = format!("A buffer is at most {LONGEST_BUFFER} minutes long.");
    Err(Refusal::new("BUFFER_OUT_OF_RANGE", message).at(field).exceeding(LONGEST_BUFFER, minutes))
}

/// Not too many of them.
pub(crate) fn at_most(count: usize, field: &'static str) -> Result<(), Refusal> {
    if count <= MOST_PARTICIPANTS {
        return Ok(());
    }
    let message = format!("At most {MOST_PARTICIPANTS} can be named at once.");
    Err(Refusal::new("TOO_MANY_PARTICIPANTS", message).at(field).exceeding(MOST_PARTICIPANTS, count))
}

fn within_a_day(minutes: u32, code: &'static str, field: &'static str) -> Result<NonZeroU32, Refusal> {
    NonZeroU32::new(minutes).filter(|minutes| minutes.get() <= DAY_MINUTES).ok_or_else(|| {
        let refusal = Refusal::new(code, format!("This is 1 to {DAY_MINUTES} minutes.")).at(field);
        refusal.exceeding(DAY_MINUTES, minutes)
    })
}
