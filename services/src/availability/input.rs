//! Inputs of availability searches.

use std::num::NonZeroU32;

use chrono::{Duration, NaiveTime, SubsecRound, Weekday};
use domain::{
    Id, TimeRange, Timestamp, ids,
    slots::{self, WeeklySpan, WorkingHours},
};

use crate::Refusal;

/// Maximum length of a search window in days.
const LONGEST_DAYS: i64 = 62;
/// Maximum number of users, and of rooms, in one search or booking.
pub(crate) const MAX_PARTICIPANTS: usize = 100;
/// Maximum number of slots in one result.
const MOST_SLOTS: usize = 1_000;
/// Maximum length of a buffer in minutes.
pub(crate) const MAX_BUFFER_MINUTES: u32 = 240;
/// Minutes of a day: the maximum length of a slot and of a booking.
pub(crate) const MINUTES_PER_DAY: u32 = 24 * 60;

/// Parameters of an availability search.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Start of the search window and of the first candidate slot; further candidates follow every `step_minutes`.
    pub from: Timestamp,
    /// End of the window.
    pub until: Timestamp,
    /// Length of a slot in minutes, up to a day.
    pub duration_minutes: u32,
    /// Interval between the starts of two candidate slots in minutes, up to a day.
    pub step_minutes: u32,
    /// Time that must be free before a slot, in minutes, up to 240.
    pub buffer_before_minutes: u32,
    /// Time that must be free after a slot, in minutes, up to 240.
    pub buffer_after_minutes: u32,
    /// IANA time zone of the working hours.
    pub zone: String,
    /// Working hours; if empty, any time is allowed. Days without an entry are not working days.
    pub hours: Vec<DayHours>,
    /// Users who must be free.
    pub users: Vec<Id<ids::User>>,
    /// Rooms that must be free.
    pub rooms: RoomChoice,
    /// Whether tentative events count as busy.
    pub tentative_is_busy: bool,
    /// How to treat participants whose calendar is unknown.
    pub on_unknown: UnknownCalendarPolicy,
    /// How to treat unreadable calendar items whose times are unknown.
    pub on_unreadable: UnreadableItemPolicy,
    /// Maximum number of slots to return.
    pub max_slots: usize,
}

/// One span of working hours on one day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayHours {
    /// Day on which the span starts.
    pub weekday: Weekday,
    /// Local time at which the span starts.
    pub from: NaiveTime,
    /// Local time at which the span ends; on the following day unless it is later than `from`.
    pub to: NaiveTime,
}

/// Which rooms must be free.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RoomChoice {
    /// No room is needed.
    #[default]
    None,
    /// All of these rooms must be free.
    All(Vec<Id<ids::Room>>),
    /// One of these rooms must be free.
    AnyOf(Vec<Id<ids::Room>>),
    /// One room with at least this many seats must be free; only the 100 smallest of these rooms are considered.
    AnyHolding(i32),
}

/// How a search treats a participant whose calendar is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnknownCalendarPolicy {
    /// No slot is offered.
    #[default]
    Refuse,
    /// The participant counts as free, except for the times of bookings.
    Ignore,
}

/// How to treat unreadable calendar items whose times are unknown. An unreadable item whose times are partly known
/// always counts as busy for as long as it may last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub enum UnreadableItemPolicy {
    /// The unreadable item blocks no time.
    #[default]
    Offer,
    /// The calendar counts as unknown, so no slot is offered.
    Refuse,
}

impl UnreadableItemPolicy {
    /// Whether this is the default policy, which is omitted from a request's digest.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::Offer
    }
}

impl Query {
    /// Creates a search with the defaults: a candidate slot every 15 minutes, no buffers, any time of the day.
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
            on_unknown: UnknownCalendarPolicy::Refuse,
            on_unreadable: UnreadableItemPolicy::Offer,
            max_slots: 200,
        }
    }

    /// Validates the search and converts it to a slot query. Candidate slots before `now` are left out.
    pub(super) fn to_slot_query(&self, now: Option<Timestamp>) -> Result<slots::Query, Refusal> {
        let zone = parse_zone(&self.zone)?;
        let window = self.window()?;
        let duration_minutes =
            within_a_day(self.duration_minutes, "DURATION_OUT_OF_RANGE", "durationMinutes")?;
        let step_minutes = within_a_day(self.step_minutes, "STEP_OUT_OF_RANGE", "stepMinutes")?;
        check_buffer(self.buffer_before_minutes, "bufferBeforeMinutes")?;
        check_buffer(self.buffer_after_minutes, "bufferAfterMinutes")?;
        self.check_participants()?;
        let spans =
            self.hours.iter().map(|day| WeeklySpan { weekday: day.weekday, from: day.from, to: day.to });
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
            return Err(Refusal::new("PARTICIPANTS_MISSING", "Give at least one user or room.").at("userIds"));
        }
        check_participant_count(self.users.len(), "userIds")?;
        check_participant_count(rooms, "roomIds")
    }
}

/// Moves the start of the search window to the first candidate slot that is not in the past. A window that is entirely
/// in the past is left unchanged, with a limit of no slots.
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

/// Parses an IANA time zone name.
pub(crate) fn parse_zone(name: &str) -> Result<domain::Zone, Refusal> {
    domain::Zone::from_name(name).ok_or_else(|| {
        Refusal::new("ZONE_UNKNOWN", "Use the IANA name of a time zone, such as Europe/Berlin.")
            .at("timeZone")
    })
}

/// Returns an error if a buffer is too long.
pub(crate) fn check_buffer(minutes: u32, field: &'static str) -> Result<(), Refusal> {
    if minutes <= MAX_BUFFER_MINUTES {
        return Ok(());
    }
    let message = format!("A buffer is at most {MAX_BUFFER_MINUTES} minutes long.");
    Err(Refusal::new("BUFFER_OUT_OF_RANGE", message).at(field).exceeding(MAX_BUFFER_MINUTES, minutes))
}

/// Returns an error if there are too many participants.
pub(crate) fn check_participant_count(count: usize, field: &'static str) -> Result<(), Refusal> {
    if count <= MAX_PARTICIPANTS {
        return Ok(());
    }
    let message = format!("Give at most {MAX_PARTICIPANTS} at once.");
    Err(Refusal::new("TOO_MANY_PARTICIPANTS", message).at(field).exceeding(MAX_PARTICIPANTS, count))
}

fn within_a_day(minutes: u32, code: &'static str, field: &'static str) -> Result<NonZeroU32, Refusal> {
    NonZeroU32::new(minutes).filter(|minutes| minutes.get() <= MINUTES_PER_DAY).ok_or_else(|| {
        let refusal = Refusal::new(code, format!("Give 1 to {MINUTES_PER_DAY} minutes.")).at(field);
        refusal.exceeding(MINUTES_PER_DAY, minutes)
    })
}
