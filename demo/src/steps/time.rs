//! Searches for a time at which three people and any of three rooms are free.

use chrono::{Duration, NaiveTime};
use domain::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};

use crate::{
    Demo,
    error::{Result, ensure, unexpected},
    graph::{list_at, string_at},
    plan::Step,
    state::Slot,
};

/// Time zone of the working hours.
pub(super) const TIME_ZONE: &str = "Europe/Berlin";
/// Length of a meeting in minutes.
const MINUTES: i64 = 30;
/// Number of days to search ahead.
const DAYS: i64 = 7;

const SEARCH: &str = "query($input: AvailabilityInput!) { availability(input: $input) {
    slots { start end rooms { id } }
    participants { holder { id name } known asOf reason { code } } } }";

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    demo.step(Step::FindTime, find_time).await
}

async fn find_time(demo: &mut Demo) -> Result<String> {
    let people: Vec<&str> = demo.state.made.people.iter().take(3).map(|person| person.id.as_str()).collect();
    let rooms: Vec<&str> = demo.state.made.rooms.iter().take(3).map(|room| room.id.as_str()).collect();
    let tomorrow = SystemClock.now().date_naive().and_time(NaiveTime::MIN).and_utc() + Duration::days(1);
    let input = json!({
        "from": tomorrow,
        "until": tomorrow + Duration::days(DAYS),
        "durationMinutes": MINUTES,
        "stepMinutes": MINUTES,
        "timeZone": TIME_ZONE,
        "workingHours": working_hours(),
        "userIds": people,
        "rooms": { "anyOf": rooms },
    });
    let found = demo.graph.query(SEARCH, json!({ "input": input })).await?;
    let participants = list_at(&found, "/availability/participants")?;
    ensure(participants.len() == people.len() + rooms.len(), || {
        format!("{} participants are answered for", participants.len())
    })?;
    let unknown = participants.iter().find(|participant| participant["known"] != true);
    ensure(unknown.is_none(), || format!("a calendar is not known: {}", unknown.unwrap_or(&Value::Null)))?;
    let slots = list_at(&found, "/availability/slots")?.iter().map(slot).collect::<Result<Vec<_>>>()?;
    let chosen = choose(&slots)?;
    let note = format!("{} times in {DAYS} days, the first at {}", slots.len(), chosen[0].start);
    demo.state.made.slots = chosen;
    Ok(note)
}

fn working_hours() -> Value {
    let day = |weekday: &str| json!({ "weekday": weekday, "from": "08:00", "to": "19:00" });
    ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"].map(day).to_vec().into()
}

fn slot(slot: &Value) -> Result<Slot> {
    let time = |pointer: &str| -> Result<Timestamp> {
        let text = string_at(slot, pointer)?;
        text.parse().map_err(|_| unexpected(format!("{text} is no time")))
    };
    let rooms = list_at(slot, "/rooms")?.iter().map(|room| Ok(string_at(room, "/id")?.to_owned()));
    Ok(Slot { start: time("/start")?, end: time("/end")?, rooms: rooms.collect::<Result<_>>()? })
}

/// Selects three slots that do not overlap or adjoin: one to book, one to which that booking is moved and in which the
/// same room is free, and one for the booking through the service account.
fn choose(slots: &[Slot]) -> Result<Vec<Slot>> {
    let too_few = || unexpected(format!("{} times are too few", slots.len()));
    for first in slots {
        let room = first.rooms.first().ok_or_else(|| unexpected("a time is offered without a room"))?;
        let later = |slot: &&Slot| slot.start > first.end && slot.rooms.contains(room);
        let Some(second) = slots.iter().find(later) else { continue };
        if let Some(third) = slots.iter().find(|slot| slot.start > second.end) {
            return Ok(vec![first.clone(), second.clone(), third.clone()]);
        }
    }
    Err(too_few())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(minute: i64, rooms: &[&str]) -> Slot {
        let start = Timestamp::UNIX_EPOCH + Duration::minutes(minute);
        let rooms = rooms.iter().map(|room| (*room).to_owned()).collect();
        Slot { start, end: start + Duration::minutes(MINUTES), rooms }
    }

    #[test]
    fn the_chosen_times_do_not_touch_and_the_room_can_stay() {
        let slots =
            [slot(0, &["a", "b"]), slot(30, &["a"]), slot(60, &["b"]), slot(90, &["a"]), slot(150, &["b"])];
        let minutes: Vec<i64> =
            choose(&slots).unwrap().iter().map(|slot| slot.start.timestamp() / 60).collect();
        assert_eq!(minutes, [0, 90, 150]);
        assert!(choose(&slots[..3]).is_err(), "too few times are said to be too few");
    }
}
