//! Moves a written booking.
//!
//! Ordered with the new time held beside the old one. The event is changed in the calendar where it was written,
//! whatever the service account is today; then the old time is freed and the rooms are asked again. When the
//! calendar refuses, the event stands where it stood, the new time is free again and the booking says why.

use chrono::Duration;
use domain::{
    Reason,
    state::{Answer, BookingState, Lane},
};
use providers::{ErrorKind, EventChange};
use serde::{Deserialize, Serialize};
use services::{
    Change,
    bookings::{Whole, awaits_meeting},
    change::BookingChange,
    health,
    orders::{self, MoveBooking as Order},
};
use uuid::Uuid;

use crate::{
    engine::{Next, Outcome, Step, Trouble, Undone, World, nothing},
    write_booking::{SUPERSEDED, desk, is_over, load, state},
};

crate::workflow! {
    /// Moves a written booking to another time.
    MoveBooking = "move_booking" v 1 (Memory);

    // state    does         undone by   retry      then
    TakeOver:   take_over  | stay      | PATIENT  | [Change];
    Change:     change     | put_back  | STANDARD | [Settle];
    Settle:     settle     | nothing   | STANDARD | [];
}

/// What the run remembers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    order: Order,
    /// The runs that were told to stop.
    #[serde(default)]
    told: Vec<Uuid>,
}

async fn take_over(world: &World, at: &mut Step<Memory>) -> Outcome<State> {
    let booking = at.memory.order.booking;
    let mut told = std::mem::take(&mut at.memory.told);
    let wait = wait_for_others(world, at, booking, &["write_booking"], &mut told).await;
    at.memory.told = told;
    if let Some(wait) = wait? {
        return Ok(wait);
    }
    // A move that failed has given the new time back; when it is retried, somebody else may have it.
    let whole = load(world, at.tenant, booking).await?;
    if !world.services.bookings().holds(&whole.booking, at.memory.order.to).await? {
        return Err(Trouble::fail(
            "SLOT_TAKEN",
            "The new time is no longer blocked for this booking. Move the booking again.",
        ));
    }
    Ok(Next::Go(State::Change))
}

/// Waits until earlier runs of a booking have ended, so that only one acts at a time. One that waits for rooms is
/// told to stop.
pub(crate) async fn wait_for_others<M, S>(
    world: &World,
    at: &mut Step<M>,
    booking: Uuid,
    workflows: &[&str],
    told: &mut Vec<Uuid>,
) -> Result<Option<Next<S>>, Trouble> {
    let live = world.services.bookings().live_runs(at.tenant, booking).await?;
    let is_earlier =
        |run: &entity::run::Model| run.id != at.run && workflows.contains(&run.workflow.as_str());
    let earlier: Vec<_> = live.into_iter().filter(is_earlier).collect();
    if earlier.is_empty() {
        return Ok(None);
    }
    for run in earlier {
        if run.state.as_deref() == Some("AwaitRooms") && !told.contains(&run.id) {
            told.push(run.id);
            let payload = serde_json::Value::Null;
            at.change(Change::Signal { run: run.id, name: SUPERSEDED, payload });
        }
    }
    Ok(Some(Next::Wait { until: Some(at.now + Duration::seconds(1)), or: None }))
}

async fn change(world: &World, at: &mut Step<Memory>) -> Outcome<State> {
    let whole = load(world, at.tenant, at.memory.order.booking).await?;
    let (false, Some(external)) = (is_over(&whole), whole.booking.external_id.as_deref()) else {
        return Err(Trouble::fail("BOOKING_OVER", "The booking was not written, or is over."));
    };
    let desk = desk(world, &whole).await?;
    let change = EventChange {
        range: Some(at.memory.order.to),
        zone: Some(whole.booking.time_zone.clone()),
        ..EventChange::default()
    };
    let changed = desk.provider.update_event(&desk.session, &desk.via.mailbox, external, &change).await;
    match changed {
        Ok(_) => Ok(Next::Go(State::Settle)),
        Err(error) if error.kind == ErrorKind::Gone => Err(Trouble::Fail(event_gone())),
        Err(error) => Err(error.into()),
    }
}

fn event_gone() -> Reason {
    Reason::new("EVENT_GONE", "Somebody has removed the event from the calendar.")
        .act("Cancel this booking, or book again.")
}

async fn settle(world: &World, at: &mut Step<Memory>) -> Outcome<State> {
    let Order { booking, from, to, by } = at.memory.order.clone();
    let whole = load(world, at.tenant, booking).await?;
    let desk = desk(world, &whole).await?;
    let rooms = whole.participants.iter().filter(|one| one.room_id.is_some());
    // Where rooms do not answer by themselves, the connector has moved their entries too: they stay accepted.
    let answer = if desk.provider.offers().rooms_answer { Answer::None } else { Answer::Accepted };
    let answers: Vec<_> = rooms.map(|room| (room.address.clone(), answer)).collect();
    let asks = !answers.is_empty() && answer == Answer::None;
    at.change(Change::Booking(BookingChange {
        id: booking,
        state: Some(if asks { BookingState::RoomPending } else { BookingState::Confirmed }),
        reason: Some(None),
        time: Some(to),
        answers,
        record: Some(("MOVED", from, by)),
        ..BookingChange::default()
    }));
    if let (Some(external), Some(uid)) =
        (whole.booking.external_id.as_deref(), whole.booking.event_uid.as_deref())
    {
        let own = world.services.bookings().own_event(&whole, (external, uid), Some(to)).await?;
        at.change(Change::OwnEvent(own));
    }
    if asks || awaits_meeting(&whole.booking) {
        at.change(Change::Order(
            orders::Order::WriteBooking(orders::WriteBooking { booking }),
            Lane::Interactive,
        ));
    }
    Ok(Next::Done)
}

/// Puts the event back where it was, if it was moved.
async fn put_back(world: &World, at: &mut Step<Memory>) -> Undone {
    let whole = load(world, at.tenant, at.memory.order.booking).await?;
    let Some(external) = whole.booking.external_id.as_deref() else { return Ok(()) };
    let from = at.memory.order.from;
    let desk = match world.services.bookings().desk(&whole.booking).await {
        Ok(Some(desk)) => desk,
        Ok(None) => return Ok(()),
        Err(services::Error::Provider(error)) if cannot_have_changed(&error) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let (session, mailbox) = (&desk.session, &desk.via.mailbox);
    let restored = match desk.provider.event(session, mailbox, external).await {
        Ok(Some(event)) if event.range != from => {
            let change = EventChange {
                range: Some(from),
                zone: Some(whole.booking.time_zone.clone()),
                ..EventChange::default()
            };
            desk.provider.update_event(session, mailbox, external, &change).await.map(|_| ())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    match restored {
        Err(error) if cannot_have_changed(&error) => Ok(()),
        other => Ok(other?),
    }
}

/// A calendar that does not let us in has not let us change anything either.
pub(crate) fn cannot_have_changed(error: &providers::Error) -> bool {
    health::is_refusal(error)
        || matches!(
            error.kind,
            ErrorKind::GrantLost | ErrorKind::NoMailbox | ErrorKind::NotServed | ErrorKind::Gone
        )
}

/// The booking stays where it was, and says why.
async fn stay(world: &World, at: &mut Step<Memory>) -> Undone {
    let whole = load(world, at.tenant, at.memory.order.booking).await?;
    at.change(Change::Booking(BookingChange {
        id: whole.booking.id,
        reason: Some(at.failure.clone()),
        time: Some(at.memory.order.from),
        ..BookingChange::default()
    }));
    wait_for_rooms_again(at, &whole);
    Ok(())
}

/// Whoever waited for the rooms was told to stop: somebody has to wait again.
pub(crate) fn wait_for_rooms_again<M>(at: &mut Step<M>, whole: &Whole) {
    let waited = matches!(state(whole), BookingState::Written | BookingState::RoomPending);
    if waited || awaits_meeting(&whole.booking) {
        let order = orders::WriteBooking { booking: whole.booking.id };
        at.change(Change::Order(orders::Order::WriteBooking(order), Lane::Interactive));
    }
}
