//! FindItem, GetItem and related operations.

use chrono::Duration;
use domain::TimeRange;

use super::{
    account::CallContext,
    failure::Failure,
    folders,
    render::ItemShape,
    restriction,
    xml::{Element, MESSAGES, operation_response, success_message},
    zones,
};
use crate::model::Event;

/// Maximum number of items returned at once.
const MAX: usize = 1_000;
/// Maximum number of items returned at once with a restriction.
const MOST_RESTRICTED: usize = 250;
const DAYS_MOST: i64 = 731;

/// Handles FindItem.
pub fn find_item(call: &CallContext<'_>, operation: &Element) -> String {
    let message = match found(call, operation) {
        Ok(inside) => success_message("FindItem", &inside),
        Err(failure) => failure.to_item_message("FindItem"),
    };
    operation_response("FindItem", &[message])
}

fn found(call: &CallContext<'_>, operation: &Element) -> Result<String, Failure> {
    let folder = folders::folder_element(operation, "ParentFolderIds")
        .ok_or_else(|| Failure::schema_violation("FindItem"))?;
    let owner = call.calendar_of_folder(folder)?;
    let shape = ItemShape::from_operation(operation, true);
    let store = call.app.store();
    let mut events: Vec<&Event> = store.state().calendar_events(&owner).collect();
    let view = operation.child(MESSAGES, "CalendarView");
    let (offset, most) = match view {
        Some(view) => {
            let window = window(call, view)?;
            events.retain(|event| event.range.overlaps(&window));
            events.sort_by_key(|event| &event.id);
            (0, number(view, "MaxEntriesReturned").unwrap_or(MAX).min(MAX))
        }
        None => {
            events.sort_by_key(|event| (event.created_at, &event.id));
            let page = operation.child(MESSAGES, "IndexedPageItemView");
            let number = |name: &str| page.and_then(|page| number(page, name));
            (number("Offset").unwrap_or(0), number("MaxEntriesReturned").unwrap_or(MAX).min(MAX))
        }
    };
    let most = match operation.child(MESSAGES, "Restriction").and_then(|inside| inside.children.first()) {
        Some(condition) => {
            let mut kept = Vec::new();
            for event in events {
                if restriction::matches_event(condition, event)? {
                    kept.push(event);
                }
            }
            events = kept;
            most.min(MOST_RESTRICTED)
        }
        None => most,
    };
    let total = events.len();
    let items: String =
        events.iter().skip(offset).take(most).map(|event| shape.render_item(&owner, event)).collect();
    let end = total.min(offset + most);
    let paging = view.map_or_else(|| format!(r#" IndexedPagingOffset="{end}""#), |_| String::new());
    Ok(format!(
        r#"<m:RootFolder{paging} TotalItemsInView="{total}" IncludesLastItemInRange="{}"><t:Items>{items}</t:Items></m:RootFolder>"#,
        end == total
    ))
}

fn number(element: &Element, name: &str) -> Option<usize> {
    element.attribute(name)?.parse().ok()
}

fn window(call: &CallContext<'_>, view: &Element) -> Result<TimeRange, Failure> {
    let at = |name: &str| view.attribute(name).and_then(|text| call.zone.parse_time(text));
    let window = at("StartDate").zip(at("EndDate")).and_then(|(start, end)| TimeRange::new(start, end));
    let window = window.ok_or_else(|| {
        Failure::new("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate.")
    })?;
    if window.duration() > Duration::days(DAYS_MOST) {
        let message = "The specified view range exceeds the maximum range of two years.";
        return Err(Failure::new("ErrorCalendarViewRangeTooBig", message));
    }
    Ok(window)
}

/// Handles GetItem: one message per id.
pub fn get_item(call: &CallContext<'_>, operation: &Element) -> String {
    let shape = ItemShape::from_operation(operation, false);
    let messages: Vec<String> = operation
        .children_of("ItemIds")
        .iter()
        .map(|wanted| match one(call, wanted, &shape) {
            Ok(item) => success_message("GetItem", &format!("<m:Items>{item}</m:Items>")),
            Err(failure) => failure.to_item_message("GetItem"),
        })
        .collect();
    operation_response("GetItem", &messages)
}

fn one(call: &CallContext<'_>, wanted: &Element, shape: &ItemShape<'_>) -> Result<String, Failure> {
    let owner = call.own_calendar()?;
    let store = call.app.store();
    let events = store.state().events.get(&owner);
    let event = wanted.attribute("Id").and_then(|id| events?.get(id)).ok_or_else(Failure::item_not_found)?;
    Ok(shape.render_item(&owner, event))
}

/// Handles ConvertId; ids of this server have only one format.
pub fn convert_id(operation: &Element) -> String {
    let ids = operation.children_of("SourceIds");
    let messages: Vec<String> = ids
        .iter()
        .map(|_| Failure::new("ErrorInvalidIdMalformed", "Id is malformed.").to_item_message("ConvertId"))
        .collect();
    operation_response("ConvertId", &messages)
}

/// The time zone that a calendar item specifies.
pub fn zone_name(element: &Element) -> Result<String, Failure> {
    let name = element.attribute("Id").unwrap_or_default();
    zones::find_zone(name).map(|zone| zone.name)
}
