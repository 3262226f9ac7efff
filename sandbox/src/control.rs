//! The control interface `/control`, with which tests configure and inspect the sandbox. Its requests are never
//! recorded in the journal.

mod lifecycle;
mod mailboxes;
mod people;
mod secrets;
mod service_accounts;
mod time;

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Error,
    app::App,
    fault::Fault,
    fixture::{self, FixtureError, MeetingFixture, OrganisationFixture},
    generate::{self, GenerateOptions},
    google,
    microsoft::{
        self,
        graph::zones::format_utc,
        identity::{certificate, permissions::DEFAULT_PERMISSIONS},
    },
    model::{Application, Consent, DelaySettings, Event, Hosting, Mailbox, MailboxPurpose, Organisation},
    store::{Change, State},
    wire::{Request, WireResponse},
};

/// Longest wait for a journal entry.
const WAIT_MOST_MS: u64 = 60_000;

/// Why a control request was refused.
pub(crate) enum ControlError {
    /// The request cannot be parsed.
    Unreadable(serde_json::Error),
    /// The request is invalid.
    Invalid(String),
    /// The object does not exist.
    NotFound(&'static str),
    /// An internal error of the sandbox.
    Broken(Error),
}

impl From<Error> for ControlError {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl From<FixtureError> for ControlError {
    fn from(invalid: FixtureError) -> Self {
        Self::Invalid(invalid.to_string())
    }
}

/// Handles a request below `/control`.
pub async fn route(app: &Arc<App>, request: &Request) -> WireResponse {
    match dispatch(app, request).await {
        Ok(value) => WireResponse::json(200, value),
        Err(ControlError::Unreadable(cause)) => refused(400, "UNREADABLE", &cause.to_string()),
        Err(ControlError::Invalid(why)) => refused(400, "INVALID", &why),
        Err(ControlError::NotFound(what)) => refused(404, "NOT_FOUND", &format!("there is no such {what}")),
        Err(ControlError::Broken(error)) => refused(500, error.code(), &error.to_string()),
    }
}

fn refused(status: u16, code: &str, message: &str) -> WireResponse {
    WireResponse::json(status, json!({ "error": { "code": code, "message": message } }))
}

async fn dispatch(app: &Arc<App>, request: &Request) -> Result<Value, ControlError> {
    // Whoever looks after a request was answered sees what the rooms made of it.
    microsoft::respond_to_invitations(app)?;
    let parts = request.path_segments();
    match (request.method.as_str(), &parts[1..]) {
        ("GET", ["journal"]) => {
            let (after, limit) = wanted(request)?;
            if !limit.is_zero() {
                // Not an error: the list is empty then.
                let _ = tokio::time::timeout(limit, app.journal.wait_after(after)).await;
            }
            Ok(json!(app.journal.entries_after(after)))
        }
        ("GET", ["notices"]) => {
            let (after, limit) = wanted(request)?;
            if !limit.is_zero() {
                let _ = tokio::time::timeout(limit, app.deliveries.wait_after(after)).await;
            }
            Ok(json!(app.deliveries.deliveries_after(after)))
        }
        ("POST", ["organisations"]) => create(app, parse_body(request)?),
        ("POST", ["organisations", "generate"]) => {
            let order: GenerateOptions = parse_body(request)?;
            create(app, generate::generate_fixture(&order, app.now()))
        }
        ("GET", ["organisations"]) => {
            let store = app.store();
            let mut all: Vec<&Organisation> = store.state().organisations.values().collect();
            all.sort_by_key(|organisation| organisation.serial);
            Ok(all.into_iter().map(show).collect())
        }
        ("POST", ["organisations", id, "lifecycle"]) => {
            lifecycle::trigger(app, identify(app, id)?, parse_body(request)?).await
        }
        (method, ["organisations", id, rest @ ..]) => organisation(app, request, method, id, rest),
        ("POST", ["apps"]) => register(app, parse_body(request)?),
        ("POST", ["apps", client, "secret"]) => secrets::change_secret(app, client, parse_body(request)?),
        (method, ["google", rest @ ..]) => google::control::route_installation(app, request, method, rest),
        ("POST", ["faults"]) => {
            app.faults.inject(parse_body::<Fault>(request)?);
            Ok(json!({ "planted": app.faults.list().len() }))
        }
        ("GET", ["faults"]) => Ok(json!(app.faults.list())),
        ("DELETE", ["faults"]) => {
            app.faults.clear();
            Ok(json!({ "planted": 0 }))
        }
        ("GET", ["clock"]) => Ok(time::show_clock(app)),
        ("POST", ["clock", "advance"]) => time::advance_clock(app, &parse_body(request)?),
        ("POST", ["clock", "skew"]) => time::shift_token_clock(app, &parse_body(request)?),
        ("POST", ["tokens", "expire"]) => time::expire_tokens(app, request),
        ("POST", ["cursors", "forget"]) => time::forget_cursors(app),
        _ => Err(ControlError::NotFound("control")),
    }
}

fn organisation(
    app: &App,
    request: &Request,
    method: &str,
    id: &str,
    rest: &[&str],
) -> Result<Value, ControlError> {
    let id = identify(app, id)?;
    match (method, rest) {
        ("GET", []) => Ok(show(find_organisation(app.store().state(), id)?)),
        ("GET", ["mails"]) => {
            let store = app.store();
            find_organisation(store.state(), id)?;
            Ok(json!(store.state().mails.get(&id).cloned().unwrap_or_default()))
        }
        ("GET", ["events"]) => events(app, id, request.query("mailbox")),
        ("POST", ["events", "move"]) => people::move_event(app, id, &parse_body(request)?),
        ("POST", ["events", "delete"]) => people::delete_event(app, id, &parse_body(request)?),
        ("POST", ["events", "answer"]) => people::answer(app, id, &parse_body(request)?),
        ("POST", ["events"]) => plant(app, id, parse_body(request)?),
        (method, ["google", rest @ ..]) => {
            google::control::route_organisation(app, request, method, id, rest)
        }
        ("POST", ["revoke-consent"]) => revoke(app, id, parse_body(request)?),
        ("POST", ["technical-account"]) => {
            service_accounts::save_service_account(app, id, parse_body(request)?)
        }
        ("POST", ["scope"]) => mailboxes::change_scope(app, id, &parse_body(request)?),
        ("POST", ["mailbox"]) => mailboxes::change_mailbox(app, id, &parse_body(request)?),
        ("POST", ["room"]) => mailboxes::change_room(app, id, &parse_body(request)?),
        ("POST", ["room", "answer"]) => mailboxes::decide_for_room(app, id, &parse_body(request)?),
        ("POST", ["settings"]) => {
            let settings: DelaySettings = parse_body(request)?;
            find_organisation(app.store().state(), id)?;
            app.commit(&mut app.store(), vec![Change::Settings(id, settings)])?;
            Ok(json!(settings))
        }
        _ => Err(ControlError::NotFound("control")),
    }
}

/// Finds an organisation by its id or domain.
fn identify(app: &App, key: &str) -> Result<Uuid, ControlError> {
    if let Ok(id) = Uuid::try_parse(key) {
        return Ok(id);
    }
    let store = app.store();
    let mut all = store.state().organisations.values();
    let found = all.find(|organisation| organisation.domain.eq_ignore_ascii_case(key));
    found.map(|organisation| organisation.id).ok_or(ControlError::NotFound("organisation"))
}

pub(crate) fn parse_body<T: DeserializeOwned>(request: &Request) -> Result<T, ControlError> {
    request.json().map_err(ControlError::Unreadable)
}

pub(crate) fn find_organisation(state: &State, id: Uuid) -> Result<&Organisation, ControlError> {
    state.organisations.get(&id).ok_or(ControlError::NotFound("organisation"))
}

/// The sequence number of the last entry that the caller has seen, and how long to wait for the next one.
fn wanted(request: &Request) -> Result<(u64, Duration), ControlError> {
    let number = |name: &str| request.query(name).map_or(Ok(0), str::parse::<u64>);
    let numbers = number("after").and_then(|after| Ok((after, number("wait_ms")?)));
    let (after, wait) =
        numbers.map_err(|_| ControlError::Invalid("after and wait_ms must be numbers".to_owned()))?;
    Ok((after, Duration::from_millis(wait.min(WAIT_MOST_MS))))
}

fn create(app: &App, fixture: OrganisationFixture) -> Result<Value, ControlError> {
    let mut store = app.store();
    let known = &store.state().organisations;
    let taken = known.values().any(|other| other.domain.eq_ignore_ascii_case(&fixture.domain));
    let (organisation, changes) = fixture::build_organisation(app, known.len() as u64 + 1, taken, fixture)?;
    app.commit(&mut store, changes)?;
    Ok(show(&organisation))
}

fn show(organisation: &Organisation) -> Value {
    let of = |purpose: MailboxPurpose| {
        let mut found: Vec<&Mailbox> =
            organisation.mailboxes.values().filter(|mailbox| mailbox.purpose == purpose).collect();
        found.sort_by_key(|mailbox| (!mailbox.admin, &mailbox.address));
        found.into_iter().map(mailbox).collect::<Value>()
    };
    json!({
        "id": organisation.id,
        "name": organisation.name,
        "domain": organisation.domain,
        "zone": organisation.zone,
        "admin": organisation.administrators().next().map(mailbox),
        "users": of(MailboxPurpose::User),
        "shared": of(MailboxPurpose::Shared),
        "rooms": of(MailboxPurpose::Room),
        "consents": organisation.consents,
        "settings": organisation.settings,
    })
}

fn mailbox(mailbox: &Mailbox) -> Value {
    let mut value = json!({
        "id": mailbox.id,
        "address": mailbox.address,
        "name": mailbox.name,
        "kind": mailbox.hosting,
        "in_scope": mailbox.in_scope,
        "hides_details": mailbox.hides_details,
        "online_meetings": mailbox.online_meetings,
    });
    match &mailbox.room {
        Some(room) => value["room"] = json!(room),
        None => {
            value["admin"] = mailbox.admin.into();
            value["licensed"] = (mailbox.hosting != Hosting::None).into();
        }
    }
    value
}

fn events(app: &App, id: Uuid, wanted: Option<&str>) -> Result<Value, ControlError> {
    let store = app.store();
    let organisation = find_organisation(store.state(), id)?;
    let mailboxes: Vec<&Mailbox> = match wanted {
        Some(wanted) => vec![organisation.find(wanted).ok_or(ControlError::NotFound("mailbox"))?],
        None => organisation.mailboxes.values().collect(),
    };
    let mut all = Vec::new();
    for mailbox in mailboxes {
        let owner = (id, mailbox.id.clone());
        let mut events: Vec<&Event> = store.state().calendar_events(&owner).collect();
        events.sort_by_key(|event| (event.range.start, &event.id));
        all.extend(events.into_iter().map(|found| event(mailbox, found)));
    }
    Ok(all.into())
}

fn event(mailbox: &Mailbox, event: &Event) -> Value {
    json!({
        "mailbox": mailbox.address,
        "id": event.id,
        "ical_uid": event.ical_uid,
        "etag": event.etag(),
        "subject": event.subject,
        "body": event.body,
        "start": format_utc(event.range.start),
        "end": format_utc(event.range.end),
        "location": event.location.as_ref().and_then(|place| place["displayName"].as_str()),
        "show_as": event.show_as,
        "sensitivity": event.sensitivity,
        "is_organizer": event.is_organizer,
        "organizer": event.organizer,
        "response": event.response,
        "attendees": event.attendees,
        "key": event.effect_key(),
        "transaction_id": event.transaction_id,
        "extended_properties": event.extended,
    })
}

fn plant(app: &App, id: Uuid, planted: MeetingFixture) -> Result<Value, ControlError> {
    let mut store = app.store();
    let (event, changes) =
        fixture::add_accepted_meeting(app, find_organisation(store.state(), id)?, planted)?;
    app.commit(&mut store, changes)?;
    Ok(json!({ "id": event }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewApplication {
    client_id: Option<String>,
    #[serde(default = "unnamed")]
    name: String,
    secret: Option<String>,
    secret_expires_at: Option<Timestamp>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    certificates: Vec<String>,
    permissions: Option<Vec<String>>,
}

fn unnamed() -> String {
    "Calendar application".to_owned()
}

fn register(app: &App, new: NewApplication) -> Result<Value, ControlError> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let certificates = new
        .certificates
        .iter()
        .map(|text| certificate::parse_certificate(text).map(|der| STANDARD.encode(der)))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| ControlError::Invalid("a certificate cannot be read".to_owned()))?;
    let permissions = match new.permissions {
        Some(names) => names.into_iter().collect(),
        None => DEFAULT_PERMISSIONS.map(str::to_owned).into(),
    };
    let application = Application {
        client_id: new.client_id.unwrap_or_else(|| app.new_guid().to_string()),
        name: new.name,
        secret: new.secret,
        secret_expires_at: new.secret_expires_at,
        redirect_uris: new.redirect_uris,
        certificates,
        permissions,
    };
    let answer = json!({
        "client_id": application.client_id,
        "name": application.name,
        "redirect_uris": application.redirect_uris,
        "permissions": application.permissions,
    });
    app.commit(&mut app.store(), vec![Change::Application(application)])?;
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    client_id: String,
    /// Blocks the application instead of removing it.
    #[serde(default)]
    disable: bool,
}

fn revoke(app: &App, id: Uuid, revoke: Revoke) -> Result<Value, ControlError> {
    let mut store = app.store();
    let consent = find_organisation(store.state(), id)?
        .consents
        .get(&revoke.client_id)
        .ok_or(ControlError::NotFound("consent"))?;
    let epoch = consent.epoch + 1;
    let consent = if revoke.disable {
        Consent { disabled: true, epoch, ..consent.clone() }
    } else {
        Consent { epoch, ..Consent::default() }
    };
    let client = revoke.client_id;
    app.commit(
        &mut store,
        vec![Change::Consent(id, client.clone(), consent), Change::RefreshesGone(Some((id, client)))],
    )?;
    Ok(json!({ "revoked": true }))
}

fn edit(
    app: &App,
    id: Uuid,
    address: &str,
    change: impl FnOnce(&mut Mailbox),
) -> Result<Value, ControlError> {
    let mut store = app.store();
    let found =
        find_organisation(store.state(), id)?.find(address).ok_or(ControlError::NotFound("mailbox"))?;
    let mut changed = found.clone();
    change(&mut changed);
    let answer = mailbox(&changed);
    app.commit(&mut store, vec![Change::Mailbox(id, changed)])?;
    Ok(answer)
}
