//! Microsoft Graph v1.0: directory, rooms, calendars, events, subscriptions.

pub mod batch;
pub mod calendar_view;
pub mod calendars;
pub mod delta;
pub mod directory;
pub mod event_changes;
pub mod events;
pub mod failure;
pub mod meetings;
pub mod odata;
pub mod online_meetings;
pub mod parse;
pub mod places;
pub mod render;
pub mod rooms;
pub mod schedule;
pub mod subscriptions;
pub mod zones;

use std::sync::Arc;

use failure::{Failure, RequestError};

use super::identity::grants::Bearer;
use crate::{
    Error,
    app::App,
    model::{Hosting, Mailbox, Organisation},
    store::{CalendarKey, State},
    wire::{JournalDetails, Request, WireResponse},
};

/// Maximum number of concurrent requests of one application to one mailbox.
const CONCURRENT: u32 = 4;

const READ: &[&str] = &["Calendars.Read", "Calendars.ReadWrite"];
const WRITE: &[&str] = &["Calendars.ReadWrite"];
const READ_BASIC: &[&str] =
    &["Calendars.ReadBasic", "Calendars.ReadBasic.All", "Calendars.Read", "Calendars.ReadWrite"];
const SETTINGS: &[&str] = &["MailboxSettings.Read"];

/// A request with a valid token.
#[derive(Debug)]
pub struct CallContext<'a> {
    /// The sandbox.
    pub app: &'a Arc<App>,
    /// The request as received, with its path and body.
    pub request: &'a Request,
    /// The details for the journal.
    pub note: &'a mut JournalDetails,
    /// The bearer of the token.
    pub bearer: Bearer,
}

/// Handles a request below `/v1.0`.
pub async fn route(
    app: &Arc<App>,
    request: &Request,
    note: &mut JournalDetails,
) -> Result<WireResponse, Error> {
    if request.method == "POST" && request.path_segments()[1..] == ["$batch"] {
        return batch::handle_batch(app, request).await;
    }
    let result = match authenticate(app, request) {
        Ok(bearer) => {
            note.app = Some(bearer.client_id.clone());
            dispatch(&mut CallContext { app, request, note, bearer }).await
        }
        Err(failure) => Err(failure.into()),
    };
    match result {
        Ok(answer) => {
            let id = app.new_guid().to_string();
            let client = request.header("client-request-id").unwrap_or(&id).to_owned();
            Ok(answer.with_header("request-id", id).with_header("client-request-id", client))
        }
        Err(RequestError::Because(failure)) => Ok(failure.to_response(app, request)),
        Err(RequestError::Broken(error)) => Err(error),
    }
}

fn authenticate(app: &App, request: &Request) -> Result<Bearer, Failure> {
    let token = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| Failure::unauthenticated("Access token is empty."))?;
    Bearer::from_token(app, app.store().state(), token)
        .ok_or_else(|| Failure::unauthenticated("Access token has expired or is not yet valid."))
}

async fn dispatch(call: &mut CallContext<'_>) -> Result<WireResponse, RequestError> {
    let own = call.bearer.object.clone();
    let parts = call.request.path_segments();
    match (call.request.method.as_str(), &parts[1..]) {
        (_, ["me", ..]) if !call.bearer.delegated => Err(Failure::new(
            400,
            "BadRequest",
            "/me request is only valid with delegated authentication flow.",
        )
        .into()),
        (method, ["me", rest @ ..]) => user(call, method, &own, rest),
        ("GET", ["users"]) => directory::list_users(call),
        (method, ["users", key, rest @ ..]) => user(call, method, key, rest),
        ("GET", ["organization"]) => directory::get_organisation(call),
        ("GET", ["places", "microsoft.graph.room"]) => places::list_rooms(call),
        ("POST", ["subscriptions"]) => subscriptions::create_subscription(call).await,
        (method, ["subscriptions", rest @ ..]) => subscriptions::handle_existing(call, method, rest),
        _ => Err(unknown(&parts)),
    }
}

fn user(
    call: &mut CallContext<'_>,
    method: &str,
    key: &str,
    rest: &[&str],
) -> Result<WireResponse, RequestError> {
    match (method, rest) {
        ("GET", []) => directory::get_user(call, key),
        ("GET", ["memberOf" | "transitiveMemberOf", "microsoft.graph.directoryRole"]) => {
            directory::list_roles(call, key)
        }
        ("GET", ["mailboxSettings"]) => directory::get_mailbox_settings(call, key),
        ("GET", ["calendars"]) => calendars::list_calendars(call, key),
        (_, ["calendars", id, tail @ ..]) => {
            calendars::check_calendar(call, key, id)?;
            calendar(call, method, key, tail)
        }
        (_, ["calendar", tail @ ..]) => calendar(call, method, key, tail),
        ("GET", ["calendarView"]) => calendar_view::list_events(call, key),
        ("GET", ["calendarView", "delta" | "microsoft.graph.delta"]) => delta::list_changes(call, key),
        (_, ["events", tail @ ..]) => events::route(call, method, key, tail),
        _ => Err(unknown(rest)),
    }
}

fn calendar(
    call: &mut CallContext<'_>,
    method: &str,
    key: &str,
    tail: &[&str],
) -> Result<WireResponse, RequestError> {
    match (method, tail) {
        ("GET", []) => calendars::get_calendar(call, key),
        ("GET", ["calendarView"]) => calendar_view::list_events(call, key),
        ("GET", ["calendarView", "delta" | "microsoft.graph.delta"]) => delta::list_changes(call, key),
        ("POST", ["getSchedule" | "microsoft.graph.getSchedule"]) => schedule::get_schedule(call, key),
        (_, ["events", rest @ ..]) => events::route(call, method, key, rest),
        _ => Err(unknown(tail)),
    }
}

fn unknown(parts: &[&str]) -> RequestError {
    let segment = parts.last().unwrap_or(&"");
    Failure::new(400, "BadRequest", format!("Resource not found for the segment '{segment}'.")).into()
}

impl CallContext<'_> {
    /// The caller's organisation.
    pub fn organisation<'s>(&self, state: &'s State) -> Result<&'s Organisation, Failure> {
        state
            .organisations
            .get(&self.bearer.tenant)
            .ok_or_else(|| Failure::unauthenticated("Access token validation failure."))
    }

    /// The mailbox that `key` names, if the caller has one of `permissions` for it.
    pub fn mailbox<'s>(
        &mut self,
        state: &'s State,
        key: &str,
        permissions: &[&str],
    ) -> Result<(CalendarKey, &'s Mailbox), Failure> {
        if !self.bearer.has_any_permission(permissions) {
            return Err(Failure::mailbox_access_denied());
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
            return Err(Failure::mailbox_access_denied());
        }
        if !self.bearer.delegated && !mailbox.in_scope {
            return Err(Failure::new(403, "ErrorAccessDenied", "Access to OData is disabled."));
        }
        let owner = (self.bearer.tenant, mailbox.id.clone());
        if self.note.permit.is_none() {
            let permit = self.app.gates.try_acquire(&self.bearer.client_id, &owner, CONCURRENT);
            self.note.permit =
                Some(permit.ok_or_else(|| Failure { retry_after: Some(1), ..Failure::throttled() })?);
        }
        Ok((owner, mailbox))
    }
}
