//! Bookings: in the organiser's own calendar, through the service account, moved and cancelled. Each result is checked
//! at the provider.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    by_hand,
    provider::{EventKey, ProviderEvent, find_events},
    time::TIME_ZONE,
};
use crate::{
    Demo,
    backoff::{PollResult, poll_until},
    error::{Result, ensure, unexpected},
    graph::{list_at, string_at},
    plan::{CalendarSystem, Step},
    state::{BookingRecord, Person, Slot},
};

const WRITTEN: Duration = Duration::from_mins(2);
pub(super) const OWN: &str = "own";
const SERVICE: &str = "service";
const MARK: &str = "This booking has been made via a service account";

const CREATE: &str = "mutation($input: CreateBookingInput!) {
    createBooking(input: $input) { booking { id } run { id } notice userErrors { code message } } }";
const MOVE: &str = "mutation($input: MoveBookingInput!) {
    moveBooking(input: $input) { booking { id } userErrors { code message } } }";
const CANCEL: &str = "mutation($input: CancelBookingInput!) {
    cancelBooking(input: $input) { booking { id } userErrors { code message } } }";
const BOOKING: &str = "query($id: ID!) { booking(id: $id) {
    state reason { code message } start writtenVia mailbox serviceAccountLabel organiserLine
    participants { kind answer } run { status } changes { what } } }";

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    demo.step(Step::Book, book).await?;
    demo.step(Step::RoomAnswer, room_answer).await?;
    demo.step(Step::BookByService, book_by_service).await?;
    demo.step(Step::Marked, marked).await?;
    demo.step(Step::Move, move_on).await?;
    by_hand::run(demo).await?;
    demo.step(Step::Cancel, cancel).await
}

/// Parameters of a booking to create.
struct BookingRequest<'a> {
    what: &'a str,
    title: String,
    organiser: Person,
    others: Vec<Person>,
    slot: Slot,
    ignore_unknown: bool,
}

async fn book(demo: &mut Demo) -> Result<String> {
    let people = demo.state.made.people.clone();
    let [organiser, others @ ..] = people.as_slice() else { return Err(unexpected("there are no people")) };
    let wish = BookingRequest {
        what: OWN,
        title: format!("Interview ({})", demo.state.made.name),
        organiser: organiser.clone(),
        others: others.iter().take(2).cloned().collect(),
        slot: slot(demo, 0)?,
        ignore_unknown: false,
    };
    let (booked, seen) = create(demo, &wish).await?;
    let via = string_at(&seen, "/writtenVia")?;
    ensure(via == "ORGANISER", || format!("it was written via {via}"))?;
    ensure(seen["serviceAccountLabel"].is_null(), || "it is marked as a service account's".to_owned())?;
    let is_own = booked.mailbox.eq_ignore_ascii_case(&organiser.address);
    ensure(is_own, || format!("it was written to {}", booked.mailbox))?;
    both_hold_it(demo, &booked, &wish.slot).await?;
    Ok(format!(
        "in the calendar of {} with two people and a room, state {}",
        organiser.name,
        string_at(&seen, "/state")?
    ))
}

async fn room_answer(demo: &mut Demo) -> Result<String> {
    let booked = booked(demo, OWN)?;
    let seen = settled(demo, &booked.id, &["CONFIRMED"]).await?;
    let room = list_at(&seen, "/participants")?.iter().find(|one| one["kind"] == "ROOM").cloned();
    let answer = room.ok_or_else(|| unexpected("no room takes part"))?;
    ensure(answer["answer"] == "ACCEPTED", || format!("the room answered {}", answer["answer"]))?;
    if let Some(uid) = &booked.uid {
        let held = find_events(demo, &booked.room, EventKey::Uid(uid)).await?.unwrap_or_default();
        let accepted = held.iter().all(|event| event.response == "accepted");
        ensure(accepted, || format!("at the provider the room answered {held:?}"))?;
    }
    Ok("ACCEPTED, so the booking is CONFIRMED".to_owned())
}

async fn book_by_service(demo: &mut Demo) -> Result<String> {
    let organiser = demo.state.made.outsider.clone().ok_or_else(|| unexpected("nobody is out of reach"))?;
    let wish = BookingRequest {
        what: SERVICE,
        title: format!("Visit ({})", demo.state.made.name),
        organiser: organiser.clone(),
        others: demo.state.made.people.iter().take(1).cloned().collect(),
        slot: slot(demo, 2)?,
        ignore_unknown: true,
    };
    let (booked, seen) = create(demo, &wish).await?;
    let via = string_at(&seen, "/writtenVia")?;
    ensure(via == "SERVICE_ACCOUNT", || format!("it was written via {via}"))?;
    let label = string_at(&seen, "/serviceAccountLabel")?;
    ensure(label == MARK, || format!("the label is \"{label}\""))?;
    let line = string_at(&seen, "/organiserLine")?;
    let expected = format!("Organised by {}", organiser.name);
    ensure(line == expected, || format!("the organiser line is \"{line}\" and not \"{expected}\""))?;
    let service = demo.state.made.service_mailbox.clone().unwrap_or_default();
    ensure(booked.mailbox.eq_ignore_ascii_case(&service), || {
        format!("it was written to {}", booked.mailbox)
    })?;
    Ok(format!("for {} in {}, state {}", organiser.name, booked.mailbox, string_at(&seen, "/state")?))
}

/// Checks at the provider that the event contains the label and the organiser's name.
async fn marked(demo: &mut Demo) -> Result<String> {
    let booked = booked(demo, SERVICE)?;
    let organiser = demo.state.made.outsider.as_ref().map(|person| person.name.clone()).unwrap_or_default();
    let Some(event) =
        one_event(demo, &booked.mailbox, EventKey::Title(&booked.title), &slot(demo, 2)?).await?
    else {
        return Ok("in the API; nobody can look at the provider".to_owned());
    };
    for line in [MARK.to_owned(), format!("Organised by {organiser}")] {
        ensure(event.text.contains(&line), || format!("the event does not say \"{line}\": {}", event.text))?;
    }
    Ok(format!("\"{MARK}\", \"Organised by {organiser}\""))
}

async fn move_on(demo: &mut Demo) -> Result<String> {
    let (booked, to) = (booked(demo, OWN)?, slot(demo, 1)?);
    let key = demo.state.idempotency_key("move")?;
    let input = json!({ "id": booked.id, "start": to.start, "end": to.end, "idempotencyKey": key });
    demo.graph.mutate(MOVE, json!({ "input": input })).await?;
    let seen = poll_until("the move", WRITTEN, async || {
        let seen = read(demo, &booked.id).await?;
        let start = string_at(&seen, "/start")?.parse() == Ok(to.start);
        let is_there = start && is_quiet(&seen) && string_at(&seen, "/state")? == "CONFIRMED";
        Ok(if is_there { PollResult::Done(seen) } else { PollResult::NotYet(seen.to_string()) })
    })
    .await?;
    both_hold_it(demo, &booked, &to).await?;
    Ok(format!("to {}, state {}", to.start, string_at(&seen, "/state")?))
}

async fn cancel(demo: &mut Demo) -> Result<String> {
    let booked = booked(demo, OWN)?;
    let key = demo.state.idempotency_key("cancel")?;
    let input = json!({ "id": booked.id, "message": "The demo is over.", "idempotencyKey": key });
    demo.graph.mutate(CANCEL, json!({ "input": input })).await?;
    settled(demo, &booked.id, &["CANCELLED"]).await?;
    let Some(uid) = &booked.uid else {
        return Ok("CANCELLED; nobody can look at the provider".to_owned());
    };
    for mailbox in [&booked.mailbox, &booked.room] {
        let left = find_events(demo, mailbox, EventKey::Uid(uid)).await?.unwrap_or_default();
        ensure(left.is_empty(), || format!("the event is still in {mailbox}: {left:?}"))?;
    }
    Ok("CANCELLED, and the event is gone".to_owned())
}

/// Creates a booking, or finds the one created with the same key, and waits until it is written.
async fn create(demo: &mut Demo, request: &BookingRequest<'_>) -> Result<(BookingRecord, Value)> {
    let room = request.slot.rooms.first().ok_or_else(|| unexpected("no room is free"))?;
    let key = demo.state.idempotency_key(request.what)?;
    let others: Vec<&str> = request.others.iter().map(|person| person.id.as_str()).collect();
    let input = json!({
        "organiserId": request.organiser.id,
        "title": request.title,
        "description": "Made by the demo.",
        "start": request.slot.start,
        "end": request.slot.end,
        "timeZone": TIME_ZONE,
        "userIds": others,
        "roomIds": [room],
        "ignoreUnknown": request.ignore_unknown,
        "idempotencyKey": key,
    });
    let made = demo.graph.mutate(CREATE, json!({ "input": input })).await?;
    let id = string_at(&made, "/booking/id")?.to_owned();
    let seen = settled(demo, &id, first_state(demo.system)).await?;
    let known = demo.state.made.rooms.iter().find(|known| known.id == *room);
    let known = known.ok_or_else(|| unexpected(format!("the room {room} is not known")))?;
    let mailbox = string_at(&seen, "/mailbox")?.to_owned();
    let event = one_event(demo, &mailbox, EventKey::Title(&request.title), &request.slot).await?;
    let booked = BookingRecord {
        id,
        title: request.title.clone(),
        mailbox,
        room: known.address.clone(),
        uid: event.map(|event| event.uid),
    };
    demo.state.made.bookings.insert(request.what.to_owned(), booked.clone());
    demo.state.save()?;
    Ok((booked, seen))
}

/// The possible states of a booking directly after its event was written.
const fn first_state(system: CalendarSystem) -> &'static [&'static str] {
    match system {
        CalendarSystem::Microsoft365 | CalendarSystem::GoogleWorkspace | CalendarSystem::Exchange => {
            &["WRITTEN", "ROOM_PENDING", "CONFIRMED"]
        }
        CalendarSystem::CalDav => &["CONFIRMED"],
    }
}

async fn settled(demo: &Demo, id: &str, wanted: &[&str]) -> Result<Value> {
    poll_until(&format!("the booking's state {}", wanted.join(" or ")), WRITTEN, async || {
        let seen = read(demo, id).await?;
        let state = string_at(&seen, "/state")?;
        if wanted.contains(&state) {
            return Ok(PollResult::Done(seen));
        }
        ensure(!matches!(state, "FAILED" | "ROOM_DECLINED"), || format!("{state}: {}", seen["reason"]))?;
        Ok(PollResult::NotYet(format!("{state} {}", seen["reason"])))
    })
    .await
}

fn is_quiet(seen: &Value) -> bool {
    matches!(seen["run"]["status"].as_str(), Some("DONE" | "FAILED" | "CANCELLED") | None)
}

pub(super) async fn read(demo: &Demo, id: &str) -> Result<Value> {
    let mut read = demo.graph.query(BOOKING, json!({ "id": id })).await?;
    ensure(!read["booking"].is_null(), || format!("there is no booking {id}"))?;
    Ok(read["booking"].take())
}

/// Checks that the target calendar and the room's calendar contain the event exactly once.
async fn both_hold_it(demo: &Demo, booked: &BookingRecord, slot: &Slot) -> Result<()> {
    for mailbox in [&booked.mailbox, &booked.room] {
        if let Some(uid) = &booked.uid {
            one_event(demo, mailbox, EventKey::Uid(uid), slot).await?;
        }
    }
    Ok(())
}

/// Checks that there is exactly one event at the right time; `None` if the provider cannot be queried.
pub(super) async fn one_event(
    demo: &Demo,
    mailbox: &str,
    mark: EventKey<'_>,
    slot: &Slot,
) -> Result<Option<ProviderEvent>> {
    let Some(mut found) = find_events(demo, mailbox, mark).await? else { return Ok(None) };
    ensure(found.len() == 1, || format!("{mailbox} holds {} events and not one: {found:?}", found.len()))?;
    ensure(found[0].starts_at(slot.start), || format!("{found:?} does not begin at {}", slot.start))?;
    ensure(found[0].is_in_target, || format!("{found:?} is not in the default calendar of {mailbox}"))?;
    Ok(found.pop())
}

pub(super) fn booked(demo: &Demo, what: &str) -> Result<BookingRecord> {
    demo.state.made.bookings.get(what).cloned().ok_or_else(|| unexpected("there is no booking"))
}

pub(super) fn slot(demo: &Demo, index: usize) -> Result<Slot> {
    demo.state.made.slots.get(index).cloned().ok_or_else(|| unexpected("no time was found"))
}
