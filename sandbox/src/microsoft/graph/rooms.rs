//! Automatic responses of rooms, and decisions of their approvers.

use uuid::Uuid;

use super::meetings::MeetingChanges;
use crate::{
    Error,
    app::App,
    model::{Event, InvitationResponse, PendingResponse},
    store::{Change, State},
};

/// Sends the responses of rooms that are due, oldest invitation first.
pub fn respond_to_invitations(app: &App) -> Result<(), Error> {
    loop {
        let mut store = app.store();
        let now = app.now();
        let due = store.state().pending.values().filter(|pending| pending.due <= now);
        let Some(pending) = due.min_by_key(|pending| (pending.due, &pending.event)).cloned() else {
            return Ok(());
        };
        let changes = answer(app, store.state(), &pending);
        app.commit(&mut store, changes)?;
    }
}

fn answer(app: &App, state: &State, pending: &PendingResponse) -> Vec<Change> {
    let owner = (pending.tenant, pending.room.clone());
    let done = Change::PendingDone(owner.clone(), pending.event.clone());
    let organisation = state.organisations.get(&pending.tenant);
    let copy = state.events.get(&owner).and_then(|events| events.get(&pending.event));
    let (Some(organisation), Some(copy)) = (organisation, copy) else { return vec![done] };
    let room = organisation.mailboxes.get(&pending.room).and_then(|mailbox| mailbox.room.as_ref());
    let taken = room.is_none_or(|room| !room.allow_conflicts)
        && state.calendar_events(&owner).any(|other| holds(other) && conflicts(other, copy));
    let mut draft = MeetingChanges::new(app, state, organisation);
    draft.changes.push(done);
    let approver = room.and_then(|room| room.approver.as_ref());
    match (taken, approver) {
        (true, _) => draft.respond_to_invitation(&owner, copy, InvitationResponse::Declined, true),
        (false, None) => draft.respond_to_invitation(&owner, copy, InvitationResponse::Accepted, true),
        (false, Some(approver)) => {
            draft.respond_to_invitation(&owner, copy, InvitationResponse::TentativelyAccepted, true);
            draft.request_approval(&owner, approver, copy);
        }
    }
    draft.changes
}

/// Applies an approver's decision for a room: about one event of its calendar, or about all events without a decision.
/// Returns the number of events.
pub fn apply_decision(
    app: &App,
    organisation: Uuid,
    room: &str,
    event: Option<&str>,
    response: InvitationResponse,
) -> Result<usize, Error> {
    let mut store = app.store();
    let state = store.state();
    let owner = (organisation, room.to_owned());
    let Some(found) = state.organisations.get(&organisation) else { return Ok(0) };
    let waits = |copy: &&Event| {
        let open = matches!(
            copy.response,
            InvitationResponse::TentativelyAccepted | InvitationResponse::NotResponded
        );
        !copy.is_organizer && open && event.is_none_or(|id| id == copy.id || id == copy.ical_uid)
    };
    let mut draft = MeetingChanges::new(app, state, found);
    let mut decided = 0;
    for copy in state.calendar_events(&owner).filter(waits) {
        draft.respond_to_invitation(&owner, copy, response, true);
        decided += 1;
    }
    let changes = draft.changes;
    app.commit(&mut store, changes)?;
    Ok(decided)
}

/// Whether the room has accepted the event, or is its organiser.
fn holds(event: &Event) -> bool {
    event.blocks_time()
        && matches!(
            event.response,
            InvitationResponse::Accepted | InvitationResponse::Organizer | InvitationResponse::None
        )
}

fn conflicts(other: &Event, copy: &Event) -> bool {
    other.ical_uid != copy.ical_uid && other.range.overlaps(&copy.range)
}
