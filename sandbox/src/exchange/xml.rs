//! Parses XML to a tree, and builds the parts of SOAP responses.

use quick_xml::{
    NsReader, XmlVersion,
    escape::{escape, resolve_predefined_entity},
    events::Event,
    name::ResolveResult,
};

/// The namespace of SOAP 1.1.
pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The namespace of operations and their responses.
pub const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
/// The namespace of items, folders and mailboxes.
pub const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
/// The namespace of details of faults.
pub const ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";

/// A parsed XML element of a request: name, attributes, text and children.
#[derive(Debug, Clone, Default)]
pub struct Element {
    /// The namespace; empty for none.
    pub namespace: String,
    /// The local name, without prefix.
    pub name: String,
    /// The attributes' local names and values.
    pub attributes: Vec<(String, String)>,
    /// The element's own text, without that of its children.
    pub text: String,
    /// The child elements, in document order.
    pub children: Vec<Element>,
}

impl Element {
    /// Parses a document; `None` if it is malformed.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = NsReader::from_str(std::str::from_utf8(body).ok()?);
        let mut open = vec![Self::default()];
        loop {
            let (namespace, event) = reader.read_resolved_event().ok()?;
            let namespace = match namespace {
                ResolveResult::Bound(namespace) => namespace.as_ref().to_owned(),
                _ => String::new(),
            };
            match event {
                Event::Start(ref start) | Event::Empty(ref start) => {
                    let mut element =
                        Self { namespace, name: start.local_name().as_ref().to_owned(), ..Self::default() };
                    for attribute in start.attributes() {
                        let attribute = attribute.ok()?;
                        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned();
                        element.attributes.push((attribute.key.local_name().as_ref().to_owned(), value));
                    }
                    match event {
                        Event::Empty(_) => open.last_mut()?.children.push(element),
                        _ => open.push(element),
                    }
                }
                Event::End(_) => {
                    let done = open.pop()?;
                    open.last_mut()?.children.push(done);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
                Event::CData(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let text = &mut open.last_mut()?.text;
                    match reference.resolve_char_ref().ok()? {
                        Some(char) => text.push(char),
                        None => text.push_str(resolve_predefined_entity(&reference.xml10_content())?),
                    }
                }
                Event::DocType(_) => return None,
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        open.pop().filter(|_| open.is_empty())?.children.pop()
    }

    /// Whether the element has this namespace and name.
    pub fn has_name(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// The first child with this namespace and name.
    pub fn child(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.has_name(namespace, name))
    }

    /// The children of the first child with this name in the namespace of messages.
    pub fn children_of(&self, name: &str) -> &[Self] {
        self.child(MESSAGES, name).map(|child| child.children.as_slice()).unwrap_or_default()
    }

    /// The trimmed text of a child in the namespace of types.
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(TYPES, name).map(|child| child.text.trim())
    }

    /// The value of an attribute by its local name; `None` when absent.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A complete SOAP response with this body.
pub fn soap_envelope(body: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}"><s:Header><h:ServerVersionInfo MajorVersion="15" MinorVersion="2" MajorBuildNumber="1544" MinorBuildNumber="4" Version="V2017_07_11" xmlns:h="{TYPES}"/></s:Header><s:Body xmlns:m="{MESSAGES}" xmlns:t="{TYPES}">{body}</s:Body></s:Envelope>"#
    )
}

/// An XML element with this text content.
pub fn text_element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// A string, escaped for use in an attribute.
pub fn escape_attribute(text: &str) -> String {
    escape(text).into_owned()
}

/// The response to an operation: one message per item.
pub fn operation_response(operation: &str, messages: &[String]) -> String {
    format!(
        "<m:{operation}Response><m:ResponseMessages>{}</m:ResponseMessages></m:{operation}Response>",
        messages.concat()
    )
}

/// A response message that reports success, with its content.
pub fn success_message(operation: &str, inside: &str) -> String {
    format!(
        r#"<m:{operation}ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{inside}</m:{operation}ResponseMessage>"#
    )
}
