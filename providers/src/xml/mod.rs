//! XML answers as a small tree, read by namespace and never by prefix.
//!
//! Reading is lenient where the meaning is clear: characters that XML 1.0 does not allow are dropped, written or by
//! reference; entities that nobody defined are nothing; wrong bytes are replaced ([`decode`]). Document types are
//! refused (no entities of a server's own making), and so are tags without their counterparts. Depth and the memory of
//! the tree are bounded; a document that exceeds them is [`Refused::OverBudget`], so that whoever asked can ask for
//! less at once.
//!
//! [`decode`]: crate::body::decode

mod reader;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use crate::body::{self, Refused};

/// The namespace of WebDAV.
pub(crate) const DAV: &str = "DAV:";
/// The namespace of CalDAV.
pub(crate) const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
/// The namespace of what Apple's server brought along, such as `getctag`.
pub(crate) const CALENDARSERVER: &str = "http://calendarserver.org/ns/";

/// The namespace and name that elements of one kind share.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tag {
    /// Empty for none.
    namespace: Box<str>,
    /// Without prefix.
    name: Box<str>,
}

/// An attribute without a namespace.
#[derive(Debug, Clone)]
struct Attribute {
    name: Box<str>,
    value: Box<str>,
}

/// An element.
#[derive(Debug, Default, Clone)]
pub(crate) struct Element {
    tag: Arc<Tag>,
    /// A vector only where there are any: most elements have none.
    #[expect(
        clippy::box_collection,
        reason = "one word in place of three in each of the elements without attributes"
    )]
    attributes: Option<Box<Vec<Attribute>>>,
    /// The text, without that of the children.
    pub text: String,
    /// The elements inside.
    pub children: Vec<Element>,
}

impl Element {
    /// Reads a document.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refused> {
        reader::read(body, &mut body::Budget::of(body::MEMORY))
    }

    /// Reads a document without holding up an async thread.
    pub(crate) async fn read_apart(body: &Bytes) -> Result<Self, Refused> {
        body::apart(body, Self::read).await
    }

    /// The namespace; empty for none.
    pub(crate) fn namespace(&self) -> &str {
        &self.tag.namespace
    }

    /// The name without prefix.
    pub(crate) fn name(&self) -> &str {
        &self.tag.name
    }

    /// Whether it is this element.
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.name() == name && self.namespace() == namespace
    }

    /// The children of this name.
    pub(crate) fn all<'a>(&'a self, namespace: &'a str, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.is(namespace, name))
    }

    /// The first child of this name.
    pub(crate) fn child(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(namespace, name))
    }

    /// The first child of this name, taken out.
    pub(crate) fn take(&mut self, namespace: &str, name: &str) -> Option<Self> {
        let position = self.children.iter().position(|child| child.is(namespace, name))?;
        Some(self.children.swap_remove(position))
    }

    /// The text of the first child of this name, trimmed.
    pub(crate) fn text_of(&self, namespace: &str, name: &str) -> Option<&str> {
        self.child(namespace, name).map(|child| child.text.trim())
    }

    /// An attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter().flat_map(|all| all.iter());
        all.find(|attribute| &*attribute.name == name).map(|attribute| &*attribute.value)
    }
}
