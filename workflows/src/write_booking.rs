//! Writes a booking to a calendar, and waits for its rooms and its online meeting.
//!
//! Enqueued when a booking is created, whose time is blocked already. The event is written to the organiser's own
//! calendar if possible, otherwise to that of the service mailbox: the decision is recorded before anything is
//! sent. If the event cannot be written, nothing is left at the provider, the time is released and the booking
//! gives the reason. A booking that was moved runs this workflow again to wait for its rooms.

mod meeting;
mod rooms;

use domain::{
    Id, Reason, Route as Reached, WrittenVia, ids,
    state::{BookingState, ConnectionState},
};
use engine::{Next, nothing};
use providers::{Event, NewEvent, Remedy};
use serde::{Deserialize, Serialize};
use services::{
    Change,
    bookings::{
        BookingDetails, TargetCalendar, build_event, effect_key, online_meeting_change,
        online_meeting_removal,
    },
    change::{BookingChange, ConnectionChange},
    health::{self, Diagnosis},
    run_inputs::WriteBooking as RunInput,
};

use self::rooms::await_rooms;
pub(crate) use self::rooms::standing;
use crate::{Outcome, Step, StepContext, StepError, UndoOutcome, messages};

engine::workflow! {
    /// Writes a booking to a calendar and waits for its rooms.
    WriteBooking = "write_booking" v 1 (StepContext, Memory);

    // state      does            undone by   retry      then
    Route:        route         | give_up   | STANDARD | [Write, AwaitRooms];
    Write:        write         | take_back | STANDARD | [Route, AwaitRooms, Abandon];
    Abandon:      abandon       | nothing   | NEVER    | [];
    AwaitRooms:   await_rooms   | nothing   | PATIENT  | [];
}

/// Name of the signal that another run takes over the booking.
pub(crate) const SUPERSEDED_SIGNAL: &str = "superseded";

/// Whether a run of this workflow has written the event and waits for the rooms' responses.
pub(crate) fn is_awaiting_rooms(run: &entity::run::Model) -> bool {
    run.state.as_ref().is_some_and(|state| *state == State::AwaitRooms.name())
}

/// Whether a run writes, moves or cancels a booking.
pub(crate) fn is_about_a_booking(run: &entity::run::Model) -> bool {
    matches!(run.workflow.as_str(), "write_booking" | "move_booking" | "cancel_booking")
}

/// State of the run that is kept between steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    order: RunInput,
    /// Mailboxes that refused this booking.
    #[serde(default)]
    without: Vec<String>,
    /// Whether this run has written the event.
    #[serde(default)]
    wrote: bool,
    /// Why no further mailbox is tried; `None` while others may be tried.
    #[serde(default)]
    abandoned: Option<Reason>,
    /// When the run began to wait for the rooms.
    #[serde(default)]
    asked_at: Option<domain::Timestamp>,
}

async fn route(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let details = details(context, at).await?;
    if is_over(&details) {
        return Ok(Next::Done);
    }
    if details.booking.external_id.is_some() {
        return Ok(Next::Go(State::AwaitRooms));
    }
    let via = context.services.choose_target(at.tenant, &details.booking, &at.memory.without).await?;
    let via = via.ok_or_else(|| {
        StepError::from_reason(
            Reason::new("NO_CALENDAR_TO_WRITE", messages::no_writable_calendar())
                .with_next_action(messages::activate_a_calendar()),
        )
    })?;
    at.add_change(Change::Booking(BookingChange {
        id: details.booking.id,
        via: Some(via),
        ..BookingChange::default()
    }));
    Ok(Next::Go(State::Write))
}

async fn write(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let details = details(context, at).await?;
    // Nobody is invited to a meeting that is over. The run may have waited for days.
    if details.booking.end_at <= at.now {
        let reason = Reason::new("IN_THE_PAST", messages::meeting_is_over());
        return Ok(abandon_because(at, reason.with_next_action(messages::book_a_later_time())));
    }
    let target = match target_calendar(context, &details).await {
        Ok(target) => target,
        // Without any consent there is nobody to ask.
        Err(StepError(engine::StepError::Fail(reason))) => return Ok(abandon_because(at, reason)),
        Err(passing) => return Err(passing),
    };
    match put(&target, &details, at.attempt > 0).await {
        Ok(event) => written(context, at, &target, &details, &event).await,
        Err(error) => refused(at, &target, error).await,
    }
}

/// Writes the event. An earlier attempt with an unknown outcome may have succeeded; the existing event is then
/// used.
async fn put(target: &TargetCalendar, details: &BookingDetails, again: bool) -> providers::Result<Event> {
    let (session, mailbox) = (&target.session, &target.via.mailbox);
    if again
        && let Some(event) =
            target.provider.find_event(session, mailbox, &effect_key(&details.booking)).await?
    {
        return Ok(event);
    }
    let event = build_event(details, &target.via);
    // The calendar that it was asked for may have become unreachable: the booking is worth more than its meeting.
    let online_meeting = event.online_meeting && target.provider.features().online_meetings;
    target.provider.create_event(session, mailbox, &NewEvent { online_meeting, ..event }).await
}

async fn written(
    context: &StepContext,
    at: &mut Step<Memory>,
    target: &TargetCalendar,
    details: &BookingDetails,
    event: &Event,
) -> Outcome<State> {
    let range = services::bookings::time_of(&details.booking);
    let ids = (event.id.as_str(), event.uid.as_str());
    let own = context.services.build_own_event(details, ids, Some(range)).await?;
    at.add_change(Change::Booking(BookingChange {
        id: details.booking.id,
        state: Some(BookingState::Written),
        reason: Some(None),
        event: Some((event.id.clone(), event.uid.clone())),
        meeting: online_meeting_change(
            &details.booking,
            target.provider.features(),
            event.online_meeting.as_ref(),
        ),
        ..BookingChange::default()
    }));
    at.add_change(Change::OwnEvent(own));
    at.memory.wrote = true;
    Ok(Next::Go(State::AwaitRooms))
}

/// Handles a refusal. A temporary error is retried; only a mailbox that cannot be reached at all leads to the
/// service account (S4.6).
async fn refused(at: &mut Step<Memory>, target: &TargetCalendar, error: providers::Error) -> Outcome<State> {
    let (integration, mailbox) = (&target.integration, target.via.mailbox.as_str());
    let (known_good, own) = (integration.known_good.as_deref(), target.session.own);
    match health::diagnose(&*target.provider, &target.session, known_good, mailbox, &error).await {
        Diagnosis::Passing(error) => Err(error.into()),
        Diagnosis::Lost(error) => {
            at.add_change(health::mark_integration_failing(integration.id, &error));
            Ok(abandon_because(at, health::provider_failure_reason(&error)))
        }
        Diagnosis::Refused if error.remedy == Remedy::SkipMailbox => {
            Ok(abandon_because(at, health::provider_failure_reason(&error)))
        }
        Diagnosis::Refused => Err(error.into()),
        Diagnosis::Mailbox => {
            at.memory.without.push(mailbox.to_owned());
            if let (WrittenVia::Organiser, Some(connection)) = (target.via.written_via, target.connection) {
                at.add_change(unreachable(connection, &error, own));
            }
            Ok(Next::Go(State::Route))
        }
    }
}

fn unreachable(connection: Id<ids::Connection>, error: &providers::Error, own: bool) -> Change {
    Change::Connection(ConnectionChange {
        id: connection,
        state: Some(ConnectionState::Unreachable),
        reason: Some(Some(health::mailbox_failure_reason(error, own))),
        route: Some(Reached::ServiceAccount),
        ..ConnectionChange::default()
    })
}

fn abandon_because(at: &mut Step<Memory>, reason: Reason) -> Next<State> {
    at.memory.abandoned = Some(match reason.next_action {
        Some(_) => reason,
        None => reason.with_next_action(messages::connect_again_then_book()),
    });
    Next::Go(State::Abandon)
}

/// Fails in a separate step, so that the results of the previous step are committed.
async fn abandon(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let unnamed = || Reason::new("NO_CALENDAR_TO_WRITE", messages::booking_not_written());
    Err(StepError::from_reason(at.memory.abandoned.clone().unwrap_or_else(unnamed)))
}

/// Cancels an event that may have been written, so that nothing is left at the provider.
async fn take_back(context: &StepContext, at: &mut Step<Memory>) -> UndoOutcome {
    let details = details(context, at).await?;
    let target = match context.services.open_target_calendar(&details.booking).await {
        Ok(Some(target)) => target,
        Ok(None) => return Ok(()),
        Err(services::Error::Provider(error)) if !at.memory.wrote && health::is_refusal(&error) => {
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let (session, mailbox) = (&target.session, &target.via.mailbox);
    let undone = match target.provider.find_event(session, mailbox, &effect_key(&details.booking)).await {
        Ok(Some(event)) => target.provider.cancel_event(session, mailbox, &event.id, "").await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    match undone {
        // A mailbox that never let us in holds nothing of ours.
        Err(error) if !at.memory.wrote && health::is_refusal(&error) => {}
        other => other?,
    }
    if let (true, Some(uid)) = (at.memory.wrote, details.booking.event_uid.as_deref()) {
        let external = details.booking.external_id.as_deref().unwrap_or_default();
        let own = context.services.build_own_event(&details, (external, uid), None).await?;
        at.add_change(Change::OwnEvent(own));
    }
    Ok(())
}

/// Marks the booking as failed, with the reason, and releases its time. A booking written by another run stays.
async fn give_up(context: &StepContext, at: &mut Step<Memory>) -> UndoOutcome {
    let details = details(context, at).await?;
    if is_over(&details) || (details.booking.external_id.is_some() && !at.memory.wrote) {
        return Ok(());
    }
    at.add_change(Change::Booking(BookingChange {
        id: details.booking.id,
        state: Some(BookingState::Failed),
        reason: Some(at.failure.clone()),
        meeting: online_meeting_removal(&details.booking),
        free: true,
        ..BookingChange::default()
    }));
    Ok(())
}

async fn details(context: &StepContext, at: &Step<Memory>) -> Result<BookingDetails, StepError> {
    load_booking(context, at.tenant, at.memory.order.booking).await
}

/// Loads a booking with its participants. The run waits while the booking is in a state that this version does not
/// know.
pub(crate) async fn load_booking(
    context: &StepContext,
    tenant: Id<ids::Tenant>,
    booking: Id<ids::Booking>,
) -> Result<BookingDetails, StepError> {
    let details = context.services.booking(tenant, booking).await?;
    let details = details.ok_or_else(|| StepError::fail("NOT_FOUND", messages::booking_removed()))?;
    details.booking.state.require()?;
    Ok(details)
}

/// The calendar that was chosen for the booking.
pub(crate) async fn target_calendar(
    context: &StepContext,
    details: &BookingDetails,
) -> Result<TargetCalendar, StepError> {
    let target = context.services.open_target_calendar(&details.booking).await?;
    target.ok_or_else(|| StepError::fail("NO_CALENDAR_TO_WRITE", messages::no_calendar_chosen()))
}

pub(crate) fn is_over(details: &BookingDetails) -> bool {
    details.booking.state.known().is_some_and(BookingState::is_over)
}
