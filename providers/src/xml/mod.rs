//! Parses XML responses to a tree, whose names are matched by namespace and never by prefix.
//!
//! Parsing is lenient where the meaning is clear: characters that XML 1.0 forbids are dropped, literal or by reference;
//! undefined entities are empty; invalid bytes are replaced ([`decode`]). Document types, which could define
//! entities, and unbalanced tags are refused. Depth and memory of the tree are limited; a document that exceeds a
//! limit is [`BodyRejected::OverBudget`], so that the caller can request less at once.
//!
//! [`decode`]: crate::body::decode

mod reader;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use crate::body::{self, BodyRejected};

/// The namespace of WebDAV.
pub(crate) const DAV: &str = "DAV:";
/// The namespace of CalDAV.
pub(crate) const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
/// The namespace of Apple's extensions, such as `getctag`.
pub(crate) const CALENDARSERVER: &str = "http://calendarserver.org/ns/";

/// The namespace and name shared by all elements of one kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tag {
    /// The namespace; empty if there is none.
    namespace: Box<str>,
    /// The local name, without prefix.
    name: Box<str>,
}

/// An attribute without a namespace.
#[derive(Debug, Clone)]
struct Attribute {
    name: Box<str>,
    value: Box<str>,
}

/// A parsed XML element: name, attributes, text and children.
#[derive(Debug, Default, Clone)]
pub(crate) struct Element {
    tag: Arc<Tag>,
    /// The attributes; `None` if there are none, as in most elements.
    #[expect(
        clippy::box_collection,
        reason = "one word in place of three in each of the elements without attributes"
    )]
    attributes: Option<Box<Vec<Attribute>>>,
    /// The element's own text, without that of its children.
    pub text: String,
    /// The child elements, in document order.
    pub children: Vec<Element>,
}

impl Element {
    /// Parses a document.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, BodyRejected> {
        reader::parse_document(body, &mut body::BodyBudget::new(body::PARSE_MEMORY_BYTES))
    }

    /// Parses a document without blocking an async worker.
    pub(crate) async fn parse_async(body: &Bytes) -> Result<Self, BodyRejected> {
        body::run_blocking(body, Self::parse).await
    }

    /// The namespace; empty for none.
    pub(crate) fn namespace(&self) -> &str {
        &self.tag.namespace
    }

    /// The local name, without prefix.
    pub(crate) fn name(&self) -> &str {
        &self.tag.name
    }

    /// Whether the element has this namespace and name.
    pub(crate) fn has_name(&self, namespace: &str, name: &str) -> bool {
        self.name() == name && self.namespace() == namespace
    }

    /// The children with this namespace and name.
    pub(crate) fn all<'a>(&'a self, namespace: &'a str, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.has_name(namespace, name))
    }

    /// The first child with this namespace and name.
    pub(crate) fn child(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.has_name(namespace, name))
    }

    /// Removes the first child with this namespace and name, and returns it.
    pub(crate) fn take_child(&mut self, namespace: &str, name: &str) -> Option<Self> {
        let position = self.children.iter().position(|child| child.has_name(namespace, name))?;
        Some(self.children.swap_remove(position))
    }

    /// The trimmed text of the first child with this namespace and name.
    pub(crate) fn child_text(&self, namespace: &str, name: &str) -> Option<&str> {
        self.child(namespace, name).map(|child| child.text.trim())
    }

    /// The value of an attribute without namespace; `None` when absent.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter().flat_map(|all| all.iter());
        all.find(|attribute| &*attribute.name == name).map(|attribute| &*attribute.value)
    }
}
