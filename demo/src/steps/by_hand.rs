//! Does with an event what people do in their calendars, and sees the booking follow: moves it, deletes it, and has it
//! written again.

use std::time::Duration;

use domain::TimeRange;
use serde_json::{Value, json};

use super::{
    booking::{OWN, booked, one_event, read, slot},
    provider::EventKey,
};
use crate::{
    Demo,
    backoff::{PollResult, poll_until},
    error::{Result, ensure, unexpected},
    graph::string_at,
    plan::Step,
    state::BookingRecord,
};

/// How long the change may take to be noticed where the provider reports none: until the calendar is read again.
const NOTICED: Duration = Duration::from_mins(15);
/// Time after which the demo has the calendar read instead of waiting for the next period.
const NUDGE: Duration = Duration::from_secs(10);

const RESTORE: &str = "mutation($input: RestoreBookingInput!) {
    restoreBooking(input: $input) { booking { id } userErrors { code message } } }";
const MAILBOXES: &str =
    "query($id: ID!) { node(id: $id) { ... on User { calendar { connectedMailbox { id } } } } }";
const READ_AGAIN: &str = "mutation($input: ActivateConnectedMailboxInput!) {
    activateConnectedMailbox(input: $input) { run { id } userErrors { code message } } }";

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    demo.step(Step::MoveByHand, move_by_hand).await?;
    demo.step(Step::DeleteByHand, delete_by_hand).await?;
    demo.step(Step::Restore, restore).await
}

async fn move_by_hand(demo: &mut Demo) -> Result<String> {
    let (booked, to) = (booked(demo, OWN)?, slot(demo, 0)?);
    let time = TimeRange::new(to.start, to.end).ok_or_else(|| unexpected("the time has no length"))?;
    let uid = booked.uid.clone().unwrap_or_default();
    if let (Some(sandbox), Some(organisation)) = (&demo.sandbox, &demo.state.made.organisation) {
        sandbox.move_event(organisation, &booked.mailbox, &uid, time).await?;
    } else if let Some(dav) = &demo.dav {
        dav.move_event(&booked.mailbox, &uid, time, demo.password()).await?;
    } else {
        ask(
            demo,
            &format!(
                "Move the event \"{}\" in the calendar of {} to {}",
                booked.title, booked.mailbox, to.start
            ),
        );
    }
    let is_moved = |seen: &Value| string_at(seen, "/start").is_ok_and(|start| start.parse() == Ok(to.start));
    noticed(demo, &booked, is_moved).await?;
    Ok(format!("the booking is at {} now", to.start))
}

async fn delete_by_hand(demo: &mut Demo) -> Result<String> {
    let booked = booked(demo, OWN)?;
    let uid = booked.uid.clone().unwrap_or_default();
    if let (Some(sandbox), Some(organisation)) = (&demo.sandbox, &demo.state.made.organisation) {
        sandbox.delete_event(organisation, &booked.mailbox, &uid).await?;
    } else if let Some(dav) = &demo.dav {
        dav.delete_event(&booked.mailbox, &uid, demo.password()).await?;
    } else {
        ask(demo, &format!("Delete the event \"{}\" from the calendar of {}", booked.title, booked.mailbox));
    }
    let seen = noticed(demo, &booked, |seen| seen["state"] == "MISSING").await?;
    Ok(format!("MISSING: {}", string_at(&seen, "/reason/message")?))
}

async fn restore(demo: &mut Demo) -> Result<String> {
    let booked = booked(demo, OWN)?;
    let key = demo.state.idempotency_key("restore")?;
    let input = json!({ "id": booked.id, "idempotencyKey": key });
    demo.graph.mutate(RESTORE, json!({ "input": input })).await?;
    let seen = poll_until("the event that is written again", NOTICED, async || {
        let seen = read(demo, &booked.id).await?;
        Ok(if seen["state"] == "CONFIRMED" {
            PollResult::Done(seen)
        } else {
            PollResult::NotYet(seen.to_string())
        })
    })
    .await?;
    let event = one_event(demo, &booked.mailbox, EventKey::Title(&booked.title), &slot(demo, 0)?).await?;
    if let Some(event) = event {
        let fresh = BookingRecord { uid: Some(event.uid), ..booked };
        demo.state.made.bookings.insert(OWN.to_owned(), fresh);
        demo.state.save()?;
    }
    Ok(format!("written once more, state {}", string_at(&seen, "/state")?))
}

/// Waits until the booking has followed its event.
async fn noticed(demo: &Demo, booked: &BookingRecord, is_there: impl Fn(&Value) -> bool) -> Result<Value> {
    let wait = async |limit: Duration| {
        poll_until("the booking that follows its event", limit, async || {
            let seen = read(demo, &booked.id).await?;
            Ok(if is_there(&seen) { PollResult::Done(seen) } else { PollResult::NotYet(seen.to_string()) })
        })
        .await
    };
    if let Ok(seen) = wait(NUDGE).await {
        return Ok(seen);
    }
    read_calendar_again(demo, booked).await?;
    wait(NOTICED).await
}

/// Has the calendar read that contains the event.
async fn read_calendar_again(demo: &Demo, booked: &BookingRecord) -> Result<()> {
    let mut people = demo.state.made.people.iter();
    let owner = people.find(|person| person.address.eq_ignore_ascii_case(&booked.mailbox));
    let owner = owner.ok_or_else(|| unexpected(format!("nobody owns {}", booked.mailbox)))?;
    let found = demo.graph.query(MAILBOXES, json!({ "id": owner.id })).await?;
    let mailbox = string_at(&found, "/node/calendar/connectedMailbox/id")?;
    ensure(!mailbox.is_empty(), || format!("{} is not connected", booked.mailbox))?;
    demo.graph.mutate(READ_AGAIN, json!({ "input": { "id": mailbox } })).await.map(drop)
}

/// Without a sandbox a person does it.
fn ask(demo: &Demo, what: &str) {
    demo.report.print_line(&format!("\n{what}.\n"));
}
