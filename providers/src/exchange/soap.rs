//! Builds requests as text, and names the namespaces of responses.
//!
//! The schema prescribes the order of elements: look up an element's position before adding it.

use std::fmt::Write as _;

use chrono::SecondsFormat;
use domain::Timestamp;
use quick_xml::escape::escape;

use crate::microsoft::EXTENDED_PROPERTY_SET;

/// The namespace of SOAP 1.1.
pub(super) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The namespace of operations and their responses.
pub(super) const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
/// The namespace of items, folders and mailboxes.
pub(super) const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
/// The namespace of details of faults.
pub(super) const ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";
/// The element that denotes the default calendar of the mailbox.
pub(super) const DEFAULT_CALENDAR: &str = r#"<t:DistinguishedFolderId Id="calendar"/>"#;

/// A whole request: an operation, executed as the service account or as the owner of a mailbox. Times are UTC.
pub(super) fn soap_envelope(impersonated: Option<&str>, operation: &str) -> String {
    let mut text = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP}" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}"><soap:Header><t:RequestServerVersion Version="Exchange2013_SP1"/>"#
    );
    if let Some(mailbox) = impersonated {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "<t:ExchangeImpersonation><t:ConnectingSID>{}</t:ConnectingSID></t:ExchangeImpersonation>",
            element("t:PrimarySmtpAddress", mailbox)
        );
    }
    let _ = write!(
        text,
        r#"<t:TimeZoneContext><t:TimeZoneDefinition Id="UTC"/></t:TimeZoneContext></soap:Header><soap:Body>{operation}</soap:Body></soap:Envelope>"#
    );
    text
}

/// An XML element with this text content.
pub(super) fn element(name: &str, content: &str) -> String {
    format!("<{name}>{}</{name}>", escape_text(content))
}

/// Escapes a string for use in an element or attribute; omits characters that XML 1.0 forbids.
pub(super) fn escape_text(content: &str) -> String {
    let fits = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    escape(content.chars().filter(fits).collect::<String>()).into_owned()
}

/// A time in RFC 3339, in UTC and to the second.
pub(super) fn format_instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A time without an offset, in the request's own zone, which is UTC.
pub(super) fn format_local(at: Timestamp) -> String {
    at.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The XML element that denotes the extended property with the effect key.
pub(super) fn effect_key_field() -> String {
    format!(
        r#"<t:ExtendedFieldURI PropertySetId="{}" PropertyName="effectKey" PropertyType="String"/>"#,
        EXTENDED_PROPERTY_SET.hyphenated()
    )
}

/// The element that selects the properties in a response: ids, and the given fields.
pub(super) fn response_shape(element_name: &str, fields: &[&str], more: &str) -> String {
    let fields: String = fields
        .iter()
        .map(|field| format!(r#"<t:FieldURI FieldURI="{field}"/>"#))
        .collect::<Vec<_>>()
        .concat();
    format!(
        "<m:{element_name}><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{fields}{more}</t:AdditionalProperties></m:{element_name}>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Element;

    #[test]
    fn whatever_a_title_holds_is_a_well_formed_request_and_comes_back() {
        let title = "a < b & \"c\" 'd' ]]> \u{1f600} ü\u{0}\u{b}";
        let request = soap_envelope(Some("o'neil&co@corp.test"), &element("t:Subject", title));
        let read = Element::parse(request.as_bytes()).unwrap();
        let body = read.child(SOAP, "Body").unwrap();
        assert_eq!(body.child_text(TYPES, "Subject"), Some("a < b & \"c\" 'd' ]]> \u{1f600} ü"));
        let header = read.child(SOAP, "Header").unwrap();
        let sid =
            header.child(TYPES, "ExchangeImpersonation").unwrap().child(TYPES, "ConnectingSID").unwrap();
        assert_eq!(sid.child_text(TYPES, "PrimarySmtpAddress"), Some("o'neil&co@corp.test"));
    }

    #[test]
    fn the_account_itself_impersonates_nobody() {
        assert!(!soap_envelope(None, "").contains("ExchangeImpersonation"));
    }
}
