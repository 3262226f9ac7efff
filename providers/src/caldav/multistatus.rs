//! `207 Multi-Status`: one response about many resources (RFC 4918 section 13).

use url::Url;

use super::{
    href,
    xml::{DAV, Element},
};

/// One resource in a response, with its status or properties.
#[derive(Debug)]
pub(super) struct Resource {
    /// The absolute URL of the resource.
    pub url: Url,
    /// The resource's own status, if the response has one in place of properties.
    pub status: Option<u16>,
    /// The properties that were found. Those of other propstats (404: unknown, 403: forbidden) are left out.
    props: Vec<Element>,
    /// Whether the server denied access to some property.
    is_hidden: bool,
}

impl Resource {
    /// The status with which the server refused access to the resource: its own, or that of all its properties.
    pub(super) fn refusal_status(&self) -> Option<u16> {
        match self.status {
            Some(status) if status / 100 != 2 => Some(status),
            _ => (self.props.is_empty() && self.is_hidden).then_some(403),
        }
    }

    /// A property by name; `None` when it was not found.
    pub(super) fn property(&self, namespace: &str, name: &str) -> Option<&Element> {
        self.props.iter().find(|prop| prop.has_name(namespace, name))
    }

    /// The text of a property; `None` when absent or empty.
    pub(super) fn text(&self, namespace: &str, name: &str) -> Option<&str> {
        self.property(namespace, name).map(|prop| prop.text.trim()).filter(|text| !text.is_empty())
    }

    /// Whether the resource type contains this element.
    pub(super) fn has_resource_type(&self, namespace: &str, name: &str) -> bool {
        self.property(DAV, "resourcetype").is_some_and(|kind| kind.child(namespace, name).is_some())
    }

    /// The URLs inside a property, unresolved.
    pub(super) fn hrefs(&self, namespace: &str, name: &str) -> Vec<&str> {
        let hrefs = self.property(namespace, name).into_iter().flat_map(|prop| prop.all(DAV, "href"));
        hrefs.map(|href| href.text.trim()).collect()
    }
}

/// Parses the resources in a response to a request to `base`; resources of other origins are left out.
pub(super) fn parse(base: &Url, body: &[u8]) -> Option<Vec<Resource>> {
    parse_with_sync_token(base, body).map(|(resources, _)| resources)
}

/// Like [`parse`], but also returns the sync token (RFC 6578 section 6.4).
pub(super) fn parse_with_sync_token(base: &Url, body: &[u8]) -> Option<(Vec<Resource>, Option<String>)> {
    let document = Element::parse(body).ok().filter(|document| document.has_name(DAV, "multistatus"))?;
    let token = document.child_text(DAV, "sync-token").filter(|token| !token.is_empty()).map(str::to_owned);
    let responses = document.children.into_iter().filter(|child| child.has_name(DAV, "response"));
    Some((responses.filter_map(|child| resource(base, child)).collect(), token))
}

fn resource(base: &Url, response: Element) -> Option<Resource> {
    let url = href::resolve(base, response.child_text(DAV, "href")?)?;
    let status = response.child_text(DAV, "status").and_then(code);
    let (mut props, mut is_hidden) = (Vec::new(), false);
    for part in response.children.into_iter().filter(|child| child.has_name(DAV, "propstat")) {
        // A propstat without a status is not a refusal.
        match part.child_text(DAV, "status").and_then(code) {
            None | Some(200..=299) => {
                let had = part.children.into_iter().filter(|child| child.has_name(DAV, "prop"));
                props.extend(had.flat_map(|prop| prop.children));
            }
            Some(status) => is_hidden |= matches!(status, 401 | 403),
        }
    }
    Some(Resource { url, status, props, is_hidden })
}

/// The status code of a line such as `HTTP/1.1 200 OK`.
fn code(line: &str) -> Option<u16> {
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn propstats_are_read_apart() {
        let body = r#"<m:multistatus xmlns:m="DAV:"><m:response><m:href>/a%40b/</m:href>
            <m:propstat><m:prop><m:displayname>Ada</m:displayname></m:prop><m:status>HTTP/1.1 200 OK</m:status></m:propstat>
            <m:propstat><m:prop><m:owner/></m:prop><m:status>HTTP/1.1 404 Not Found</m:status></m:propstat></m:response>
            <m:response><m:href>https://evil.test/</m:href></m:response>
            <m:response><m:href>/gone.ics</m:href><m:status>HTTP/1.1 404 Not Found</m:status></m:response></m:multistatus>"#;
        let all = parse(&"https://cal.test/".parse().unwrap(), body.as_bytes()).unwrap();
        assert_eq!(all.len(), 2, "the foreign one is left out");
        assert_eq!(all[0].url.path(), "/a@b/");
        assert_eq!(all[0].text(DAV, "displayname"), Some("Ada"));
        assert!(all[0].property(DAV, "owner").is_none());
        assert_eq!(all[1].status, Some(404));
    }

    #[test]
    fn a_refusal_may_be_the_resources_own_or_that_of_all_its_properties() {
        let one = |inner: &str| {
            let body = format!(
                r#"<multistatus xmlns="DAV:"><response><href>/a/</href>{inner}</response></multistatus>"#
            );
            parse(&"https://cal.test/".parse().unwrap(), body.as_bytes()).unwrap().remove(0)
        };
        let part = |status: u16| {
            format!("<propstat><prop><owner/></prop><status>HTTP/1.1 {status} X</status></propstat>")
        };
        assert_eq!(one("<status>HTTP/1.1 403 Forbidden</status>").refusal_status(), Some(403));
        assert_eq!(one(&part(403)).refusal_status(), Some(403));
        assert_eq!(one(&part(404)).refusal_status(), None, "a property that is not known is no refusal");
        assert_eq!(one(&(part(403) + &part(200))).refusal_status(), None);
        let bare = one("<propstat><prop><displayname>Ada</displayname></prop></propstat>");
        assert_eq!(bare.text(DAV, "displayname"), Some("Ada"), "a propstat without a status");
    }
}
