//! Compares a booking with its event in the calendar, and takes over what people did there: a deletion, another time, the
//! answers of attendees and rooms.
//!
//! Enqueued when a copy of the calendar shows something else than the booking, and from time to time for every booking
//! that is not over. The event is only read. A calendar that denies access says nothing of the event.

use chrono::Duration;
use engine::{Next, nothing};
use providers::{Event, Remedy};
use serde::{Deserialize, Serialize};
use services::{
    bookings::{BookingDetails, FoundEvent, TargetCalendar, effect_key, online_meeting_change},
    change::BookingChange,
    run_inputs::FollowBooking as Input,
};

use crate::{CommittingContext, Outcome, Step, StepError, write_booking::standing};

engine::workflow! {
    /// Compares a booking with its event in the calendar.
    FollowBooking = "follow_booking" v 1 (crate::StepContext, Memory);

    // state   does            undone by   retry      then
    Compare:   compare commits | nothing   | STANDARD | [];
}

/// State of the run that is kept between steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    input: Input,
}

async fn compare(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    let services = &context.plain.services;
    let Some(details) = services.booking(at.tenant, at.memory.input.booking).await? else {
        return Ok(Next::Done);
    };
    let row = &details.booking;
    let is_followed = row.state.require()?.is_followed() && row.external_id.is_some() && row.end_at > at.now;
    if !is_followed || !services.is_followable(row).await? {
        return Ok(Next::Done);
    }
    let target = match services.open_target_calendar(row).await {
        Ok(Some(target)) => target,
        Ok(None) => return Ok(Next::Done),
        Err(services::Error::Provider(error)) => return passing_or_done(error),
        Err(error) => return Err(error.into()),
    };
    let found = match find(&target, &details).await {
        Ok(Some(event)) => there(context, at, &target, &details, &event),
        Ok(None) => FoundEvent::Gone,
        Err(error) => return passing_or_done(error),
    };
    context.commits.follow_booking(&details, &found).await?;
    Ok(Next::Done)
}

/// The event of a booking; `None` only if it was deleted.
async fn find(target: &TargetCalendar, details: &BookingDetails) -> providers::Result<Option<Event>> {
    let (provider, session, mailbox) = (&target.provider, &target.session, &target.via.mailbox);
    let external = details.booking.external_id.as_deref().unwrap_or_default();
    if let Some(event) = provider.event(session, mailbox, external).await? {
        return Ok(Some(event));
    }
    // Where nothing can be read any more, nothing was deleted.
    provider.calendar(session, mailbox).await?;
    // An event that was moved to another folder has another id.
    provider.find_event(session, mailbox, &effect_key(&details.booking)).await
}

fn there(
    context: &CommittingContext,
    at: &Step<Memory>,
    target: &TargetCalendar,
    details: &BookingDetails,
    event: &Event,
) -> FoundEvent {
    let row = &details.booking;
    let offers = target.provider.features();
    let patience = context.plain.services.settings().room_patience;
    let is_late = at.now - row.since >= Duration::from_std(patience).unwrap_or(Duration::days(1));
    let standing = BookingChange {
        meeting: online_meeting_change(row, offers, event.online_meeting.as_ref()),
        ..standing(details, event, offers, is_late)
    };
    FoundEvent::There {
        ids: (event.id.clone(), event.uid.clone()),
        time: event.range,
        standing: Box::new(standing),
    }
}

/// Repeats the step for an error that may pass. Otherwise the booking stays as it is: what became of its calendar is found
/// by whoever reads the calendar.
fn passing_or_done(error: providers::Error) -> Outcome<State> {
    match error.remedy {
        Remedy::Reconnect | Remedy::SkipMailbox | Remedy::Never => Ok(Next::Done),
        _ => Err(StepError::from(error)),
    }
}
