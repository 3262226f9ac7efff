//! Busy times of up to fifty calendars.

use chrono::Duration;
use domain::{TimeRange, Timestamp};
use serde_json::{Map, Value, json};

use super::BUSY;
use crate::{
    google::{
        caller::CallContext,
        failure::{Failure, RequestError},
    },
    model::{Event, Hosting, Mailbox, ShowAs},
    store::State,
    wire::WireResponse,
};

const CALENDARS_MOST: usize = 50;
const DAYS_MOST: i64 = 90;

/// Handles `POST /freeBusy`.
pub fn query_free_busy(call: &mut CallContext<'_>) -> Result<WireResponse, RequestError> {
    call.require_scope(BUSY)?;
    let body: Value =
        call.request.json().map_err(|_| Failure::new(400, "global", "parseError", "Parse Error"))?;
    let store = call.app.store();
    let state = store.state();
    call.calendar_access(state, "primary")?;
    let window = window(&body)?;
    let items = body["items"].as_array().cloned().unwrap_or_default();
    let organisation = call.organisation(state)?;
    let mut calendars = Map::new();
    for (index, item) in items.iter().enumerate() {
        let id = item["id"].as_str().ok_or_else(|| Failure::missing_value("Required"))?;
        let found = organisation.find(id).filter(|found| found.hosting == Hosting::Normal && found.in_scope);
        let value = match found {
            _ if index >= CALENDARS_MOST => failed("tooManyCalendarsRequested"),
            Some(mailbox) => json!({ "busy": busy(state, (organisation.id, mailbox), window) }),
            None => failed("notFound"),
        };
        calendars.insert(id.to_owned(), value);
    }
    let answer = json!({
        "kind": "calendar#freeBusy",
        "timeMin": millis(window.start),
        "timeMax": millis(window.end),
        "calendars": calendars,
    });
    Ok(WireResponse::json(200, answer))
}

fn window(body: &Value) -> Result<TimeRange, Failure> {
    let time = |name: &str| -> Result<Timestamp, Failure> {
        let text = body[name].as_str().ok_or_else(|| Failure::missing_value("Required"))?;
        text.parse().map_err(|_| Failure::new(400, "global", "badRequest", "Bad Request"))
    };
    let empty = || Failure::new(400, "calendar", "timeRangeEmpty", "The specified time range is empty.");
    let window = TimeRange::new(time("timeMin")?, time("timeMax")?).ok_or_else(empty)?;
    if window.duration() > Duration::days(DAYS_MOST) {
        let text = "The requested time range is too long.";
        return Err(Failure::new(400, "calendar", "timeRangeTooLong", text));
    }
    Ok(window)
}

fn failed(reason: &str) -> Value {
    json!({ "errors": [{ "domain": "global", "reason": reason }], "busy": [] })
}

/// Merged busy periods, without distinguishing kinds.
fn busy(state: &State, (organisation, mailbox): (uuid::Uuid, &Mailbox), window: TimeRange) -> Vec<Value> {
    let owner = (organisation, mailbox.id.clone());
    let blocks = |event: &&Event| !matches!(event.show_as, ShowAs::Free | ShowAs::WorkingElsewhere);
    let mut ranges: Vec<TimeRange> = state
        .calendar_events(&owner)
        .filter(blocks)
        .filter_map(|event| event.range.intersect(&window))
        .collect();
    ranges.sort();
    let mut merged: Vec<TimeRange> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
        .into_iter()
        .map(|range| json!({ "start": seconds(range.start), "end": seconds(range.end) }))
        .collect()
}

fn seconds(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn millis(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
