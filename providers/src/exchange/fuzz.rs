//! Fuzzing entry point: parses a SOAP response with every parser of this connector.

use domain::Zone;

use super::{availability, failure::ResponseCode, item, soap::TYPES, view};
use crate::{fuzzing::fuzz_window, xml::Element};

pub(crate) fn parse_response(body: &[u8]) -> bool {
    let Ok(envelope) = Element::parse(body) else { return false };
    let _ = ResponseCode::from_fault(&envelope);
    let mut open = vec![&envelope];
    while let Some(element) = open.pop() {
        let _ = ResponseCode::from_message(element);
        if element.has_name(TYPES, "Items") {
            view::sort_items(&element.children, &Zone::UTC, fuzz_window());
        }
        if element.has_name(TYPES, "CalendarEventArray") {
            availability::parse_entries(element, Some("0123"), "ada@corp.test", fuzz_window());
        }
        if element.has_name(TYPES, "CalendarItem") {
            item::parse_item(element, &Zone::UTC, None);
        }
        open.extend(&element.children);
    }
    true
}
