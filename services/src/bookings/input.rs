//! Inputs for creating and moving bookings.

use std::collections::BTreeSet;

use chrono::{Duration, SubsecRound};
use domain::{Id, TimeRange, Timestamp, ids, text::LineMode};
use serde::Serialize;

use crate::{
    Refusal, Result,
    availability::{UnreadableItemPolicy, check_buffer, check_participant_count, parse_zone},
    text,
};

/// Longest title in characters.
const LONGEST_TITLE: usize = 255;
/// Longest description in characters.
const LONGEST_DESCRIPTION: usize = 10_000;
/// Longest name of a guest in characters.
const LONGEST_NAME: usize = 255;
/// Maximum length of a booking in hours.
const LONGEST_HOURS: i64 = 24;

/// Fields of a new booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewBooking {
    /// The user who organises the meeting; always a participant.
    pub organiser: Id<ids::User>,
    /// Title, 1 to 255 characters.
    pub title: String,
    /// Description, up to 10,000 characters.
    pub description: String,
    /// Start of the meeting; must be in the future.
    pub start: Timestamp,
    /// End of the meeting; at most 24 hours after `start`.
    pub end: Timestamp,
    /// IANA time zone in which the event is shown.
    pub zone: String,
    /// Other participating users, up to 100.
    pub users: Vec<Id<ids::User>>,
    /// Participating rooms, up to 100.
    pub rooms: Vec<Id<ids::Room>>,
    /// Guests from outside the tenant, up to 100. Their availability is not checked.
    pub guests: Vec<Guest>,
    /// Time blocked before the meeting, in minutes, up to 240.
    pub buffer_before_minutes: u32,
    /// Time blocked after the meeting, in minutes, up to 240.
    pub buffer_after_minutes: u32,
    /// Whether to book users whose calendars are unknown. Rooms whose calendars are unknown are always refused.
    pub ignore_unknown: bool,
    /// How to treat unreadable calendar items whose times are unknown. The default is omitted from a request's digest.
    #[serde(skip_serializing_if = "UnreadableItemPolicy::is_default")]
    pub on_unreadable: UnreadableItemPolicy,
    /// Whether to add an online meeting. `false` is omitted from a request's digest, so that the digests of requests
    /// made before this field existed stay the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub online_meeting: bool,
}

/// A participant from outside the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guest {
    /// Name, up to 255 characters.
    pub name: String,
    /// Email address to which the invitation is sent.
    pub email: String,
}

/// The new time of a booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewTime {
    /// New start; must be in the future.
    pub start: Timestamp,
    /// New end; at most 24 hours after `start`.
    pub end: Timestamp,
    /// IANA time zone in which the event is shown; `None` keeps the current time zone.
    pub zone: Option<String>,
    /// See [`NewBooking::ignore_unknown`].
    pub ignore_unknown: bool,
    /// See [`NewBooking::on_unreadable`].
    #[serde(skip_serializing_if = "UnreadableItemPolicy::is_default")]
    pub on_unreadable: UnreadableItemPolicy,
}

impl NewBooking {
    /// Normalises the new booking, and refuses values that are invalid regardless of stored data.
    pub(super) fn validate(mut self) -> Result<Self> {
        self.title = String::from(self.title.trim());
        if self.title.is_empty() {
            return Err(Refusal::new("TITLE_MISSING", "Enter a title for the booking.").at("title").into());
        }
        check_length(&self.title, LONGEST_TITLE, "TITLE_TOO_LONG", "title")?;
        text::check(&self.title, LineMode::Line, LONGEST_TITLE, "title")?;
        check_length(&self.description, LONGEST_DESCRIPTION, "DESCRIPTION_TOO_LONG", "description")?;
        text::check(&self.description, LineMode::Lines, LONGEST_DESCRIPTION, "description")?;
        self.description = domain::text::clean_lines(self.description, usize::MAX);
        (self.start, self.end) = (self.start.trunc_subsecs(6), self.end.trunc_subsecs(6));
        time(self.start, self.end)?;
        parse_zone(&self.zone)?;
        check_buffer(self.buffer_before_minutes, "bufferBeforeMinutes")?;
        check_buffer(self.buffer_after_minutes, "bufferAfterMinutes")?;
        check_participant_count(self.users.len(), "userIds")?;
        check_participant_count(self.rooms.len(), "roomIds")?;
        check_participant_count(self.guests.len(), "guests")?;
        let mut seen = BTreeSet::new();
        for guest in &mut self.guests {
            guest.email = crate::users::parse_email(&guest.email, "guests")?;
            guest.name = String::from(guest.name.trim());
            check_length(&guest.name, LONGEST_NAME, "NAME_TOO_LONG", "guests")?;
            text::check(&guest.name, LineMode::Line, LONGEST_NAME, "guests")?;
        }
        self.guests.retain(|guest| seen.insert(guest.email.clone()));
        Ok(self)
    }

    /// Time range of the meeting.
    pub(super) fn time(&self) -> TimeRange {
        TimeRange { start: self.start, end: self.end }
    }

    /// The organiser and the other users, without duplicates.
    pub(super) fn user_ids(&self) -> Vec<Id<ids::User>> {
        let others = self.users.iter().copied().filter(|user| *user != self.organiser);
        let all: Vec<_> = std::iter::once(self.organiser).chain(others).collect();
        crate::availability::snapshot::distinct(&all).collect()
    }
}

impl NewTime {
    /// Normalises the new time, and refuses values that are invalid regardless of stored data.
    pub(super) fn validate(mut self) -> Result<Self> {
        (self.start, self.end) = (self.start.trunc_subsecs(6), self.end.trunc_subsecs(6));
        time(self.start, self.end)?;
        self.zone.as_deref().map(parse_zone).transpose()?;
        Ok(self)
    }

    /// Time range of the meeting.
    pub(super) fn time(&self) -> TimeRange {
        TimeRange { start: self.start, end: self.end }
    }
}

/// Returns an error for a time that has already begun. Repeated requests return their earlier result without this
/// check.
pub(super) fn require_future(time: TimeRange, now: Timestamp) -> Result<()> {
    if time.start >= now {
        return Ok(());
    }
    Err(Refusal::new("IN_THE_PAST", "This time has already begun.").at("start").into())
}

fn time(start: Timestamp, end: Timestamp) -> Result<TimeRange> {
    let range = TimeRange::new(start, end);
    let range = range
        .ok_or_else(|| Refusal::new("END_BEFORE_START", "The booking must end after it begins.").at("end"))?;
    if range.duration() > Duration::hours(LONGEST_HOURS) {
        let message = format!("A booking is at most {LONGEST_HOURS} hours long.");
        let hours = (range.duration() + Duration::hours(1) - Duration::microseconds(1)).num_hours();
        return Err(Refusal::new("TOO_LONG", message).at("end").exceeding(LONGEST_HOURS, hours).into());
    }
    Ok(range)
}

pub(super) fn check_length(
    text: &str,
    max_chars: usize,
    code: &'static str,
    field: &'static str,
) -> Result<()> {
    let found = text.chars().count();
    if found <= max_chars {
        return Ok(());
    }
    let refusal = Refusal::new(code, format!("Use at most {max_chars} characters.")).at(field);
    Err(refusal.exceeding(max_chars, found).into())
}
