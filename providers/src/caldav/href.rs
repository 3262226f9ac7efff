//! URLs of resources: resolved, restricted to the server's origin, and compared independently of their spelling.

use url::Url;

/// Resolves an href of a response against the request's URL. `None` if it leads to another origin, to which our
/// credentials must not be sent.
pub(super) fn resolve(base: &Url, href: &str) -> Option<Url> {
    let href = href.trim();
    let url = match rooted(base, href) {
        Some(url) => url,
        None => base.join(href).ok()?,
    };
    (url.origin() == base.origin()).then(|| normalise(url))
}

/// Resolves an href that lacks its leading slash (RFC 4918 section 8.3), as some servers send: if it repeats the start
/// of the request's path, it is relative to the root.
fn rooted(base: &Url, href: &str) -> Option<Url> {
    let first = href.split('/').next().filter(|first| !first.is_empty() && !first.contains(':'))?;
    let url = base.join(&format!("/{href}")).ok()?;
    let own = base.path_segments()?.next().map(percent_decode)?;
    (href.contains('/') && !own.is_empty() && own == percent_decode(first)).then_some(url)
}

/// Normalises a URL: for example, `@` and `%40` become the same.
pub(super) fn normalise(mut url: Url) -> Url {
    let segments: Vec<String> =
        url.path_segments().map(|all| all.map(percent_decode).collect()).unwrap_or_default();
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().extend(segments);
    }
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Whether two normalised URLs denote the same resource; a trailing slash is ignored.
pub(super) fn is_same_resource(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && one.path().trim_end_matches('/') == other.path().trim_end_matches('/')
}

/// Whether `url` lies below the collection.
pub(super) fn is_below(collection: &Url, url: &Url) -> bool {
    let rest = url.path().strip_prefix(collection.path().trim_end_matches('/'));
    url.origin() == collection.origin() && rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

/// The URL of the resource with this name in a collection.
pub(super) fn child_url(collection: &Url, name: &str) -> Url {
    let mut url = collection.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(name);
    }
    url
}

/// The collection's URL with a trailing slash.
pub(super) fn with_trailing_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

/// The decoded last segment of a path.
pub(super) fn last_segment(url: &Url) -> String {
    url.path().trim_end_matches('/').rsplit('/').next().map(percent_decode).unwrap_or_default()
}

/// The id of a resource in Muster: its path, which does not depend on the host name used.
pub(super) fn resource_id(url: &Url) -> String {
    url.path().to_owned()
}

/// The decoded path of a URL.
pub(super) fn decoded_path(url: &Url) -> String {
    percent_decode(url.path())
}

/// Decodes percent-encoding; bytes that are not UTF-8 stay encoded.
pub(super) fn percent_decode(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = (*first == b'%').then(|| tail.get(..2)).flatten();
        let byte = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| segment.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn spellings_of_one_address_are_the_same() {
        let base = url("https://cal.test/dav/");
        let plain = resolve(&base, "/ada@corp.test/office/").unwrap();
        for href in [
            "/ada%40corp.test/office",
            "https://cal.test/ada@corp.test/office/",
            "../ada%40corp.test/%6fffice/",
        ] {
            assert!(is_same_resource(&resolve(&base, href).unwrap(), &plain), "{href}");
        }
        assert_eq!(last_segment(&resolve(&base, "/ada%40corp.test/").unwrap()), "ada@corp.test");
        assert!(!is_same_resource(&resolve(&base, "/a%2Fb/").unwrap(), &url("https://cal.test/a/b/")));
    }

    #[test]
    fn an_href_without_its_first_slash_is_read_as_it_is_meant() {
        let base = url("https://cal.test/ada/office/");
        for (href, path) in [
            ("ada/office/a.ics", "/ada/office/a.ics"),
            ("%61da/office/a.ics", "/ada/office/a.ics"),
            ("a.ics", "/ada/office/a.ics"),
            ("b/a.ics", "/ada/office/b/a.ics"),
        ] {
            assert_eq!(resolve(&base, href).unwrap().path(), path, "{href}");
        }
    }

    #[test]
    fn another_origin_is_not_followed() {
        let base = url("https://cal.test/");
        for href in ["https://evil.test/", "http://cal.test/", "//evil.test/x", "https://cal.test:8443/"] {
            assert_eq!(resolve(&base, href), None, "{href}");
        }
    }

    #[test]
    fn what_lies_below_is_told_from_a_namesake() {
        let home = url("https://cal.test/ada/");
        assert!(is_below(&home, &url("https://cal.test/ada/x.ics")));
        assert!(!is_below(&home, &url("https://cal.test/adam/x.ics")));
        assert!(!is_below(&home, &url("https://cal.test/ada/")));
        assert!(!is_below(&home, &url("https://cal.test/ada/../bob/x.ics")));
    }
}
