//! XML answers as a small tree, read by namespace and never by prefix.
//!
//! Document types are refused (no entities of a server's own making), depth and number of elements are bounded;
//! the size is bounded by the HTTP client.

use quick_xml::{
    NsReader, XmlVersion, escape::resolve_predefined_entity, events::Event, name::ResolveResult,
};

/// The namespace of WebDAV.
pub(crate) const DAV: &str = "DAV:";
/// The namespace of CalDAV.
pub(crate) const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
/// The namespace of what Apple's server brought along, such as `getctag`.
pub(crate) const CALENDARSERVER: &str = "http://calendarserver.org/ns/";

const DEPTH: usize = 64;
const ELEMENTS: usize = 500_000;

/// An element.
#[derive(Debug, Default, Clone)]
pub(crate) struct Element {
    /// The namespace; empty for none.
    pub namespace: String,
    /// The name without prefix.
    pub name: String,
    /// The attributes without a namespace.
    pub attributes: Vec<(String, String)>,
    /// The text, without that of the children.
    pub text: String,
    /// The elements inside.
    pub children: Vec<Element>,
}

impl Element {
    /// Reads a document; `None` when it is not one that we accept.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let mut reader = NsReader::from_str(std::str::from_utf8(body).ok()?);
        let (mut open, mut count) = (vec![Self::default()], 0_usize);
        loop {
            let (namespace, event) = reader.read_resolved_event().ok()?;
            let namespace = match namespace {
                ResolveResult::Bound(namespace) => namespace.as_ref().to_owned(),
                _ => String::new(),
            };
            match event {
                Event::Start(ref start) | Event::Empty(ref start) => {
                    count += 1;
                    if open.len() >= DEPTH || count > ELEMENTS {
                        return None;
                    }
                    let name = start.local_name().as_ref().to_owned();
                    let mut attributes = Vec::new();
                    for attribute in start.attributes() {
                        let attribute = attribute.ok()?;
                        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned();
                        attributes.push((attribute.key.local_name().as_ref().to_owned(), value));
                    }
                    let element = Self { namespace, name, attributes, ..Self::default() };
                    if matches!(event, Event::Empty(_)) {
                        open.last_mut()?.children.push(element);
                    } else {
                        open.push(element);
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
        let mut document = open.pop().filter(|_| open.is_empty())?;
        document.children.pop()
    }

    /// Whether it is this element.
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// The children of this name.
    pub(crate) fn all<'a>(&'a self, namespace: &'a str, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.is(namespace, name))
    }

    /// The first child of this name.
    pub(crate) fn child(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(namespace, name))
    }

    /// The text of the first child of this name, trimmed.
    pub(crate) fn text_of(&self, namespace: &str, name: &str) -> Option<&str> {
        self.child(namespace, name).map(|child| child.text.trim())
    }

    /// An attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_do_not_matter() {
        for text in [
            "<D:a xmlns:D='DAV:'><D:b>x &amp; y &#252;</D:b></D:a>",
            "<a xmlns='DAV:'><b><![CDATA[x & y ü]]></b></a>",
            "<?xml version='1.0'?><q:a xmlns:q='DAV:'><b xmlns='DAV:'>x &amp; y &#xFC;</b></q:a>",
        ] {
            let element = Element::read(text.as_bytes()).unwrap();
            assert!(element.is(DAV, "a"), "{text}");
            assert_eq!(element.text_of(DAV, "b"), Some("x & y ü"), "{text}");
        }
        let foreign = Element::read(b"<D:a xmlns:D='other'/>").unwrap();
        assert!(!foreign.is(DAV, "a"));
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        for text in [
            "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
            "<a>&e;</a>",
            "<a><b></a>",
            "<a>",
            "",
            "{}",
            "\u{0}",
            deep.as_str(),
        ] {
            assert!(Element::read(text.as_bytes()).is_none(), "{text} must be refused");
        }
    }
}
