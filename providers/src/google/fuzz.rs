//! Fuzzing entry point: parses a response with every list parser of the Google connector.

use domain::Zone;

use super::{calendars, event, wire};
use crate::{fuzzing::fuzz_window, json};

pub(crate) fn parse_response(body: &[u8]) -> bool {
    let events = json::parse::<wire::Events>(body);
    let is_read = events.is_ok();
    for raw in events.into_iter().flat_map(|list| list.items.0).flatten() {
        event::parse_item(raw, Some(&Zone::UTC), Some(fuzz_window()));
    }
    if let Ok(told) = json::parse::<wire::FreeBusy>(body) {
        calendars::results_in_order(told, &["ada@corp.test".to_owned()], fuzz_window());
    }
    let _ = json::parse::<wire::Users>(body);
    let _ = json::parse::<wire::Resources>(body);
    let _ = json::parse::<wire::Domains>(body);
    is_read
}
