//! Inputs of an availability search.

use async_graphql::{Enum, ID, InputObject, OneofObject};
use services::{
    Refusal,
    availability::{self as free, DayHours, Query},
};

use crate::graphql::{
    context::parse_ids,
    failure::{Failure, Result},
    scalar::{DateTime, LocalTime, TimeZone},
};

/// Maximum number of spans of working hours in one search.
const MOST_SPANS: usize = 50;

/// Parameters of an availability search.
#[derive(InputObject)]
pub struct AvailabilityInput {
    /// Start of the search window and of the first candidate slot; a further candidate starts every `stepMinutes`
    /// minutes.
    from: DateTime,
    /// End of the search window, at most 62 days after `from`.
    until: DateTime,
    /// Length of a slot in minutes, 1 to 1440.
    duration_minutes: i32,
    /// Interval between the starts of two candidate slots in minutes, 1 to 1440.
    #[graphql(default = 15)]
    step_minutes: i32,
    /// Time that must be free before a slot, in minutes, 0 to 240.
    #[graphql(default)]
    buffer_before_minutes: i32,
    /// Time that must be free after a slot, in minutes, 0 to 240.
    #[graphql(default)]
    buffer_after_minutes: i32,
    /// Time zone of the working hours; defaults to UTC.
    time_zone: Option<TimeZone>,
    /// Working hours, up to 50 time ranges. Slots outside all of them are not offered. If empty, slots are offered at
    /// any time of day.
    #[graphql(default)]
    working_hours: Vec<WorkingHoursInput>,
    /// Identifiers of the users who must be free, up to 100.
    #[graphql(default)]
    user_ids: Vec<ID>,
    /// Rooms that must be free; omit if no room is needed.
    rooms: Option<RoomChoiceInput>,
    /// Whether tentative events count as busy.
    #[graphql(default = true)]
    tentative_is_busy: bool,
    /// How to treat participants whose calendar is unknown: never read, not read recently enough, or read for only
    /// part of the search window.
    #[graphql(default_with = "OnUnknown::Refuse")]
    on_unknown: OnUnknown,
    /// How to treat calendar items that cannot be read and whose times are unknown. By default such items block no
    /// time and are counted in `ParticipantStatus.unreadable`.
    #[graphql(default_with = "OnUnreadable::Offer")]
    on_unreadable: OnUnreadable,
    /// Maximum number of slots to return, 1 to 1000.
    #[graphql(default = 200)]
    max_slots: i32,
}

/// One range of working hours on one day of the week.
#[derive(InputObject)]
pub struct WorkingHoursInput {
    /// Day of the week on which the range starts.
    weekday: Weekday,
    /// Local time at which the range starts.
    from: LocalTime,
    /// Local time at which the range ends; on the following day unless it is later than `from`.
    to: LocalTime,
}

/// Selects the rooms that must be free. Specify exactly one field.
#[derive(OneofObject)]
pub enum RoomChoiceInput {
    /// All of these rooms must be free; up to 100 ids.
    All(Vec<ID>),
    /// One of these rooms must be free; up to 100 ids.
    AnyOf(Vec<ID>),
    /// One room with at least this many seats must be free; the 100 smallest such rooms are considered.
    AnyHolding(i32),
}

/// How an availability search treats a participant whose calendar is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "free::UnknownCalendarPolicy")]
pub enum OnUnknown {
    /// No slot is offered.
    Refuse,
    /// The participant counts as free, except for the times of Muster's own bookings.
    Ignore,
}

/// How to treat calendar items that cannot be read and whose times are unknown. Unreadable items whose times are
/// partly known always count as busy for as long as they may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "free::UnreadableItemPolicy")]
pub enum OnUnreadable {
    /// The item blocks no time.
    Offer,
    /// The calendar's availability is treated as unknown: every slot is refused with `CALENDAR_UNREADABLE`.
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
                Refusal::new("TOO_MANY", format!("Give at most {MOST_SPANS} spans of working hours."));
            return Err(refusal.at("workingHours").exceeding(MOST_SPANS, spans).into());
        }
        let day =
            |day: WorkingHoursInput| DayHours { weekday: day.weekday.into(), from: day.from.0, to: day.to.0 };
        Ok(Self {
            step_minutes: to_unsigned_minutes(input.step_minutes),
            buffer_before_minutes: to_unsigned_minutes(input.buffer_before_minutes),
            buffer_after_minutes: to_unsigned_minutes(input.buffer_after_minutes),
            zone: input.time_zone.map_or_else(|| "UTC".to_owned(), |zone| zone.0),
            hours: input.working_hours.into_iter().map(day).collect(),
            users: parse_ids(&input.user_ids, "user", "userIds")?,
            rooms: input.rooms.map(choice).transpose()?.unwrap_or_default(),
            tentative_is_busy: input.tentative_is_busy,
            on_unknown: input.on_unknown.into(),
            on_unreadable: input.on_unreadable.into(),
            max_slots: usize::try_from(input.max_slots).unwrap_or_default(),
            ..Self::new(input.from.0, input.until.0, to_unsigned_minutes(input.duration_minutes))
        })
    }
}

fn choice(rooms: RoomChoiceInput) -> Result<free::RoomChoice> {
    Ok(match rooms {
        RoomChoiceInput::All(ids) => free::RoomChoice::All(parse_ids(&ids, "room", "roomIds")?),
        RoomChoiceInput::AnyOf(ids) => free::RoomChoice::AnyOf(parse_ids(&ids, "room", "roomIds")?),
        RoomChoiceInput::AnyHolding(least) => free::RoomChoice::AnyHolding(least),
    })
}

/// Converts minutes to an unsigned number; negative input becomes a value that validation rejects as too large.
pub(crate) fn to_unsigned_minutes(minutes: i32) -> u32 {
    u32::try_from(minutes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_number_of_minutes_is_not_taken_for_none() {
        assert_eq!(to_unsigned_minutes(30), 30);
        assert_eq!(to_unsigned_minutes(-1), u32::MAX);
    }
}
