//! Parses a SOAP response with every parser of this connector.

use domain::Zone;

use super::{availability, failure::Code, item, soap::TYPES, view};
use crate::{fuzzing::window, xml::Element};

pub(crate) fn read(body: &[u8]) -> bool {
    let Ok(envelope) = Element::read(body) else { return false };
    let _ = Code::of_fault(&envelope);
    let mut open = vec![&envelope];
    while let Some(element) = open.pop() {
        let _ = Code::of_message(element);
        if element.is(TYPES, "Items") {
            view::sorted(&element.children, &Zone::UTC, window());
        }
        if element.is(TYPES, "CalendarEventArray") {
            availability::entries(element, Some("0123"), "ada@corp.test", window());
        }
        if element.is(TYPES, "CalendarItem") {
            item::read(element, &Zone::UTC, None);
        }
        open.extend(&element.children);
    }
    true
}
