//! What may be asked of a booking.

use std::collections::BTreeSet;

use chrono::{Duration, SubsecRound};
use domain::{Id, TimeRange, Timestamp, ids, text::Shape};
use serde::Serialize;

use crate::{
    Refusal, Result,
    availability::{OnUnreadable, at_most, buffer, zone},
    text,
};

/// The longest title, in characters.
const LONGEST_TITLE: usize = 255;
/// The longest description, in characters.
const LONGEST_DESCRIPTION: usize = 10_000;
/// The longest name of a guest, in characters.
const LONGEST_NAME: usize = 255;
/// The longest booking, in hours.
const LONGEST_HOURS: i64 = 24;

/// A booking to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewBooking {
    /// Whose appointment it is; takes part.
    pub organiser: Id<ids::User>,
    /// The title, 1 to 255 characters.
    pub title: String,
    /// The description, up to 10,000 characters.
    pub description: String,
    /// When it begins: in the future.
    pub start: Timestamp,
    /// When it ends: within 24 hours of the start.
    pub end: Timestamp,
    /// The IANA zone it is shown in.
    pub zone: String,
    /// The other people of the tenant, up to 100.
    pub users: Vec<Id<ids::User>>,
    /// The rooms, up to 100.
    pub rooms: Vec<Id<ids::Room>>,
    /// People from elsewhere, up to 100. Their time is not checked.
    pub guests: Vec<Guest>,
    /// What is blocked before it, in minutes: up to 240.
    pub buffer_before_minutes: u32,
    /// What is blocked after it, in minutes: up to 240.
    pub buffer_after_minutes: u32,
    /// Whether people whose calendars are unknown are booked all the same. Unknown rooms never are.
    pub ignore_unknown: bool,
    /// What items do that can neither be read nor block anything. Left out of a request's digest where it is the default.
    #[serde(skip_serializing_if = "OnUnreadable::is_offer")]
    pub on_unreadable: OnUnreadable,
    /// Whether it is to have an online meeting. Left out of a request's digest where it is not: a request of before
    /// there were any stays the same request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub online_meeting: bool,
}

/// Somebody from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guest {
    /// The name.
    pub name: String,
    /// The email address.
    pub email: String,
}

/// Where a booking is moved to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewTime {
    /// When it begins: in the future.
    pub start: Timestamp,
    /// When it ends: within 24 hours of the start.
    pub end: Timestamp,
    /// The IANA zone it is shown in; absent leaves it.
    pub zone: Option<String>,
    /// See [`NewBooking::ignore_unknown`].
    pub ignore_unknown: bool,
    /// See [`NewBooking::on_unreadable`].
    #[serde(skip_serializing_if = "OnUnreadable::is_offer")]
    pub on_unreadable: OnUnreadable,
}

impl NewBooking {
    /// The same, tidied, unless something about it can be refused without looking anything up.
    pub(super) fn checked(mut self) -> Result<Self> {
        self.title = String::from(self.title.trim());
        if self.title.is_empty() {
            return Err(Refusal::new("TITLE_MISSING", "A booking has a title.").at("title").into());
        }
        no_longer(&self.title, LONGEST_TITLE, "TITLE_TOO_LONG", "title")?;
        text::check(&self.title, Shape::Line, LONGEST_TITLE, "title")?;
        no_longer(&self.description, LONGEST_DESCRIPTION, "DESCRIPTION_TOO_LONG", "description")?;
        text::check(&self.description, Shape::Lines, LONGEST_DESCRIPTION, "description")?;
        self.description = domain::text::lines(self.description, usize::MAX);
        (self.start, self.end) = (self.start.trunc_subsecs(6), self.end.trunc_subsecs(6));
        time(self.start, self.end)?;
        zone(&self.zone)?;
        buffer(self.buffer_before_minutes, "bufferBeforeMinutes")?;
        buffer(self.buffer_after_minutes, "bufferAfterMinutes")?;
        at_most(self.users.len(), "userIds")?;
        at_most(self.rooms.len(), "roomIds")?;
        at_most(self.guests.len(), "guests")?;
        let mut seen = BTreeSet::new();
        for guest in &mut self.guests {
            guest.email = crate::users::checked_email(&guest.email, "guests")?;
            guest.name = String::from(guest.name.trim());
            no_longer(&guest.name, LONGEST_NAME, "NAME_TOO_LONG", "guests")?;
            text::check(&guest.name, Shape::Line, LONGEST_NAME, "guests")?;
        }
        self.guests.retain(|guest| seen.insert(guest.email.clone()));
        Ok(self)
    }

    /// When it takes place.
    pub(super) fn time(&self) -> TimeRange {
        TimeRange { start: self.start, end: self.end }
    }

    /// Organiser and people, the organiser first, each once.
    pub(super) fn people(&self) -> Vec<Id<ids::User>> {
        let others = self.users.iter().copied().filter(|user| *user != self.organiser);
        let all: Vec<_> = std::iter::once(self.organiser).chain(others).collect();
        crate::availability::picture::distinct(&all).collect()
    }
}

impl NewTime {
    /// The same, tidied, unless something about it can be refused without looking anything up.
    pub(super) fn checked(mut self) -> Result<Self> {
        (self.start, self.end) = (self.start.trunc_subsecs(6), self.end.trunc_subsecs(6));
        time(self.start, self.end)?;
        self.zone.as_deref().map(zone).transpose()?;
        Ok(self)
    }

    /// When it takes place.
    pub(super) fn time(&self) -> TimeRange {
        TimeRange { start: self.start, end: self.end }
    }
}

/// Refuses a time that has begun already. A repeated request is answered before this is asked.
pub(super) fn in_the_future(time: TimeRange, now: Timestamp) -> Result<()> {
    if time.start >= now {
        return Ok(());
    }
    Err(Refusal::new("IN_THE_PAST", "This time has begun already.").at("start").into())
}

fn time(start: Timestamp, end: Timestamp) -> Result<TimeRange> {
    let range = TimeRange::new(start, end);
    let range =
        range.ok_or_else(|| Refusal::new("END_BEFORE_START", "It ends before it begins.").at("end"))?;
    if range.duration() > Duration::hours(LONGEST_HOURS) {
        let message = format!("A booking is at most {LONGEST_HOURS} hours long.");
        let hours = (range.duration() + Duration::hours(1) - Duration::microseconds(1)).num_hours();
        return Err(Refusal::new("TOO_LONG", message).at("end").exceeding(LONGEST_HOURS, hours).into());
    }
    Ok(range)
}

pub(super) fn no_longer(text: &str, most: usize, code: &'static str, field: &'static str) -> Result<()> {
    let found = text.chars().count();
    if found <= most {
        return Ok(());
    }
    let refusal = Refusal::new(code, format!("This has at most {most} characters.")).at(field);
    Err(refusal.exceeding(most, found).into())
}
