//! Control requests that do what people do with the events in their calendars: move, delete, answer.

use domain::{TimeRange, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ControlError, find_organisation};
use crate::{
    app::App,
    microsoft::graph::meetings::MeetingChanges,
    model::{Event, InvitationResponse, Organisation},
    store::State,
};

/// The body of `POST events/move`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    /// Address of the mailbox whose owner moves the event.
    mailbox: String,
    /// The event's id in that calendar, or its iCalUId.
    event: String,
    start: Timestamp,
    end: Timestamp,
}

/// The body of `POST events/delete`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deletion {
    /// Address of the mailbox whose owner deletes the event.
    mailbox: String,
    /// The event's id in that calendar, or its iCalUId.
    event: String,
}

/// The body of `POST events/answer`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// Address of the invited person or room, who need not have a mailbox in the organisation.
    attendee: String,
    /// The event's iCalUId.
    event: String,
    answer: Given,
}

/// The response of an attendee.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Given {
    Accepted,
    Tentative,
    Declined,
}

impl From<Given> for InvitationResponse {
    fn from(given: Given) -> Self {
        match given {
            Given::Accepted => Self::Accepted,
            Given::Tentative => Self::TentativelyAccepted,
            Given::Declined => Self::Declined,
        }
    }
}

/// Moves an event as its organiser would: the attendees are invited again.
pub(super) fn move_event(app: &App, id: Uuid, order: &Move) -> Result<Value, ControlError> {
    let range = TimeRange::new(order.start, order.end)
        .ok_or_else(|| ControlError::Invalid("the event must end after it starts".to_owned()))?;
    change(app, id, &order.mailbox, &order.event, |draft, owner, event| {
        let moved = Event { range, ..event.clone() };
        match event.is_organizer {
            true => draft.update_event(owner, event, moved),
            false => draft.put_event(owner, moved),
        }
    })
}

/// Deletes an event; that of its organiser is cancelled in the calendars of the attendees too.
pub(super) fn delete_event(app: &App, id: Uuid, order: &Deletion) -> Result<Value, ControlError> {
    change(app, id, &order.mailbox, &order.event, |draft, owner, event| match event.is_organizer {
        true => draft.cancel_event(owner, event),
        false => draft.respond_to_invitation(owner, event, InvitationResponse::Declined, true),
    })
}

/// Applies a change to one event of a mailbox. Returns its iCalUId.
fn change(
    app: &App,
    id: Uuid,
    mailbox: &str,
    event: &str,
    make: impl FnOnce(&mut MeetingChanges<'_>, &(Uuid, String), &Event),
) -> Result<Value, ControlError> {
    let mut store = app.store();
    let state = store.state();
    let organisation = find_organisation(state, id)?;
    let found = organisation.find(mailbox).ok_or(ControlError::NotFound("mailbox"))?;
    let owner = (id, found.id.clone());
    let event = find_event(state, &owner, event)?;
    let uid = event.ical_uid.clone();
    let mut draft = MeetingChanges::new(app, state, organisation);
    make(&mut draft, &owner, event);
    let changes = draft.changes;
    app.commit(&mut store, changes)?;
    Ok(json!({ "ical_uid": uid }))
}

fn find_event<'a>(state: &'a State, owner: &(Uuid, String), event: &str) -> Result<&'a Event, ControlError> {
    let mut all = state.calendar_events(owner);
    all.find(|one| one.id == event || one.ical_uid == event).ok_or(ControlError::NotFound("event"))
}

/// Responds to an invitation in place of an attendee.
pub(super) fn answer(app: &App, id: Uuid, given: &Answer) -> Result<Value, ControlError> {
    let response = given.answer.into();
    {
        let store = app.store();
        let organisation = find_organisation(store.state(), id)?;
        if let Some(mailbox) = organisation.find(&given.attendee)
            && find_event(store.state(), &(id, mailbox.id.clone()), &given.event).is_ok()
        {
            drop(store);
            return change(app, id, &given.attendee, &given.event, |draft, owner, event| {
                draft.respond_to_invitation(owner, event, response, true);
            });
        }
    }
    let organiser = {
        let store = app.store();
        let organisation = find_organisation(store.state(), id)?;
        organiser_of(store.state(), organisation, &given.event)?
    };
    let listed = |event: &Event| {
        event.attendees.iter().position(|one| one.party.address.eq_ignore_ascii_case(&given.attendee))
    };
    let mut is_listed = false;
    let answered = change(app, id, &organiser, &given.event, |draft, owner, event| {
        let mut event = event.clone();
        if let Some(at) = listed(&event) {
            is_listed = true;
            event.attendees[at].response = response;
            event.attendees[at].responded_at = Some(app.now());
            draft.put_event(owner, event);
        }
    })?;
    if is_listed { Ok(answered) } else { Err(ControlError::NotFound("attendee")) }
}

/// Address of the mailbox whose owner organises an event.
fn organiser_of(state: &State, organisation: &Organisation, uid: &str) -> Result<String, ControlError> {
    let organises = |id: &str| {
        state
            .calendar_events(&(organisation.id, id.to_owned()))
            .any(|one| one.ical_uid == uid && one.is_organizer)
    };
    let found = organisation.mailboxes.values().find(|mailbox| organises(&mailbox.id));
    Ok(found.ok_or(ControlError::NotFound("event"))?.address.clone())
}
