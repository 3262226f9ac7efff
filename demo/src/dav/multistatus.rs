//! Multistatus responses (RFC 4918, section 13), parsed without Muster's own parser.

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesRef, Event as Xml},
};
use url::Url;

use crate::error::{Result, unexpected};

/// An element of a property. Namespaces are left out: no two requested properties share a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    text: String,
    /// The `name` attribute, which distinguishes the components that a calendar supports.
    label: String,
    inside: Vec<Element>,
}

/// A resource with the properties that the server returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    /// The absolute URL of the resource.
    pub(super) url: Url,
    properties: Vec<Element>,
}

impl Resource {
    /// Parses the resources of a response to a request to `base`.
    pub(super) fn parse_all(base: &Url, xml: &str) -> Result<Vec<Self>> {
        let root = Element::read(xml)?;
        let answers = root.children("multistatus").flat_map(|all| all.children("response"));
        Ok(answers.filter_map(|answer| Self::of(base, answer)).collect())
    }

    fn of(base: &Url, answer: &Element) -> Option<Self> {
        let url = base.join(answer.children("href").next()?.text.trim()).ok()?;
        let given = answer.children("propstat").filter(|part| part.is_given());
        let properties = given.flat_map(|part| part.children("prop")).flat_map(|prop| prop.inside.clone());
        Some(Self { url, properties: properties.collect() })
    }

    fn property(&self, name: &str) -> Option<&Element> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// The text of a property; empty for one that was not returned.
    pub(super) fn text(&self, name: &str) -> &str {
        self.property(name).map(|property| property.text.as_str()).unwrap_or_default()
    }

    /// The URLs in a property, unresolved.
    pub(super) fn hrefs(&self, name: &str) -> Vec<&str> {
        let hrefs = self.property(name).into_iter().flat_map(|property| property.children("href"));
        hrefs.map(|href| href.text.trim()).filter(|href| !href.is_empty()).collect()
    }

    /// The URLs in a property, resolved on the same server.
    pub(super) fn urls(&self, name: &str) -> Vec<Url> {
        let urls = self.hrefs(name).into_iter().filter_map(|href| self.url.join(href).ok());
        urls.filter(|url| url.origin() == self.url.origin()).collect()
    }

    /// Whether the resource is of this type.
    pub(super) fn has_resource_type(&self, kind: &str) -> bool {
        self.property("resourcetype").is_some_and(|kinds| kinds.children(kind).next().is_some())
    }

    /// Whether the collection accepts events; a collection that does not declare its component types accepts all of
    /// them.
    pub(super) fn accepts_events(&self) -> bool {
        let components = self.property("supported-calendar-component-set");
        components.is_none_or(|set| set.children("comp").any(|one| one.label.eq_ignore_ascii_case("VEVENT")))
    }

    /// Whether events in the collection leave the owner's time free (RFC 6638, section 9.1).
    pub(super) fn is_transparent(&self) -> bool {
        let transparency = self.property("schedule-calendar-transp");
        transparency.is_some_and(|kind| kind.children("transparent").next().is_some())
    }

    /// Whether the caller may write to the collection; assumed if the server reports no privileges.
    pub(super) fn is_writable(&self) -> bool {
        const WRITING: [&str; 4] = ["all", "write", "write-content", "bind"];
        self.property("current-user-privilege-set").is_none_or(|set| {
            let held = set.children("privilege").flat_map(|privilege| &privilege.inside);
            held.into_iter().any(|privilege| WRITING.contains(&privilege.name.as_str()))
        })
    }
}

impl Element {
    fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.inside.iter().filter(move |element| element.name == name)
    }

    /// Whether this part of the response contains properties that were returned (status 2xx).
    fn is_given(&self) -> bool {
        let status = self.children("status").next().and_then(|status| status.text.split_whitespace().nth(1));
        status.is_none_or(|status| status.starts_with('2'))
    }

    /// Parses a document into an unnamed element that contains the root.
    fn read(xml: &str) -> Result<Self> {
        let broken = |error: quick_xml::Error| unexpected(format!("the server's XML is broken: {error}"));
        let mut reader = Reader::from_str(xml);
        let mut open = vec![Self::default()];
        loop {
            let event = reader.read_event().map_err(broken)?;
            let Some(inner) = open.last_mut() else {
                return Err(unexpected("the server's XML ends more elements than it begins"));
            };
            match event {
                Xml::Start(tag) => open.push(Self::begun(&tag)),
                Xml::Empty(tag) => inner.inside.push(Self::begun(&tag)),
                Xml::Text(piece) => inner.text.push_str(&piece),
                Xml::CData(piece) => inner.text.push_str(&piece),
                Xml::GeneralRef(reference) => inner.text.push_str(&resolved(&reference)),
                Xml::End(_) => {
                    let done = std::mem::take(inner);
                    open.pop();
                    if let Some(outer) = open.last_mut() {
                        outer.inside.push(done);
                    }
                }
                Xml::Eof => {
                    // An answer that was cut short must not pass for a short one.
                    let whole = open.len() == 1;
                    return if whole {
                        Ok(open.remove(0))
                    } else {
                        Err(unexpected("the server's XML is cut"))
                    };
                }
                _ => {}
            }
        }
    }

    fn begun(tag: &quick_xml::events::BytesStart<'_>) -> Self {
        let label =
            tag.try_get_attribute("name").ok().flatten().map(|attribute| attribute.value.into_owned());
        Self {
            name: tag.local_name().as_ref().to_owned(),
            label: label.unwrap_or_default(),
            ..Self::default()
        }
    }
}

/// The character that a predefined entity or a numeric reference stands for.
fn resolved(reference: &BytesRef<'_>) -> String {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => character.to_string(),
        _ => resolve_predefined_entity(reference).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = r#"<m:multistatus xmlns:m="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><m:response>
        <m:href>/ada/c%26d/</m:href><m:propstat><m:prop><m:resourcetype><m:collection/><C:calendar/></m:resourcetype>
        <m:owner><m:href>/ada/</m:href></m:owner><C:calendar-home-set><m:href>https://elsewhere.test/ada/</m:href>
        </C:calendar-home-set><C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>
        <m:current-user-privilege-set><m:privilege><m:read/></m:privilege></m:current-user-privilege-set>
        </m:prop><m:status>HTTP/1.1 200 OK</m:status></m:propstat><m:propstat><m:prop><m:displayname>No</m:displayname>
        </m:prop><m:status>HTTP/1.1 403 Forbidden</m:status></m:propstat></m:response><m:response>
        <m:href>/x.ics</m:href><m:propstat><m:prop><C:calendar-data>A&#13;&lt;B<![CDATA[&]]></C:calendar-data></m:prop>
        </m:propstat></m:response></m:multistatus>"#;

    fn read(xml: &str) -> Vec<Resource> {
        Resource::parse_all(&"http://dav.test/".parse().unwrap(), xml).unwrap()
    }

    #[test]
    fn only_what_was_given_is_read_of_a_resource() {
        let all = read(XML);
        let calendar = &all[0];
        assert_eq!(calendar.url.as_str(), "http://dav.test/ada/c%26d/");
        assert!(
            calendar.has_resource_type("calendar")
                && calendar.has_resource_type("collection")
                && !calendar.has_resource_type("principal")
        );
        assert_eq!(calendar.hrefs("owner"), ["/ada/"]);
        assert_eq!(calendar.urls("calendar-home-set"), [], "no password goes to another server");
        assert_eq!(calendar.text("displayname"), "", "it was refused");
        assert!(!calendar.accepts_events() && !calendar.is_writable());
        assert_eq!(all[1].text("calendar-data"), "A\r<B&");
        assert!(all[1].accepts_events() && all[1].is_writable(), "what is not said is not refused");
    }

    #[test]
    fn an_answer_that_is_cut_short_is_refused() {
        let base = "http://dav.test/".parse().unwrap();
        let cut = XML.strip_suffix("</m:response></m:multistatus>").unwrap();
        assert!(Resource::parse_all(&base, cut).is_err());
        assert!(Resource::parse_all(&base, "<multistatus></multistatus></x>").is_err());
    }
}
