//! `/control`: requests of tests to the sandbox itself. Never recorded in the journal.

mod lifecycle;
mod mailboxes;
mod secrets;
mod technical;
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
    fixture::{self, Fixture, Invalid, Planted},
    generate::{self, GenerateOptions},
    google,
    microsoft::{
        self,
        graph::zones::zulu,
        identity::{certificate, permissions::FULL_SERVICE},
    },
    model::{Application, Consent, Event, Hosting, Mailbox, Organisation, Purpose, Settings},
    store::{Change, State},
    wire::{Answer, Request},
};

/// Longest wait for a journal entry.
const WAIT_MOST_MS: u64 = 60_000;

/// Why a control request was refused.
pub(crate) enum Refused {
    /// The request cannot be parsed.
    Unreadable(serde_json::Error),
    /// The request is invalid.
    Invalid(String),
    /// The object does not exist.
    NotFound(&'static str),
    /// The sandbox itself failed.
    Broken(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl From<Invalid> for Refused {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid.to_string())
    }
}

/// Handles a request below `/control`.
pub async fn route(app: &Arc<App>, request: &Request) -> Answer {
    match dispatch(app, request).await {
        Ok(value) => Answer::json(200, value),
        Err(Refused::Unreadable(cause)) => refused(400, "UNREADABLE", &cause.to_string()),
        Err(Refused::Invalid(why)) => refused(400, "INVALID", &why),
        Err(Refused::NotFound(what)) => refused(404, "NOT_FOUND", &format!("there is no such {what}")),
        Err(Refused::Broken(error)) => refused(500, error.code(), &error.to_string()),
    }
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, json!({ "error": { "code": code, "message": message } }))
}

async fn dispatch(app: &Arc<App>, request: &Request) -> Result<Value, Refused> {
    // Whoever looks after a request was answered sees what the rooms made of it.
    microsoft::answer_invitations(app)?;
    let parts = request.parts();
    match (request.method.as_str(), &parts[1..]) {
        ("GET", ["journal"]) => {
            let (after, limit) = wanted(request)?;
            if !limit.is_zero() {
                // Not an error: the list is empty then.
                let _ = tokio::time::timeout(limit, app.journal.wait_after(after)).await;
            }
            Ok(json!(app.journal.after(after)))
        }
        ("GET", ["notices"]) => {
            let (after, limit) = wanted(request)?;
            if !limit.is_zero() {
                let _ = tokio::time::timeout(limit, app.deliveries.wait_after(after)).await;
            }
            Ok(json!(app.deliveries.after(after)))
        }
        ("POST", ["organisations"]) => create(app, body(request)?),
        ("POST", ["organisations", "generate"]) => {
            let order: GenerateOptions = body(request)?;
            create(app, generate::fixture(&order, app.now()))
        }
        ("GET", ["organisations"]) => {
            let store = app.store();
            let mut all: Vec<&Organisation> = store.state().organisations.values().collect();
            all.sort_by_key(|organisation| organisation.serial);
            Ok(all.into_iter().map(show).collect())
        }
        ("POST", ["organisations", id, "lifecycle"]) => {
            lifecycle::trigger(app, identify(app, id)?, body(request)?).await
        }
        (method, ["organisations", id, rest @ ..]) => organisation(app, request, method, id, rest),
        ("POST", ["apps"]) => register(app, body(request)?),
        ("POST", ["apps", client, "secret"]) => secrets::change(app, client, body(request)?),
        (method, ["google", rest @ ..]) => google::control::installation(app, request, method, rest),
        ("POST", ["faults"]) => {
            app.faults.plant(body::<Fault>(request)?);
            Ok(json!({ "planted": app.faults.list().len() }))
        }
        ("GET", ["faults"]) => Ok(json!(app.faults.list())),
        ("DELETE", ["faults"]) => {
            app.faults.clear();
            Ok(json!({ "planted": 0 }))
        }
        ("GET", ["clock"]) => Ok(time::show(app)),
        ("POST", ["clock", "advance"]) => time::advance(app, &body(request)?),
        ("POST", ["clock", "skew"]) => time::skew(app, &body(request)?),
        ("POST", ["tokens", "expire"]) => time::expire(app, request),
        ("POST", ["cursors", "forget"]) => time::forget_cursors(app),
        _ => Err(Refused::NotFound("control")),
    }
}

fn organisation(
    app: &App,
    request: &Request,
    method: &str,
    id: &str,
    rest: &[&str],
) -> Result<Value, Refused> {
    let id = identify(app, id)?;
    match (method, rest) {
        ("GET", []) => Ok(show(find(app.store().state(), id)?)),
        ("GET", ["mails"]) => {
            let store = app.store();
            find(store.state(), id)?;
            Ok(json!(store.state().mails.get(&id).cloned().unwrap_or_default()))
        }
        ("GET", ["events"]) => events(app, id, request.query("mailbox")),
        ("POST", ["events"]) => plant(app, id, body(request)?),
        (method, ["google", rest @ ..]) => google::control::organisation(app, request, method, id, rest),
        ("POST", ["revoke-consent"]) => revoke(app, id, body(request)?),
        ("POST", ["technical-account"]) => technical::keep(app, id, body(request)?),
        ("POST", ["scope"]) => mailboxes::scope(app, id, &body(request)?),
        ("POST", ["mailbox"]) => mailboxes::change(app, id, &body(request)?),
        ("POST", ["room"]) => mailboxes::change_room(app, id, &body(request)?),
        ("POST", ["room", "answer"]) => mailboxes::answer(app, id, &body(request)?),
        ("POST", ["settings"]) => {
            let settings: Settings = body(request)?;
            find(app.store().state(), id)?;
            app.commit(&mut app.store(), vec![Change::Settings(id, settings)])?;
            Ok(json!(settings))
        }
        _ => Err(Refused::NotFound("control")),
    }
}

/// Finds an organisation by its id or domain.
fn identify(app: &App, key: &str) -> Result<Uuid, Refused> {
    if let Ok(id) = Uuid::try_parse(key) {
        return Ok(id);
    }
    let store = app.store();
    let mut all = store.state().organisations.values();
    let found = all.find(|organisation| organisation.domain.eq_ignore_ascii_case(key));
    found.map(|organisation| organisation.id).ok_or(Refused::NotFound("organisation"))
}

pub(crate) fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Refused> {
    request.json().map_err(Refused::Unreadable)
}

pub(crate) fn find(state: &State, id: Uuid) -> Result<&Organisation, Refused> {
    state.organisations.get(&id).ok_or(Refused::NotFound("organisation"))
}

/// The number of the last entry already known, and how long to wait for the next one.
fn wanted(request: &Request) -> Result<(u64, Duration), Refused> {
    let number = |name: &str| request.query(name).map_or(Ok(0), str::parse::<u64>);
    let numbers = number("after").and_then(|after| Ok((after, number("wait_ms")?)));
    let (after, wait) =
        numbers.map_err(|_| Refused::Invalid("after and wait_ms must be numbers".to_owned()))?;
    Ok((after, Duration::from_millis(wait.min(WAIT_MOST_MS))))
}

fn create(app: &App, fixture: Fixture) -> Result<Value, Refused> {
    let mut store = app.store();
    let known = &store.state().organisations;
    let taken = known.values().any(|other| other.domain.eq_ignore_ascii_case(&fixture.domain));
    let (organisation, changes) = fixture::build(app, known.len() as u64 + 1, taken, fixture)?;
    app.commit(&mut store, changes)?;
    Ok(show(&organisation))
}

fn show(organisation: &Organisation) -> Value {
    let of = |purpose: Purpose| {
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
        "users": of(Purpose::User),
        "shared": of(Purpose::Shared),
        "rooms": of(Purpose::Room),
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

fn events(app: &App, id: Uuid, wanted: Option<&str>) -> Result<Value, Refused> {
    let store = app.store();
    let organisation = find(store.state(), id)?;
    let mailboxes: Vec<&Mailbox> = match wanted {
        Some(wanted) => vec![organisation.find(wanted).ok_or(Refused::NotFound("mailbox"))?],
        None => organisation.mailboxes.values().collect(),
    };
    let mut all = Vec::new();
    for mailbox in mailboxes {
        let owner = (id, mailbox.id.clone());
        let mut events: Vec<&Event> = store.state().calendar(&owner).collect();
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
        "start": zulu(event.range.start),
        "end": zulu(event.range.end),
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

fn plant(app: &App, id: Uuid, planted: Planted) -> Result<Value, Refused> {
    let mut store = app.store();
    let (event, changes) = fixture::plant(app, find(store.state(), id)?, planted)?;
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

fn register(app: &App, new: NewApplication) -> Result<Value, Refused> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let certificates = new
        .certificates
        .iter()
        .map(|text| certificate::read(text).map(|der| STANDARD.encode(der)))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Refused::Invalid("a certificate cannot be read".to_owned()))?;
    let permissions = match new.permissions {
        Some(names) => names.into_iter().collect(),
        None => FULL_SERVICE.map(str::to_owned).into(),
    };
    let application = Application {
        client_id: new.client_id.unwrap_or_else(|| app.guid().to_string()),
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

fn revoke(app: &App, id: Uuid, revoke: Revoke) -> Result<Value, Refused> {
    let mut store = app.store();
    let consent =
        find(store.state(), id)?.consents.get(&revoke.client_id).ok_or(Refused::NotFound("consent"))?;
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

fn edit(app: &App, id: Uuid, address: &str, change: impl FnOnce(&mut Mailbox)) -> Result<Value, Refused> {
    let mut store = app.store();
    let found = find(store.state(), id)?.find(address).ok_or(Refused::NotFound("mailbox"))?;
    let mut changed = found.clone();
    change(&mut changed);
    let answer = mailbox(&changed);
    app.commit(&mut store, vec![Change::Mailbox(id, changed)])?;
    Ok(answer)
}
