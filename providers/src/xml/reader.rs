//! Builds the element tree and charges it to the budget.

use std::{collections::HashMap, sync::Arc};

use quick_xml::{
    NsReader,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
    name::ResolveResult,
};

use super::{Attribute, Element, Tag};
use crate::body::{BodyBudget, BodyRejected, decode};

/// Maximum nesting of elements.
const DEPTH: usize = 64;
/// Maximum number of namespaces in scope at once, which bounds the steps of a look-up.
const NAMESPACES: usize = 64;
/// Memory in bytes that a table entry for a tag needs in addition to the tag's characters.
const TAG: usize = 256;
/// Memory in bytes that an element's list of attributes needs in addition to the attributes themselves.
const ATTRIBUTES: usize = size_of::<Vec<Attribute>>();

/// Parses a document within a budget of bytes.
pub(super) fn parse_document(body: &[u8], budget: &mut BodyBudget) -> Result<Element, BodyRejected> {
    let text = decode(body, budget)?;
    let mut reader = NsReader::from_str(&text);
    reader.config_mut().allow_dangling_amp = true;
    reader.resolver_mut().set_max_namespace_bindings(NAMESPACES);
    let mut tree = Tree { open: vec![Element::default()], tags: HashMap::new(), budget };
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|_| BodyRejected::Malformed)?;
        match event {
            Event::Start(start) => {
                let element = tree.element(&namespace, &start)?;
                if tree.open.len() > DEPTH {
                    return Err(BodyRejected::OverBudget);
                }
                tree.open.push(element);
            }
            Event::Empty(start) => {
                let element = tree.element(&namespace, &start)?;
                tree.close(element)?;
            }
            Event::End(_) => {
                let done = tree.open.pop().ok_or(BodyRejected::Malformed)?;
                tree.close(done)?;
            }
            Event::Text(text) => tree.text(&text)?,
            Event::CData(text) => tree.text(&text)?,
            Event::GeneralRef(reference) => {
                if let Some(char) = meant(&reference) {
                    tree.room(char.len_utf8())?.push(char);
                }
            }
            Event::DocType(_) => return Err(BodyRejected::Malformed),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    let mut document = tree.open.pop().filter(|_| tree.open.is_empty()).ok_or(BodyRejected::Malformed)?;
    document.children.pop().ok_or(BodyRejected::Malformed)
}

/// The tree under construction.
struct Tree<'b> {
    /// The document and its open elements.
    open: Vec<Element>,
    /// Known tags, by namespace and name.
    tags: HashMap<Box<str>, HashMap<Box<str>, Arc<Tag>>>,
    budget: &'b mut BodyBudget,
}

impl Tree<'_> {
    fn element(
        &mut self,
        namespace: &ResolveResult<'_>,
        start: &BytesStart<'_>,
    ) -> Result<Element, BodyRejected> {
        self.budget.spend(size_of::<Element>())?;
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.as_ref(),
            _ => "",
        };
        let tag = self.tag(namespace, start.local_name().as_ref())?;
        let attributes = self.attributes(start)?;
        Ok(Element { tag, attributes, text: String::new(), children: Vec::new() })
    }

    fn tag(&mut self, namespace: &str, name: &str) -> Result<Arc<Tag>, BodyRejected> {
        if let Some(known) = self.tags.get(namespace).and_then(|names| names.get(name)) {
            return Ok(Arc::clone(known));
        }
        self.budget.spend(TAG + 2 * (namespace.len() + name.len()))?;
        let tag = Arc::new(Tag { namespace: namespace.into(), name: name.into() });
        self.tags.entry(namespace.into()).or_default().insert(name.into(), Arc::clone(&tag));
        Ok(tag)
    }

    /// The attributes without a namespace. A malformed attribute is ignored, together with the rest of the tag.
    #[expect(clippy::box_collection, reason = "see the field")]
    fn attributes(&mut self, start: &BytesStart<'_>) -> Result<Option<Box<Vec<Attribute>>>, BodyRejected> {
        let mut all = Vec::new();
        // Searching for duplicates would take quadratic time.
        for attribute in start.attributes().with_checks(false).map_while(Result::ok) {
            let (name, prefix) = attribute.key.decompose();
            if prefix.is_some() || attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let cost = if all.is_empty() { ATTRIBUTES } else { 0 } + size_of::<Attribute>();
            self.budget.spend(cost + name.as_ref().len() + attribute.value.len())?;
            make_room(&mut all);
            all.push(Attribute { name: name.as_ref().into(), value: value(&attribute.value).into() });
        }
        all.shrink_to_fit();
        Ok(Some(all).filter(|all| !all.is_empty()).map(Box::new))
    }

    /// Closes an element and adds it to its parent.
    fn close(&mut self, mut done: Element) -> Result<(), BodyRejected> {
        done.text.shrink_to_fit();
        done.children.shrink_to_fit();
        let parent = self.open.last_mut().ok_or(BodyRejected::Malformed)?;
        make_room(&mut parent.children);
        parent.children.push(done);
        Ok(())
    }

    /// Adds text, with line breaks normalised as in XML 1.0 section 2.11.
    fn text(&mut self, text: &str) -> Result<(), BodyRejected> {
        let whole = self.room(text.len())?;
        let mut rest = text;
        while let Some(at) = rest.find(|char| !is_allowed(char) || char == '\r') {
            whole.push_str(&rest[..at]);
            let char = rest[at..].chars().next().unwrap_or_default();
            rest = &rest[at + char.len_utf8()..];
            if char == '\r' && !rest.starts_with('\n') {
                whole.push('\n');
            }
        }
        whole.push_str(rest);
        Ok(())
    }

    /// The text of the open element, with capacity for this number of bytes.
    fn room(&mut self, bytes: usize) -> Result<&mut String, BodyRejected> {
        self.budget.spend(bytes)?;
        let text = &mut self.open.last_mut().ok_or(BodyRejected::Malformed)?.text;
        if text.capacity() - text.len() < bytes {
            text.reserve_exact(bytes.max(text.len() / 4));
        }
        Ok(text)
    }
}

/// Grows a full vector by a quarter, because doubling it would take twice the memory that was budgeted.
fn make_room<T>(all: &mut Vec<T>) {
    if all.len() == all.capacity() {
        all.reserve_exact(1.max(all.len() / 4));
    }
}

/// The character to which a reference refers; `None` if it is undefined or not allowed in XML.
fn meant(reference: &str) -> Option<char> {
    let char = match reference.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
        None => resolve_predefined_entity(reference)?.chars().next()?,
    };
    is_allowed(char).then_some(char)
}

/// Whether XML 1.0 allows a character (section 2.2).
fn is_allowed(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// The value of an attribute: references resolved, white space normalised to spaces. An ampersand that starts no
/// reference is kept.
fn value(raw: &str) -> String {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(|char: char| char == '&' || char < ' ' || !is_allowed(char)) {
        value.push_str(&rest[..at]);
        let char = rest[at..].chars().next().unwrap_or_default();
        rest = &rest[at + char.len_utf8()..];
        let name = (char == '&').then(|| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '#').next());
        match name.flatten().filter(|name| !name.is_empty() && rest[name.len()..].starts_with(';')) {
            Some(name) => {
                value.extend(meant(name));
                rest = &rest[name.len() + 1..];
            }
            None if char == '&' => value.push(char),
            None if matches!(char, '\t' | '\n' | '\r') => value.push(' '),
            None => {}
        }
    }
    value.push_str(rest);
    value
}
