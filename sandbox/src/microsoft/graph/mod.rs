//! Microsoft Graph v1.0: directory, rooms, calendars, events, subscriptions.

pub mod batch;
pub mod calendars;
pub mod change;
pub mod delta;
pub mod directory;
pub mod events;
pub mod failure;
pub mod meetings;
pub mod odata;
pub mod online;
pub mod parse;
pub mod places;
pub mod render;
pub mod rooms;
pub mod schedule;
pub mod subscriptions;
pub mod view;
pub mod zones;

use std::sync::Arc;

use failure::{Failure, Refused};

use super::identity::grants::Bearer;
use crate::{
    Error,
    app::App,
    model::{Hosting, Mailbox, Organisation},
    store::{Owner, State},
    wire::{Answer, Note, Request},
};

/// Concurrent requests of one application that a mailbox serves.
const CONCURRENT: u32 = 4;

const READ: &[&str] = &["Calendars.Read", "Calendars.ReadWrite"];
const WRITE: &[&str] = &["Calendars.ReadWrite"];
const READ_BASIC: &[&str] =
    &["Calendars.ReadBasic", "Calendars.ReadBasic.All", "Calendars.Read", "Calendars.ReadWrite"];
const SETTINGS: &[&str] = &["MailboxSettings.Read"];

/// A request with a valid token.
#[derive(Debug)]
pub struct Call<'a> {
    /// The sandbox.
    pub app: &'a Arc<App>,
    /// The request as received, with its path and body.
    pub request: &'a Request,
    /// The details for the journal.
    pub note: &'a mut Note,
    /// The bearer of the token.
    pub bearer: Bearer,
}

/// Handles a request below `/v1.0`.
pub async fn route(app: &Arc<App>, request: &Request, note: &mut Note) -> Result<Answer, Error> {
    if request.method == "POST" && request.parts()[1..] == ["$batch"] {
        return batch::run(app, request).await;
    }
    let result = match authenticate(app, request) {
        Ok(bearer) => {
            note.app = Some(bearer.client_id.clone());
            dispatch(&mut Call { app, request, note, bearer }).await
        }
        Err(failure) => Err(failure.into()),
    };
    match result {
        Ok(answer) => {
            let id = app.guid().to_string();
            let client = request.header("client-request-id").unwrap_or(&id).to_owned();
            Ok(answer.with("request-id", id).with("client-request-id", client))
        }
        Err(Refused::Because(failure)) => Ok(failure.answer(app, request)),
        Err(Refused::Broken(error)) => Err(error),
    }
}

fn authenticate(app: &App, request: &Request) -> Result<Bearer, Failure> {
    let token = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| Failure::unauthenticated("Access token is empty."))?;
    Bearer::read(app, app.store().state(), token)
        .ok_or_else(|| Failure::unauthenticated("Access token has expired or is not yet valid."))
}

async fn dispatch(call: &mut Call<'_>) -> Result<Answer, Refused> {
    let own = call.bearer.object.clone();
    let parts = call.request.parts();
    match (call.request.method.as_str(), &parts[1..]) {
        (_, ["me", ..]) if !call.bearer.delegated => Err(Failure::new(
            400,
            "BadRequest",
            "/me request is only valid with delegated authentication flow.",
        )
        .into()),
        (method, ["me", rest @ ..]) => user(call, method, &own, rest),
        ("GET", ["users"]) => directory::list(call),
        (method, ["users", key, rest @ ..]) => user(call, method, key, rest),
        ("GET", ["organization"]) => directory::organisation(call),
        ("GET", ["places", "microsoft.graph.room"]) => places::rooms(call),
        ("POST", ["subscriptions"]) => subscriptions::create(call).await,
        (method, ["subscriptions", rest @ ..]) => subscriptions::one(call, method, rest),
        _ => Err(unknown(&parts)),
    }
}

fn user(call: &mut Call<'_>, method: &str, key: &str, rest: &[&str]) -> Result<Answer, Refused> {
    match (method, rest) {
        ("GET", []) => directory::one(call, key),
        ("GET", ["memberOf" | "transitiveMemberOf", "microsoft.graph.directoryRole"]) => {
            directory::roles(call, key)
        }
        ("GET", ["mailboxSettings"]) => directory::settings(call, key),
        ("GET", ["calendars"]) => calendars::list(call, key),
        (_, ["calendars", id, tail @ ..]) => {
            calendars::check(call, key, id)?;
            calendar(call, method, key, tail)
        }
        (_, ["calendar", tail @ ..]) => calendar(call, method, key, tail),
        ("GET", ["calendarView"]) => view::list(call, key),
        ("GET", ["calendarView", "delta" | "microsoft.graph.delta"]) => delta::list(call, key),
        (_, ["events", tail @ ..]) => events::route(call, method, key, tail),
        _ => Err(unknown(rest)),
    }
}

fn calendar(call: &mut Call<'_>, method: &str, key: &str, tail: &[&str]) -> Result<Answer, Refused> {
    match (method, tail) {
        ("GET", []) => calendars::one(call, key),
        ("GET", ["calendarView"]) => view::list(call, key),
        ("GET", ["calendarView", "delta" | "microsoft.graph.delta"]) => delta::list(call, key),
        ("POST", ["getSchedule" | "microsoft.graph.getSchedule"]) => schedule::get(call, key),
        (_, ["events", rest @ ..]) => events::route(call, method, key, rest),
        _ => Err(unknown(tail)),
    }
}

fn unknown(parts: &[&str]) -> Refused {
    let segment = parts.last().unwrap_or(&"");
    Failure::new(400, "BadRequest", format!("Resource not found for the segment '{segment}'.")).into()
}

impl Call<'_> {
    /// The caller's organisation.
    pub fn organisation<'s>(&self, state: &'s State) -> Result<&'s Organisation, Failure> {
        state
            .organisations
            .get(&self.bearer.tenant)
            .ok_or_else(|| Failure::unauthenticated("Access token validation failure."))
    }

    /// The mailbox that `key` names, if the caller has one of `permissions` there.
    pub fn mailbox<'s>(
        &mut self,
        state: &'s State,
        key: &str,
        permissions: &[&str],
    ) -> Result<(Owner, &'s Mailbox), Failure> {
        if !self.bearer.has(permissions) {
            return Err(Failure::denied());
        }
        let mailbox = self.organisation(state)?.find(key).ok_or_else(|| {
            Failure::new(404, "ErrorInvalidUser", format!("The requested user '{key}' is invalid."))
        })?;
        self.note.mailbox = Some(mailbox.address.clone());
        match mailbox.hosting {
            // Graph serves mailboxes of disabled accounts: shared mailboxes are such.
            Hosting::Normal | Hosting::Disabled => {}
            Hosting::None => {
                return Err(Failure::new(404, "ResourceNotFound", "Resource could not be discovered."));
            }
            Hosting::OnPrem => {
                return Err(Failure::new(
                    404,
                    "MailboxNotEnabledForRESTAPI",
                    "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
                ));
            }
        }
        if self.bearer.delegated && self.bearer.object != mailbox.id {
            return Err(Failure::denied());
        }
        if !self.bearer.delegated && !mailbox.in_scope {
            return Err(Failure::new(403, "ErrorAccessDenied", "Access to OData is disabled."));
        }
        let owner = (self.bearer.tenant, mailbox.id.clone());
        if self.note.permit.is_none() {
            let permit = self.app.gates.enter(&self.bearer.client_id, &owner, CONCURRENT);
            self.note.permit =
                Some(permit.ok_or_else(|| Failure { retry_after: Some(1), ..Failure::throttled() })?);
        }
        Ok((owner, mailbox))
    }
}
