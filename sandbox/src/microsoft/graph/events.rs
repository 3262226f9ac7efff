//! Finds, reads and creates events, and routes other requests about an event.

use domain::TimeRange;
use serde_json::Value;

use super::{
    CallContext, READ, WRITE, calendar_view, event_changes,
    failure::{Failure, RequestError},
    meetings::{MeetingChanges, event_id, ical_uid},
    odata, online_meetings, parse, render,
    zones::{self, Zone},
};
use crate::{
    model::{DelaySettings, Event, InvitationResponse, Mailbox, NamedAddress, ShowAs},
    store::{CalendarKey, State},
    wire::WireResponse,
};

const PAGE: usize = 10;
const PAGE_MOST: usize = 1000;

/// Handles a request below `/users/{id}/events`.
pub fn route(
    call: &mut CallContext<'_>,
    method: &str,
    key: &str,
    rest: &[&str],
) -> Result<WireResponse, RequestError> {
    match (method, rest) {
        ("GET", []) => list(call, key),
        ("POST", []) => create(call, key),
        ("GET", [id]) => one(call, key, id),
        ("PATCH", [id]) => event_changes::update_event(call, key, id),
        ("DELETE", [id]) => event_changes::delete_event(call, key, id),
        ("POST", [id, "cancel"]) => event_changes::cancel_meeting(call, key, id),
        ("POST", [id, "accept"]) => {
            event_changes::respond_to_meeting(call, key, id, InvitationResponse::Accepted)
        }
        ("POST", [id, "decline"]) => {
            event_changes::respond_to_meeting(call, key, id, InvitationResponse::Declined)
        }
        ("POST", [id, "tentativelyAccept"]) => {
            event_changes::respond_to_meeting(call, key, id, InvitationResponse::TentativelyAccepted)
        }
        _ => Err(super::unknown(rest)),
    }
}

fn list(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    let store = call.app.store();
    let (owner, mailbox) = call.mailbox(store.state(), key, READ)?;
    let zone = Zone::from_preference(call.request)?;
    let filter = call.request.query("$filter").map(Filter::read).transpose()?;
    if let Some(Filter::Extended(_, value)) = &filter {
        call.note.key = Some(value.clone());
    }
    let (skip, top) =
        (odata::parse_skip(call.request, "$skip")?, odata::parse_top(call.request, PAGE, PAGE_MOST)?);
    let mut events: Vec<&Event> = store
        .state()
        .calendar_events(&owner)
        .filter(|event| filter.as_ref().is_none_or(|filter| filter.matches(event)))
        .collect();
    events.sort_by_key(|event| (event.created_at, &event.id));
    let values: Vec<Value> =
        events.into_iter().map(|event| render::render_event(call, mailbox, event, &zone)).collect();
    let context = format!("users('{}')/events", mailbox.id);
    let body = odata::collection_page(call.request, &context, &values, (skip, top), "$skip");
    Ok(calendar_view::with_zone_header(WireResponse::json(200, body), &zone))
}

fn one(call: &mut CallContext<'_>, key: &str, id: &str) -> Result<WireResponse, RequestError> {
    let store = call.app.store();
    let (owner, mailbox) = call.mailbox(store.state(), key, READ)?;
    let zone = Zone::from_preference(call.request)?;
    call.note.event_id = Some(id.to_owned());
    let event = store.state().events.get(&owner).and_then(|events| events.get(id));
    let event = event.ok_or_else(Failure::item_not_found)?;
    Ok(event_response(call, 200, event, mailbox, &zone))
}

/// A response that contains an event.
pub fn event_response(
    call: &CallContext<'_>,
    status: u16,
    event: &Event,
    mailbox: &Mailbox,
    zone: &Zone,
) -> WireResponse {
    let mut value = render::render_event(call, mailbox, event, zone);
    value["@odata.context"] = odata::odata_context(&format!("users('{}')/events/$entity", mailbox.id));
    calendar_view::with_zone_header(WireResponse::json(status, value), zone)
}

fn create(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    let mut store = call.app.store();
    let state = store.state();
    let (owner, mailbox) = call.mailbox(state, key, WRITE)?;
    let zone = Zone::from_preference(call.request)?;
    let body = parse_json_body(call)?;
    let event = new(call, mailbox, &body, call.organisation(state)?.settings)?;
    call.note.key = event.effect_key();
    if let Some(transaction) = &event.transaction_id
        && let Some(existing) = state.transactions.get(&(owner.clone(), transaction.clone()))
    {
        call.note.outcome = Some("duplicate");
        call.note.event_id = Some(existing.clone());
        return Err(Failure::new(
            409,
            "ErrorDuplicateTransactionId",
            "Your request can't be completed. The TransactionId specified in the request has already been used to create a different event.",
        )
        .into());
    }
    let id = event.id.clone();
    let mut draft = MeetingChanges::new(call.app, state, call.organisation(state)?);
    draft.create_event(&owner, event);
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("created");
    call.note.event_id = Some(id.clone());
    let (event, mailbox) = find_event(store.state(), &owner, &id)?;
    let location = format!("{}{}/{}", call.request.origin, call.request.path, id.replace('/', "%2F"));
    Ok(event_response(call, 201, event, mailbox, &zone).with_header("location", location))
}

/// An existing event and the mailbox that contains it.
pub fn find_event<'s>(
    state: &'s State,
    owner: &CalendarKey,
    id: &str,
) -> Result<(&'s Event, &'s Mailbox), Failure> {
    let event = state.events.get(owner).and_then(|events| events.get(id));
    let organisation = state.organisations.get(&owner.0);
    let mailbox = organisation.and_then(|organisation| organisation.mailboxes.get(&owner.1));
    event.zip(mailbox).ok_or_else(Failure::item_not_found)
}

/// Parses the JSON body of a request.
pub fn parse_json_body(call: &CallContext<'_>) -> Result<Value, Failure> {
    call.request
        .json()
        .map_err(|_| Failure::new(400, "RequestBodyRead", "The request body could not be read as JSON."))
}

fn new(
    call: &CallContext<'_>,
    mailbox: &Mailbox,
    body: &Value,
    settings: DelaySettings,
) -> Result<Event, Failure> {
    let missing = |name: &str| Failure::invalid_request(format!("The event must have the member '{name}'."));
    let (start, _) = zones::parse_date_time(body.get("start").ok_or_else(|| missing("start"))?)?;
    let (end, _) = zones::parse_date_time(body.get("end").ok_or_else(|| missing("end"))?)?;
    let range = TimeRange::new(start, end)
        .ok_or_else(|| Failure::invalid_request("The event's end must be after its start."))?;
    let mut event = blank_event(call.app, mailbox, range);
    event.transaction_id = body["transactionId"].as_str().map(str::to_owned);
    parse::apply_body(&mut event, body)?;
    online_meetings::apply_meeting_request(&mut event, body, mailbox, settings, call.app.now());
    Ok(event)
}

/// A new event without content, organised by this mailbox's owner.
pub fn blank_event(app: &crate::app::App, mailbox: &Mailbox, range: TimeRange) -> Event {
    let now = app.now();
    Event {
        id: event_id(app),
        change: 0,
        ical_uid: ical_uid(app),
        subject: String::new(),
        body_type: "html".to_owned(),
        body: String::new(),
        range,
        zones: ("UTC".to_owned(), "UTC".to_owned()),
        all_day: false,
        location: None,
        organizer: NamedAddress { name: mailbox.name.clone(), address: mailbox.address.clone() },
        is_organizer: true,
        attendees: Vec::new(),
        response: InvitationResponse::Organizer,
        responded_at: None,
        show_as: ShowAs::Busy,
        sensitivity: "normal".to_owned(),
        transaction_id: None,
        extended: std::collections::BTreeMap::new(),
        meeting: None,
        extra: std::collections::BTreeMap::new(),
        created_at: now,
        modified_at: now,
    }
}

/// The supported forms of `$filter` for events.
enum Filter {
    Extended(String, String),
    Uid(String),
}

impl Filter {
    fn read(text: &str) -> Result<Self, Failure> {
        let mut literals = odata::string_literals(text).into_iter();
        let bare: String =
            odata::normalise_expression(text).chars().filter(|character| *character != '\'').collect();
        let known = match (bare.as_str(), literals.next(), literals.next()) {
            ("icaluideq", Some(uid), None) => Some(Self::Uid(uid)),
            (shape, Some(id), Some(value)) => extended_shape(shape).then_some(Self::Extended(id, value)),
            _ => None,
        };
        known.ok_or_else(|| {
            Failure::new(
                400,
                "ErrorInvalidUrlQueryFilter",
                "The query filter contains one or more invalid nodes.",
            )
        })
    }

    fn matches(&self, event: &Event) -> bool {
        match self {
            Self::Uid(uid) => event.ical_uid == *uid,
            Self::Extended(id, value) => {
                event.extended.iter().any(|(known, held)| known.eq_ignore_ascii_case(id) && held == value)
            }
        }
    }
}

/// Whether a filter has the form `singleValueExtendedProperties/any(x:x/id eq '' and x/value eq '')`, with any
/// variable.
fn extended_shape(shape: &str) -> bool {
    let inner =
        shape.strip_prefix("singlevalueextendedproperties/any(").and_then(|rest| rest.strip_suffix(')'));
    inner
        .and_then(|inner| inner.split_once(':'))
        .is_some_and(|(variable, condition)| condition == format!("{variable}/ideqand{variable}/valueeq"))
}
