//! Fuzzing entry point: parses a response with every list parser of the Microsoft Graph connector.

use domain::Zone;

use super::{changes, event, schedule, wire};
use crate::{fuzzing::fuzz_window, json};

pub(crate) fn parse_response(body: &[u8]) -> bool {
    let events = json::parse::<wire::List<wire::Event>>(body);
    let is_read = events.is_ok();
    for raw in events.into_iter().flat_map(|list| list.value.0).flatten() {
        event::parse_item(raw, &Zone::UTC, Some(fuzz_window()));
    }
    let page = json::parse::<wire::Delta>(body);
    for raw in page.into_iter().flat_map(|page| page.value.0).flatten() {
        let _ = changes::classify_entry(raw);
    }
    if let Ok(schedules) = json::parse::<wire::List<wire::Schedule>>(body) {
        let _ = schedule::results_in_order(schedules.value, &["ada@corp.test".to_owned()], fuzz_window());
    }
    let _ = json::parse::<wire::List<wire::User>>(body);
    let _ = json::parse::<wire::List<wire::Room>>(body);
    is_read
}
