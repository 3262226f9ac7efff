//! `getSchedule`: busy times of up to twenty mailboxes.

use chrono::Duration;
use domain::{TimeRange, Timestamp};
use serde_json::{Value, json};

use super::{
    CallContext, READ_BASIC, calendar_view,
    directory::working_hours,
    failure::{Failure, RequestError},
    odata, zones,
    zones::Zone,
};
use crate::{
    model::{Event, Hosting, Organisation, ShowAs},
    store::State,
    wire::WireResponse,
};

const SCHEDULES_MOST: usize = 20;
const DAYS_MOST: i64 = 62;
const ENTRIES_MOST: usize = 1000;
const INTERVAL: i64 = 30;

/// Handles `POST /users/{id}/calendar/getSchedule`.
pub fn get_schedule(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    let store = call.app.store();
    let state = store.state();
    call.mailbox(state, key, READ_BASIC)?;
    let asked = Asked::read(call)?;
    let zone = Zone::from_preference(call.request)?;
    let organisation = call.organisation(state)?;
    let details = call.bearer.has_any_permission(super::READ) && !call.bearer.delegated;
    let value: Vec<Value> = asked
        .schedules
        .iter()
        .map(|address| one(state, organisation, address, &asked, &zone, details))
        .collect();
    let body = json!({
        "@odata.context": odata::odata_context("Collection(microsoft.graph.scheduleInformation)"),
        "value": value,
    });
    Ok(calendar_view::with_zone_header(WireResponse::json(200, body), &zone))
}

struct Asked {
    schedules: Vec<String>,
    window: TimeRange,
    interval: Duration,
}

impl Asked {
    fn read(call: &CallContext<'_>) -> Result<Self, Failure> {
        let body: Value = call
            .request
            .json()
            .map_err(|_| Failure::new(400, "RequestBodyRead", "The request body is not valid JSON."))?;
        let schedules: Vec<String> = serde_json::from_value(body["schedules"].clone())
            .map_err(|_| Failure::invalid_request("The member 'schedules' must be a list of addresses."))?;
        if schedules.is_empty() || schedules.len() > SCHEDULES_MOST {
            return Err(Failure::invalid_request(format!(
                "The number of schedules must be between 1 and {SCHEDULES_MOST}."
            )));
        }
        let ((start, _), (end, _)) =
            (zones::parse_date_time(&body["startTime"])?, zones::parse_date_time(&body["endTime"])?);
        let window = TimeRange::new(start, end)
            .ok_or_else(|| Failure::invalid_request("The end time must be after the start time."))?;
        if window.duration() >= Duration::days(DAYS_MOST) {
            let days = window.duration().num_days().max(DAYS_MOST);
            return Err(Failure::new(
                400,
                "ErrorTimeIntervalTooBig",
                format!(
                    "The requested time duration specified for FreeBusyViewOptions.TimeWindow is too long. The allowed limit = {DAYS_MOST} days; the actual limit = {days} days."
                ),
            ));
        }
        let minutes = body["availabilityViewInterval"].as_i64().unwrap_or(INTERVAL);
        if !(5..=1440).contains(&minutes) {
            return Err(Failure::invalid_request(
                "The availability view interval must be between 5 and 1440 minutes.",
            ));
        }
        Ok(Self { schedules, window, interval: Duration::minutes(minutes) })
    }
}

fn one(
    state: &State,
    organisation: &Organisation,
    address: &str,
    asked: &Asked,
    zone: &Zone,
    details: bool,
) -> Value {
    let found = organisation.find(address).filter(|mailbox| mailbox.hosting == Hosting::Normal);
    let Some(mailbox) = found else {
        return failed(
            address,
            "ErrorMailRecipientNotFound",
            &format!(
                "Unable to resolve e-mail address {address} to an Active Directory object; it could not be found."
            ),
        );
    };
    let owner = (organisation.id, mailbox.id.clone());
    let mut events: Vec<&Event> =
        state.calendar_events(&owner).filter(|event| event.range.overlaps(&asked.window)).collect();
    if events.len() > ENTRIES_MOST {
        return failed(
            address,
            "5006",
            &format!(
                "The result set contains too many calendar entries. The allowed size is {ENTRIES_MOST}; the actual size is {}.",
                events.len()
            ),
        );
    }
    events.sort_by_key(|event| (event.range.start, &event.id));
    // An application that may not open the mailbox still sees when it is busy, as every colleague does.
    let details = details && mailbox.in_scope && !mailbox.hides_details;
    json!({
        "scheduleId": address,
        "availabilityView": slots(&events, asked),
        "scheduleItems": events.iter().map(|event| item(event, zone, details)).collect::<Vec<_>>(),
        "workingHours": working_hours(&organisation.zone),
    })
}

fn failed(address: &str, code: &str, message: &str) -> Value {
    json!({
        "scheduleId": address,
        "availabilityView": "",
        "scheduleItems": [],
        "error": { "message": message, "responseCode": code },
    })
}

fn slots(events: &[&Event], asked: &Asked) -> String {
    let mut view = String::new();
    let mut start: Timestamp = asked.window.start;
    while start < asked.window.end {
        let slot = TimeRange { start, end: (start + asked.interval).min(asked.window.end) };
        let digit =
            events.iter().filter(|event| event.range.overlaps(&slot)).map(|event| digit(event.show_as));
        view.push(char::from(b'0' + digit.max().unwrap_or(0)));
        start += asked.interval;
    }
    view
}

fn digit(show_as: ShowAs) -> u8 {
    match show_as {
        ShowAs::Free | ShowAs::WorkingElsewhere | ShowAs::Unknown => 0,
        ShowAs::Tentative => 1,
        ShowAs::Busy => 2,
        ShowAs::Oof => 3,
    }
}

fn item(event: &Event, zone: &Zone, details: bool) -> Value {
    let private = matches!(event.sensitivity.as_str(), "private" | "confidential");
    let mut item = json!({
        "isPrivate": private,
        "status": event.show_as,
        "start": zone.to_json(event.range.start),
        "end": zone.to_json(event.range.end),
    });
    if details && !private {
        item["subject"] = event.subject.clone().into();
        let place = event.location.as_ref().and_then(|place| place["displayName"].as_str());
        item["location"] = place.unwrap_or_default().into();
    }
    item
}
