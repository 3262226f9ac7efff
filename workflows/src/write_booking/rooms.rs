//! Waits after the event was written: for the responses of rooms (B16) and for the online meeting's address.
//!
//! The event stays in the calendar whatever happens here: an unreadable response never undoes a booking.

use chrono::Duration;
use domain::{
    Reason,
    state::{Answer, BookingState, Lane},
};
use engine::Next;
use providers::{AttendeeRole, Event, ProviderFeatures};
use services::{
    Change,
    bookings::{BookingDetails, awaits_online_meeting, only_news, time_of},
    change::BookingChange,
    run_inputs::{self, RunInput},
};

use super::{
    Memory, SUPERSEDED_SIGNAL, State, WriteBooking, details, is_about_a_booking, is_over,
    meeting::{self, Meeting},
    target_calendar,
};
use crate::{Outcome, Step, StepContext, StepError, messages};

/// Shortest and longest pause between two reads of the event, in seconds; each pause is longer than the previous one.
const PAUSES: (i64, i64) = (2, 60);

/// Result of reading the event.
enum Found {
    /// The event, and the features of its calendar system.
    Event(Box<Event>, ProviderFeatures),
    /// The event was deleted, or moved in the calendar.
    Changed,
    /// The event could not be read this time.
    Unread,
    /// There is nothing to wait for.
    NothingToCome,
}

/// Reads the event at growing intervals until all rooms have responded and the online meeting is known, or until
/// the wait ends.
pub(super) async fn await_rooms(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let details = details(context, at).await?;
    let superseded = at.take_signal(SUPERSEDED_SIGNAL).is_some();
    if superseded || is_over(&details) || others(context, at, &details).await? {
        return Ok(Next::Done);
    }
    let seen = match find(context, &details).await? {
        Found::Event(event, offers) => Some((event, offers)),
        Found::Unread => None,
        Found::NothingToCome => {
            // Rooms that do not answer were given their entries with the event: they have accepted.
            let accepted = rooms(&details).map(|room| (room.address.clone(), Answer::Accepted)).collect();
            settle(at, &details, BookingChange { answers: accepted, ..confirmed() });
            return Ok(Next::Done);
        }
        Found::Changed => {
            // Whatever becomes of the booking takes locks.
            let order = run_inputs::FollowBooking { booking: details.booking.id };
            at.add_change(Change::RunInput(RunInput::FollowBooking(order), Lane::Interactive));
            return Ok(Next::Done);
        }
    };
    let asked_at = *at.memory.asked_at.get_or_insert(at.now);
    let patience = Duration::from_std(context.services.settings().room_patience).unwrap_or(Duration::days(1));
    let is_late = at.now - asked_at >= patience;
    let seen = seen.as_ref().map(|(event, offers)| (&**event, *offers));
    let answers = seen.map_or_else(Vec::new, |(event, _)| answers_of(event));
    let verdict = verdict_of(&details, seen, &answers, is_late);
    let Meeting { news: meeting, waits } = meeting::read_meeting(&details, seen, is_late);
    let waits = waits || verdict == Verdict::Waits;
    settle(at, &details, BookingChange { answers, meeting, ..following(&verdict) });
    if !waits {
        return Ok(Next::Done);
    }
    let pause = ((at.now - asked_at) / 2).clamp(Duration::seconds(PAUSES.0), Duration::seconds(PAUSES.1));
    Ok(Next::Wait { until: Some((at.now + pause).min(asked_at + patience)), or: Some(SUPERSEDED_SIGNAL) })
}

fn rooms(details: &BookingDetails) -> impl Iterator<Item = &entity::booking_participant::Model> {
    details.participants.iter().filter(|one| one.room_id.is_some())
}

async fn find(context: &StepContext, details: &BookingDetails) -> Result<Found, StepError> {
    let (has_rooms, awaits) = (rooms(details).next().is_some(), awaits_online_meeting(&details.booking));
    if !has_rooms && !awaits {
        return Ok(Found::NothingToCome);
    }
    let target = match target_calendar(context, details).await {
        Ok(target) => target,
        // The calendar may not be used now; that says nothing of the rooms.
        Err(later @ StepError(engine::StepError::Later { .. })) => return Err(later),
        Err(_) => return Ok(Found::Unread),
    };
    let offers = target.provider.features();
    if !awaits && !offers.rooms_answer {
        return Ok(Found::NothingToCome);
    }
    let external = details.booking.external_id.as_deref().unwrap_or_default();
    Ok(match target.provider.event(&target.session, &target.via.mailbox, external).await {
        Ok(Some(event)) if event.range == time_of(&details.booking) => Found::Event(Box::new(event), offers),
        Ok(_) => Found::Changed,
        Err(error) => {
            tracing::warn!(booking = %details.booking.id, code = error.code, "the rooms' answers could not be read");
            Found::Unread
        }
    })
}

/// The combined responses of all rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Declined(String),
    Silent,
    Waits,
}

/// The state, reason and answers that follow from a booking's event.
pub(crate) fn standing(
    details: &BookingDetails,
    event: &Event,
    offers: ProviderFeatures,
    is_late: bool,
) -> BookingChange {
    let answers = answers_of(event);
    let verdict = verdict_of(details, Some((event, offers)), &answers, is_late);
    BookingChange { answers, ..following(&verdict) }
}

/// Where rooms do not answer, they were given their entries with the event.
fn verdict_of(
    details: &BookingDetails,
    seen: Option<(&Event, ProviderFeatures)>,
    answers: &[(String, Answer)],
    is_late: bool,
) -> Verdict {
    match seen {
        Some((_, offers)) if !offers.rooms_answer => Verdict::Accepted,
        _ => verdict(details, answers, is_late),
    }
}

fn verdict(details: &BookingDetails, answers: &[(String, Answer)], is_late: bool) -> Verdict {
    let answer = |address: &str| {
        let given = answers.iter().find(|(from, _)| from.eq_ignore_ascii_case(address));
        given.map_or(Answer::None, |(_, answer)| *answer)
    };
    if let Some(room) = rooms(details).find(|room| answer(&room.address) == Answer::Declined) {
        return Verdict::Declined(room.name.clone());
    }
    let all = rooms(details).all(|room| answer(&room.address) == Answer::Accepted);
    match (all, is_late) {
        (true, _) => Verdict::Accepted,
        (false, true) => Verdict::Silent,
        (false, false) => Verdict::Waits,
    }
}

fn confirmed() -> BookingChange {
    BookingChange { state: Some(BookingState::Confirmed), reason: Some(None), ..BookingChange::default() }
}

/// The change of the booking for a verdict. While rooms have not responded, an existing reason is kept.
fn following(verdict: &Verdict) -> BookingChange {
    let because = |state, code, message, next_action| BookingChange {
        state: Some(state),
        reason: Some(Some(Reason::new(code, message).with_next_action(next_action))),
        ..BookingChange::default()
    };
    match verdict {
        Verdict::Accepted => confirmed(),
        Verdict::Declined(room) => because(
            BookingState::RoomDeclined,
            "ROOM_DECLINED",
            messages::room_declined(room),
            messages::move_or_book_another_room(),
        ),
        // Saying that it is confirmed would be wrong, and so would be taking it back.
        Verdict::Silent => because(
            BookingState::RoomPending,
            "ROOM_SILENT",
            messages::room_silent(),
            messages::ask_the_rooms_approver(),
        ),
        Verdict::Waits => {
            BookingChange { state: Some(BookingState::RoomPending), ..BookingChange::default() }
        }
    }
}

/// Records the change if anything differs.
fn settle(at: &mut Step<Memory>, details: &BookingDetails, change: BookingChange) {
    if let Some(news) = only_news(details, change) {
        at.add_change(Change::Booking(news));
    }
}

/// The responses of all participants; rooms without a response are included.
fn answers_of(event: &Event) -> Vec<(String, Answer)> {
    let counts = |one: &&providers::Attendee| one.answer != Answer::None || one.role == AttendeeRole::Room;
    event.attendees.iter().filter(counts).map(|one| (one.party.address.to_lowercase(), one.answer)).collect()
}

/// Whether another run is moving or cancelling the booking.
async fn others(
    context: &StepContext,
    at: &Step<Memory>,
    details: &BookingDetails,
) -> Result<bool, StepError> {
    let live = context.services.live_booking_runs(at.tenant, details.booking.id).await?;
    let is_other = |other: &entity::run::Model| {
        is_about_a_booking(other) && other.id != at.run && other.workflow != WriteBooking::TABLE.name
    };
    Ok(live.iter().any(is_other))
}
