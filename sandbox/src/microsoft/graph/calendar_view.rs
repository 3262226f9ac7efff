//! `calendarView`: events within a window.

use chrono::Duration;
use serde_json::Value;

use super::{
    CallContext, READ,
    failure::{Failure, RequestError},
    odata, render,
    zones::Zone,
};
use crate::{model::Event, wire::WireResponse};
use domain::{TimeRange, Timestamp};

const PAGE: usize = 10;
const PAGE_MOST: usize = 1000;
const DAYS_MOST: i64 = 1825;

/// Handles `GET /users/{id}/calendarView` and its longer forms.
pub fn list_events(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    let store = call.app.store();
    let (owner, mailbox) = call.mailbox(store.state(), key, READ)?;
    let window = parse_window(call)?;
    let zone = Zone::from_preference(call.request)?;
    let (skip, top) =
        (odata::parse_skip(call.request, "$skip")?, odata::parse_top(call.request, PAGE, PAGE_MOST)?);
    let mut events: Vec<&Event> =
        store.state().calendar_events(&owner).filter(|event| event.range.overlaps(&window)).collect();
    events.sort_by_key(|event| (event.range.start, &event.id));
    let values: Vec<Value> =
        events.into_iter().map(|event| render::render_event(call, mailbox, event, &zone)).collect();
    let context = format!("users('{}')/calendarView", mailbox.id);
    let answer = WireResponse::json(
        200,
        odata::collection_page(call.request, &context, &values, (skip, top), "$skip"),
    );
    Ok(with_zone_header(answer, &zone))
}

/// Adds the header that names the time zone used.
pub fn with_zone_header(answer: WireResponse, zone: &Zone) -> WireResponse {
    if *zone == Zone::utc() {
        return answer;
    }
    answer.with_header("preference-applied", format!("outlook.timezone=\"{}\"", zone.name))
}

/// The window in the query.
pub fn parse_window(call: &CallContext<'_>) -> Result<TimeRange, Failure> {
    let (start, end) = (instant(call, "startDateTime")?, instant(call, "endDateTime")?);
    let window = TimeRange::new(start, end)
        .ok_or_else(|| Failure::invalid_request("The end of the view must be after its start."))?;
    if window.duration() > Duration::days(DAYS_MOST) {
        return Err(Failure::invalid_request(format!(
            "The range of the view must not be longer than {DAYS_MOST} days."
        )));
    }
    Ok(window)
}

fn instant(call: &CallContext<'_>, name: &str) -> Result<Timestamp, Failure> {
    let text = call.request.query(name);
    text.and_then(|text| Zone::utc().parse_time(text)).ok_or_else(|| {
        Failure::invalid_request(format!("This request requires a time window specified by the query string parameters StartDateTime and EndDateTime; '{name}' is missing or malformed."))
    })
}
