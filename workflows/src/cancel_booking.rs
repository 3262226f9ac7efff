//! Cancels a booking and notifies its attendees.
//!
//! Waits until the booking is no longer being written or moved, cancels the event in the calendar where it was
//! written, then frees the time. An event that is gone already is a success.

use domain::state::{BookingChangeKind, BookingState};
use domain::{Id, ids};
use engine::{Next, nothing};
use providers::ErrorKind;
use serde::{Deserialize, Serialize};
use services::{
    Change,
    bookings::{BookingDetails, TargetCalendar, effect_key, online_meeting_removal, time_of},
    change::BookingChange,
    run_inputs::CancelBooking as RunInput,
};

use crate::{
    Outcome, Step, StepContext, StepError, UndoOutcome, messages,
    move_booking::{cannot_have_changed, wait_for_others, wait_for_rooms_again},
    write_booking::{is_over, load_booking},
};

engine::workflow! {
    /// Cancels a booking and notifies its attendees.
    CancelBooking = "cancel_booking" v 1 (StepContext, Memory);

    // state    does         undone by   retry      then
    TakeOver:   take_over  | complain  | PATIENT  | [Cancel];
    Cancel:     cancel     | let_go    | PATIENT  | [Settle];
    Settle:     settle     | nothing   | STANDARD | [];
}

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
    let wait = wait_for_others(context, at, booking, &["write_booking", "move_booking"], &mut told).await;
    at.memory.told = told;
    Ok(wait?.unwrap_or(Next::Go(State::Cancel)))
}

async fn cancel(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let details = load_booking(context, at.tenant, at.memory.order.booking).await?;
    if is_over(&details) {
        return Ok(Next::Done);
    }
    let Some(target) =
        context.services.bookings().open_target_calendar(&context.services, &details.booking).await?
    else {
        return Ok(Next::Go(State::Settle));
    };
    match take_out(&target, &details, &at.memory.order.message).await {
        // The event has gone with its mailbox.
        Err(error) if error.kind != ErrorKind::NoMailbox => Err(error.into()),
        _ => Ok(Next::Go(State::Settle)),
    }
}

async fn take_out(target: &TargetCalendar, details: &BookingDetails, message: &str) -> providers::Result<()> {
    let (session, mailbox) = (&target.session, &target.via.mailbox);
    let external = match details.booking.external_id.clone() {
        Some(external) => Some(external),
        // Written perhaps, but never recorded: its run was stopped half-way.
        None => {
            let found = target.provider.find_event(session, mailbox, &effect_key(&details.booking)).await?;
            found.map(|event| event.id)
        }
    };
    if let Some(external) = external {
        target.provider.cancel_event(session, mailbox, &external, message).await?;
    }
    // The organiser may have deleted the event by hand; then nothing but the booking knows its rooms.
    let rooms = details.participants.iter().filter(|one| one.room_id.is_some());
    let rooms: Vec<String> = rooms.map(|room| room.address.clone()).collect();
    target.provider.remove_copies(session, mailbox, &effect_key(&details.booking), &rooms).await
}

/// Finishes a cancellation whose event is already cancelled and cannot be restored: the booking is cancelled as
/// well.
async fn let_go(context: &StepContext, at: &mut Step<Memory>) -> UndoOutcome {
    let details = load_booking(context, at.tenant, at.memory.order.booking).await?;
    if !is_over(&details) && !stands(context, &details).await? {
        cancelled(context, at, &details).await?;
    }
    Ok(())
}

/// Whether the event is still in the calendar. A calendar that denies access cannot have cancelled the event
/// either.
async fn stands(context: &StepContext, details: &BookingDetails) -> Result<bool, StepError> {
    let target =
        match context.services.bookings().open_target_calendar(&context.services, &details.booking).await {
            Ok(Some(target)) => target,
            Ok(None) => return Ok(false),
            Err(services::Error::Provider(error)) if cannot_have_changed(&error) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
    let (session, mailbox) = (&target.session, &target.via.mailbox);
    let found = match details.booking.external_id.as_deref() {
        Some(external) => target.provider.event(session, mailbox, external).await,
        None => target.provider.find_event(session, mailbox, &effect_key(&details.booking)).await,
    };
    match found {
        Ok(event) => Ok(event.is_some()),
        Err(error) if error.kind == ErrorKind::NoMailbox => Ok(false),
        Err(error) if cannot_have_changed(&error) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

async fn settle(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let details = load_booking(context, at.tenant, at.memory.order.booking).await?;
    cancelled(context, at, &details).await?;
    Ok(Next::Done)
}

/// Marks the booking as cancelled and releases its time.
async fn cancelled(
    context: &StepContext,
    at: &mut Step<Memory>,
    details: &BookingDetails,
) -> Result<(), StepError> {
    let RunInput { booking, by, .. } = at.memory.order.clone();
    at.add_change(Change::Booking(BookingChange {
        id: booking,
        state: Some(BookingState::Cancelled),
        reason: Some(None),
        meeting: online_meeting_removal(&details.booking),
        free: true,
        record: Some((BookingChangeKind::Cancelled, time_of(&details.booking), by)),
        ..BookingChange::default()
    }));
    if let (Some(external), Some(uid)) =
        (details.booking.external_id.as_deref(), details.booking.event_uid.as_deref())
    {
        let own = context
            .services
            .bookings()
            .build_own_event(&context.services, details, (external, uid), None)
            .await?;
        at.add_change(Change::OwnEvent(own));
    }
    Ok(())
}

/// Leaves the booking unchanged and records why it was not cancelled.
async fn complain(context: &StepContext, at: &mut Step<Memory>) -> UndoOutcome {
    let details = load_booking(context, at.tenant, at.memory.order.booking).await?;
    if is_over(&details) {
        return Ok(());
    }
    let again = messages::cancel_again();
    let reason = at.failure.clone().map(|reason| reason.with_next_action(again));
    at.add_change(Change::Booking(BookingChange {
        id: details.booking.id,
        reason: Some(reason),
        ..BookingChange::default()
    }));
    wait_for_rooms_again(at, &details);
    Ok(())
}
