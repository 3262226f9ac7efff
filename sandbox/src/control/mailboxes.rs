//! Control requests that change single mailboxes and rooms.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ControlError, edit, find_organisation};
use crate::{
    app::App,
    microsoft::graph::rooms,
    model::{Hosting, InvitationResponse, Room},
};

/// The body of `POST scope`: a mailbox's email address, and whether applications can access the mailbox.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeChange {
    mailbox: String,
    in_scope: bool,
}

/// Adds a mailbox to, or removes it from, the mailboxes that applications can access.
pub(super) fn change_scope(app: &App, id: Uuid, scope: &ScopeChange) -> Result<Value, ControlError> {
    edit(app, id, &scope.mailbox, |mailbox| mailbox.in_scope = scope.in_scope)
}

/// The body of `POST mailbox`; omitted fields stay unchanged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MailboxChange {
    address: String,
    kind: Option<Hosting>,
    hides_details: Option<bool>,
    online_meetings: Option<bool>,
    /// Sign-in name of the owner, which need not be in a domain of the organisation.
    sign_in_name: Option<String>,
}

/// Changes where a mailbox is hosted and which details it shows.
pub(super) fn change_mailbox(app: &App, id: Uuid, new: &MailboxChange) -> Result<Value, ControlError> {
    edit(app, id, &new.address, |mailbox| {
        mailbox.hosting = new.kind.unwrap_or(mailbox.hosting);
        mailbox.hides_details = new.hides_details.unwrap_or(mailbox.hides_details);
        mailbox.online_meetings = new.online_meetings.unwrap_or(mailbox.online_meetings);
        if let Some(name) = &new.sign_in_name {
            mailbox.upn.clone_from(name);
        }
    })
}

/// The body of `POST room`; omitted fields stay unchanged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoomChange {
    address: String,
    auto_accept: Option<bool>,
    allow_conflicts: Option<bool>,
    replaces_titles: Option<bool>,
    /// The email address of the person who approves the room's meetings; empty if no approval is needed.
    approver: Option<String>,
}

/// Changes how a room responds to invitations.
pub(super) fn change_room(app: &App, id: Uuid, new: &RoomChange) -> Result<Value, ControlError> {
    {
        let store = app.store();
        let organisation = find_organisation(store.state(), id)?;
        let known = organisation.find(&new.address).ok_or(ControlError::NotFound("mailbox"))?;
        if known.room.is_none() {
            return Err(ControlError::NotFound("room"));
        }
        let approver = new.approver.as_ref().filter(|approver| !approver.is_empty());
        if approver.is_some_and(|approver| organisation.find(approver).is_none()) {
            return Err(ControlError::NotFound("approver"));
        }
    }
    edit(app, id, &new.address, |mailbox| {
        if let Some(room) = &mut mailbox.room {
            apply(room, new);
        }
    })
}

fn apply(room: &mut Room, new: &RoomChange) {
    room.auto_accept = new.auto_accept.unwrap_or(room.auto_accept);
    room.allow_conflicts = new.allow_conflicts.unwrap_or(room.allow_conflicts);
    room.replaces_titles = new.replaces_titles.unwrap_or(room.replaces_titles);
    match &new.approver {
        Some(nobody) if nobody.is_empty() => room.approver = None,
        Some(approver) => room.approver = Some(approver.clone()),
        None => {}
    }
}

/// The body of `POST room/answer`: a decision about meetings in a room.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoomDecision {
    room: String,
    /// The event's id in the room's calendar, or its iCalUId; `None` for every event without a decision.
    event: Option<String>,
    accept: bool,
}

/// Accepts or declines meetings for a room whose meetings a person approves.
pub(super) fn decide_for_room(app: &App, id: Uuid, decision: &RoomDecision) -> Result<Value, ControlError> {
    let room = {
        let store = app.store();
        let found =
            find_organisation(store.state(), id)?.find(&decision.room).filter(|found| found.room.is_some());
        found.ok_or(ControlError::NotFound("room"))?.id.clone()
    };
    let response = if decision.accept { InvitationResponse::Accepted } else { InvitationResponse::Declined };
    let decided = rooms::apply_decision(app, id, &room, decision.event.as_deref(), response)?;
    Ok(json!({ "answered": decided }))
}
