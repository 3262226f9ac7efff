//! `calendarView`: events within a window.

use chrono::Duration;
use serde_json::Value;

use super::{
    Call, READ,
    failure::{Failure, Refused},
    odata, render,
    zones::Zone,
};
use crate::{model::Event, wire::Answer};
use domain::{TimeRange, Timestamp};

const PAGE: usize = 10;
const PAGE_MOST: usize = 1000;
const DAYS_MOST: i64 = 1825;

/// Handles `GET /users/{id}/calendarView` and its longer forms.
pub fn list(call: &mut Call<'_>, key: &str) -> Result<Answer, Refused> {
    let store = call.app.store();
    let (owner, mailbox) = call.mailbox(store.state(), key, READ)?;
    let window = window(call)?;
    let zone = Zone::preferred(call.request)?;
    let (skip, top) = (odata::skip(call.request, "$skip")?, odata::top(call.request, PAGE, PAGE_MOST)?);
    let mut events: Vec<&Event> =
        store.state().calendar(&owner).filter(|event| event.range.overlaps(&window)).collect();
    events.sort_by_key(|event| (event.range.start, &event.id));
    let values: Vec<Value> =
        events.into_iter().map(|event| render::event(call, mailbox, event, &zone)).collect();
    let context = format!("users('{}')/calendarView", mailbox.id);
    let answer = Answer::json(200, odata::page(call.request, &context, &values, (skip, top), "$skip"));
    Ok(applied(answer, &zone))
}

/// Adds the header that names the time zone used.
pub fn applied(answer: Answer, zone: &Zone) -> Answer {
    if *zone == Zone::utc() {
        return answer;
    }
    answer.with("preference-applied", format!("outlook.timezone=\"{}\"", zone.name))
}

/// The window in the query.
pub fn window(call: &Call<'_>) -> Result<TimeRange, Failure> {
    let (start, end) = (instant(call, "startDateTime")?, instant(call, "endDateTime")?);
    let window = TimeRange::new(start, end)
        .ok_or_else(|| Failure::invalid("The end of the view must be after its start."))?;
    if window.duration() > Duration::days(DAYS_MOST) {
        return Err(Failure::invalid(format!(
            "The range of the view must not be longer than {DAYS_MOST} days."
        )));
    }
    Ok(window)
}

fn instant(call: &Call<'_>, name: &str) -> Result<Timestamp, Failure> {
    let text = call.request.query(name);
    text.and_then(|text| Zone::utc().read(text)).ok_or_else(|| {
        Failure::invalid(format!("This request requires a time window specified by the query string parameters StartDateTime and EndDateTime; '{name}' is missing or malformed."))
    })
}
