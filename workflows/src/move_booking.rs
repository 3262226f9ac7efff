//! Moves a written booking.
//!
//! Enqueued with the new time blocked beside the old one. The event is changed in the calendar to which it was
//! written, whatever the current service account; then the old time is released and the rooms are invited again. If
//! the calendar refuses, the event keeps its time, the new time is released and the booking gives the reason.

use chrono::Duration;
use domain::{
    Id, Reason, ids,
    state::{Answer, BookingChangeKind, BookingState, Lane},
};
use engine::{Next, nothing};
use providers::{ErrorKind, EventChange};
use serde::{Deserialize, Serialize};
use services::{
    Change,
    bookings::{BookingDetails, awaits_online_meeting},
    change::BookingChange,
    health,
    run_inputs::{self, MoveBooking as RunInput},
};

use crate::{
    Outcome, Step, StepContext, StepError, UndoOutcome, messages,
    write_booking::{SUPERSEDED_SIGNAL, is_awaiting_rooms, is_over, load_booking, target_calendar},
};

engine::workflow! {
    /// Moves a written booking to another time.
    MoveBooking = "move_booking" v 1 (StepContext, Memory);

    // state    does         undone by   retry      then
    TakeOver:   take_over  | stay      | PATIENT  | [Change];
    Change:     change     | put_back  | STANDARD | [Settle];
    Settle:     settle     | nothing   | STANDARD | [];
}

/// Why a move fails whose event was deleted.
const EVENT_GONE: &str = "EVENT_GONE";

/// State of the run that is kept between steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    order: RunInput,
    /// The runs that were signalled to stop.
    #[serde(default)]
    #[serde(with = "domain::ids::plain")]
    told: Vec<Id<ids::Run>>,
}

async fn take_over(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let booking = at.memory.order.booking;
    let mut told = std::mem::take(&mut at.memory.told);
    let wait = wait_for_others(context, at, booking, &["write_booking"], &mut told).await;
    at.memory.told = told;
    if let Some(wait) = wait? {
        return Ok(wait);
    }
    // A move that failed has given the new time back; when it is retried, somebody else may have it.
    let details = load_booking(context, at.tenant, booking).await?;
    if !context.services.booking_occupies(&details.booking, at.memory.order.to).await? {
        return Err(StepError::fail("SLOT_TAKEN", messages::slot_taken()));
    }
    Ok(Next::Go(State::Change))
}

/// Waits until earlier runs of a booking have ended, so that only one is active at a time. A run that waits for rooms
/// is signalled to stop.
pub(crate) async fn wait_for_others<M, S>(
    context: &StepContext,
    at: &mut Step<M>,
    booking: Id<ids::Booking>,
    workflows: &[&str],
    told: &mut Vec<Id<ids::Run>>,
) -> Result<Option<Next<S>>, StepError> {
    let live = context.services.live_booking_runs(at.tenant, booking).await?;
    let is_earlier =
        |run: &entity::run::Model| run.id != at.run && workflows.contains(&run.workflow.as_str());
    let earlier: Vec<_> = live.into_iter().filter(is_earlier).collect();
    if earlier.is_empty() {
        return Ok(None);
    }
    for run in earlier {
        if is_awaiting_rooms(&run) && !told.contains(&run.id) {
            told.push(run.id);
            let payload = serde_json::Value::Null;
            at.add_change(Change::Signal { run: run.id, name: SUPERSEDED_SIGNAL, payload });
        }
    }
    Ok(Some(Next::Wait { until: Some(at.now + Duration::seconds(1)), or: None }))
}

async fn change(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let details = load_booking(context, at.tenant, at.memory.order.booking).await?;
    let (false, Some(external)) = (is_over(&details), details.booking.external_id.as_deref()) else {
        return Err(StepError::fail("BOOKING_OVER", messages::booking_over()));
    };
    let target = target_calendar(context, &details).await?;
    let change = EventChange {
        range: Some(at.memory.order.to),
        zone: Some(details.booking.time_zone.clone()),
        ..EventChange::default()
    };
    let changed = target.provider.update_event(&target.session, &target.via.mailbox, external, &change).await;
    match changed {
        Ok(_) => Ok(Next::Go(State::Settle)),
        Err(error) if error.kind == ErrorKind::Gone => Err(StepError::from_reason(event_gone())),
        Err(error) => Err(error.into()),
    }
}

fn event_gone() -> Reason {
    Reason::new(EVENT_GONE, messages::event_gone()).with_next_action(messages::cancel_or_book_again())
}

async fn settle(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let RunInput { booking, from, to, by } = at.memory.order.clone();
    let details = load_booking(context, at.tenant, booking).await?;
    let target = target_calendar(context, &details).await?;
    let rooms = details.participants.iter().filter(|one| one.room_id.is_some());
    // Where rooms do not answer by themselves, the connector has moved their entries too: they stay accepted.
    let answer = if target.provider.features().rooms_answer { Answer::None } else { Answer::Accepted };
    let answers: Vec<_> = rooms.map(|room| (room.address.clone(), answer)).collect();
    let asks = !answers.is_empty() && answer == Answer::None;
    at.add_change(Change::Booking(BookingChange {
        id: booking,
        state: Some(if asks { BookingState::RoomPending } else { BookingState::Confirmed }),
        reason: Some(None),
        time: Some(to),
        answers,
        record: Some((BookingChangeKind::Moved, from, by)),
        ..BookingChange::default()
    }));
    if let (Some(external), Some(uid)) =
        (details.booking.external_id.as_deref(), details.booking.event_uid.as_deref())
    {
        let own = context.services.build_own_event(&details, (external, uid), Some(to)).await?;
        at.add_change(Change::OwnEvent(own));
    }
    if asks || awaits_online_meeting(&details.booking) {
        at.add_change(Change::RunInput(
            run_inputs::RunInput::WriteBooking(run_inputs::WriteBooking { booking }),
            Lane::Interactive,
        ));
    }
    Ok(Next::Done)
}

/// Moves the event back to its old time, if it was moved.
async fn put_back(context: &StepContext, at: &mut Step<Memory>) -> UndoOutcome {
    let details = load_booking(context, at.tenant, at.memory.order.booking).await?;
    let Some(external) = details.booking.external_id.as_deref() else { return Ok(()) };
    let from = at.memory.order.from;
    let target = match context.services.open_target_calendar(&details.booking).await {
        Ok(Some(target)) => target,
        Ok(None) => return Ok(()),
        Err(services::Error::Provider(error)) if cannot_have_changed(&error) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let (session, mailbox) = (&target.session, &target.via.mailbox);
    let restored = match target.provider.event(session, mailbox, external).await {
        Ok(Some(event)) if event.range != from => {
            let change = EventChange {
                range: Some(from),
                zone: Some(details.booking.time_zone.clone()),
                ..EventChange::default()
            };
            target.provider.update_event(session, mailbox, external, &change).await.map(|_| ())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    match restored {
        Err(error) if cannot_have_changed(&error) => Ok(()),
        other => Ok(other?),
    }
}

/// Whether the error proves that the event was not changed, because the calendar denied access.
pub(crate) fn cannot_have_changed(error: &providers::Error) -> bool {
    health::is_refusal(error)
        || matches!(
            error.kind,
            ErrorKind::GrantLost | ErrorKind::NoMailbox | ErrorKind::NotServed | ErrorKind::Gone
        )
}

/// Leaves the booking at its old time and records why.
async fn stay(context: &StepContext, at: &mut Step<Memory>) -> UndoOutcome {
    let details = load_booking(context, at.tenant, at.memory.order.booking).await?;
    at.add_change(Change::Booking(BookingChange {
        id: details.booking.id,
        reason: Some(at.failure.clone()),
        time: Some(at.memory.order.from),
        ..BookingChange::default()
    }));
    if at.failure.as_ref().is_some_and(|reason| reason.code == EVENT_GONE) {
        let order = run_inputs::FollowBooking { booking: details.booking.id };
        at.add_change(Change::RunInput(run_inputs::RunInput::FollowBooking(order), Lane::Interactive));
    }
    wait_for_rooms_again(at, &details);
    Ok(())
}

/// Enqueues a run that waits for the rooms, replacing the one that was stopped.
pub(crate) fn wait_for_rooms_again<M>(at: &mut Step<M>, details: &BookingDetails) {
    let waited =
        matches!(details.booking.state.known(), Some(BookingState::Written | BookingState::RoomPending));
    if waited || awaits_online_meeting(&details.booking) {
        let order = run_inputs::WriteBooking { booking: details.booking.id };
        at.add_change(Change::RunInput(run_inputs::RunInput::WriteBooking(order), Lane::Interactive));
    }
}
