//! What may be asked of a search.

use async_graphql::{Enum, ID, InputObject, OneofObject};
use services::{
    Refusal,
    availability::{self as free, DayHours, Query},
};

use crate::graphql::{
    context::all_named,
    failure::{Failure, Result},
    scalar::{DateTime, LocalTime, TimeZone},
};

/// How many spans of working hours can be named.
const MOST_SPANS: usize = 50;

/// What is searched.
#[derive(InputObject)]
pub struct AvailabilityInput {
    /// Where the window begins; the first candidate begins here, and one every step after it.
    from: DateTime,
    /// Where the window ends, at most 62 days later.
    until: DateTime,
    /// How long a slot is, in minutes: 1 to 1440.
    duration_minutes: i32,
    /// From one candidate to the next, in minutes: 1 to 1440.
    #[graphql(default = 15)]
    step_minutes: i32,
    /// What must be free before a slot, in minutes: 0 to 240.
    #[graphql(default)]
    buffer_before_minutes: i32,
    /// What must be free after a slot, in minutes: 0 to 240.
    #[graphql(default)]
    buffer_after_minutes: i32,
    /// The time zone of the working hours; UTC when absent.
    time_zone: Option<TimeZone>,
    /// The working hours; none means any time. A day that is not named is not worked. Up to 50 spans.
    #[graphql(default)]
    working_hours: Vec<WorkingHoursInput>,
    /// The people who must be free, up to 100.
    #[graphql(default)]
    user_ids: Vec<ID>,
    /// The rooms; none is needed when absent.
    rooms: Option<RoomChoiceInput>,
    /// Whether tentative times count as taken.
    #[graphql(default = true)]
    tentative_is_busy: bool,
    /// What a calendar of which nothing is known does to slots.
    #[graphql(default_with = "OnUnknown::Refuse")]
    on_unknown: OnUnknown,
    /// What an item of a calendar does to slots that cannot be read, and of whose times nothing is known. By default the
    /// slots are offered, and `unreadable` of the participant counts such items.
    #[graphql(default_with = "OnUnreadable::Offer")]
    on_unreadable: OnUnreadable,
    /// How many slots are answered at most: 1 to 1000.
    #[graphql(default = 200)]
    max_slots: i32,
}

/// The working hours of one day of the week.
#[derive(InputObject)]
pub struct WorkingHoursInput {
    /// The day.
    weekday: Weekday,
    /// From when.
    from: LocalTime,
    /// Until when; on the next day unless this is after `from`.
    to: LocalTime,
}

/// Which rooms must be free.
#[derive(OneofObject)]
pub enum RoomChoiceInput {
    /// All of these, up to 100.
    All(Vec<ID>),
    /// One of these, up to 100.
    AnyOf(Vec<ID>),
    /// One that holds so many people; the hundred smallest that do are looked at.
    AnyHolding(i32),
}

/// What a calendar of which nothing is known does to slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "free::OnUnknown")]
pub enum OnUnknown {
    /// It refuses them.
    Refuse,
    /// It counts as free, save for what bookings block.
    Ignore,
}

/// What an item of a calendar does to slots that cannot be read, and of whose times nothing is known. Other unreadable
/// items count as busy for as long as they may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "free::OnUnreadable")]
pub enum OnUnreadable {
    /// It does not keep a slot from being offered.
    Offer,
    /// It refuses every slot of its calendar's owner with `CALENDAR_UNREADABLE`.
    Refuse,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "chrono::Weekday")]
pub enum Weekday {
    /// Monday.
    #[graphql(name = "MONDAY")]
    Mon,
    /// Tuesday.
    #[graphql(name = "TUESDAY")]
    Tue,
    /// Wednesday.
    #[graphql(name = "WEDNESDAY")]
    Wed,
    /// Thursday.
    #[graphql(name = "THURSDAY")]
    Thu,
    /// Friday.
    #[graphql(name = "FRIDAY")]
    Fri,
    /// Saturday.
    #[graphql(name = "SATURDAY")]
    Sat,
    /// Sunday.
    #[graphql(name = "SUNDAY")]
    Sun,
}

impl TryFrom<AvailabilityInput> for Query {
    type Error = Failure;

    fn try_from(input: AvailabilityInput) -> Result<Self> {
        let spans = input.working_hours.len();
        if spans > MOST_SPANS {
            let refusal =
                Refusal::new("TOO_MANY", format!("Name at most {MOST_SPANS} spans of working hours."));
            return Err(refusal.at("workingHours").exceeding(MOST_SPANS, spans).into());
        }
        let day =
            |day: WorkingHoursInput| DayHours { weekday: day.weekday.into(), from: day.from.0, to: day.to.0 };
        Ok(Self {
            step_minutes: minutes(input.step_minutes),
            buffer_before_minutes: minutes(input.buffer_before_minutes),
            buffer_after_minutes: minutes(input.buffer_after_minutes),
            zone: input.time_zone.map_or_else(|| "UTC".to_owned(), |zone| zone.0),
            hours: input.working_hours.into_iter().map(day).collect(),
            users: all_named(&input.user_ids, "user", "userIds")?,
            rooms: input.rooms.map(choice).transpose()?.unwrap_or_default(),
            tentative_is_busy: input.tentative_is_busy,
            on_unknown: input.on_unknown.into(),
            on_unreadable: input.on_unreadable.into(),
            max_slots: usize::try_from(input.max_slots).unwrap_or_default(),
            ..Self::new(input.from.0, input.until.0, minutes(input.duration_minutes))
        })
    }
}

fn choice(rooms: RoomChoiceInput) -> Result<free::RoomChoice> {
    Ok(match rooms {
        RoomChoiceInput::All(ids) => free::RoomChoice::All(all_named(&ids, "room", "roomIds")?),
        RoomChoiceInput::AnyOf(ids) => free::RoomChoice::AnyOf(all_named(&ids, "room", "roomIds")?),
        RoomChoiceInput::AnyHolding(least) => free::RoomChoice::AnyHolding(least),
    })
}

/// Minutes that are not negative. A negative number is as wrong as one that is too large, and refused like it.
pub(crate) fn minutes(minutes: i32) -> u32 {
    u32::try_from(minutes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_number_of_minutes_is_not_taken_for_none() {
        assert_eq!(minutes(30), 30);
        assert_eq!(minutes(-1), u32::MAX);
    }
}
