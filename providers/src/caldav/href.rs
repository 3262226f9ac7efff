//! Addresses of resources: resolved, kept within the server, and compared whatever their spelling.

use url::Url;

/// Resolves an href of an answer against the request's address. `None` when it leads to another origin: no
/// credential of ours goes there.
pub(super) fn resolve(base: &Url, href: &str) -> Option<Url> {
    let href = href.trim();
    let url = match rooted(base, href) {
        Some(url) => url,
        None => base.join(href).ok()?,
    };
    (url.origin() == base.origin()).then(|| normalise(url))
}

/// Some servers leave out the slash that an href begins with (RFC 4918 section 8.3): one that repeats the beginning of
/// the request's path is meant from the root.
fn rooted(base: &Url, href: &str) -> Option<Url> {
    let first = href.split('/').next().filter(|first| !first.is_empty() && !first.contains(':'))?;
    let url = base.join(&format!("/{href}")).ok()?;
    let own = base.path_segments()?.next().map(decode)?;
    (href.contains('/') && !own.is_empty() && own == decode(first)).then_some(url)
}

/// One spelling for every address: `@` and `%40` are the same.
pub(super) fn normalise(mut url: Url) -> Url {
    let segments: Vec<String> = url.path_segments().map(|all| all.map(decode).collect()).unwrap_or_default();
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().extend(segments);
    }
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Whether two normalised addresses mean the same resource; a collection is the same without its slash.
pub(super) fn same(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && one.path().trim_end_matches('/') == other.path().trim_end_matches('/')
}

/// Whether `url` lies below the collection.
pub(super) fn is_below(collection: &Url, url: &Url) -> bool {
    let rest = url.path().strip_prefix(collection.path().trim_end_matches('/'));
    url.origin() == collection.origin() && rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

/// A resource of a collection.
pub(super) fn child(collection: &Url, name: &str) -> Url {
    let mut url = collection.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(name);
    }
    url
}

/// The same collection, with its slash.
pub(super) fn folder(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

/// The last part of a path, decoded.
pub(super) fn segment(url: &Url) -> String {
    url.path().trim_end_matches('/').rsplit('/').next().map(decode).unwrap_or_default()
}

/// What a resource is called in Muster: its path, which is the same by whatever name the server is reached.
pub(super) fn id(url: &Url) -> String {
    url.path().to_owned()
}

/// The whole path, decoded.
pub(super) fn decoded(url: &Url) -> String {
    decode(url.path())
}

/// Undoes percent-encoding; what is not UTF-8 stays encoded.
pub(super) fn decode(segment: &str) -> String {
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
        let plain = resolve(&base, "/ada@corp.test/work/").unwrap();
        for href in
            ["/ada%40corp.test/work", "https://cal.test/ada@corp.test/work/", "../ada%40corp.test/%77ork/"]
        {
            assert!(same(&resolve(&base, href).unwrap(), &plain), "{href}");
        }
        assert_eq!(segment(&resolve(&base, "/ada%40corp.test/").unwrap()), "ada@corp.test");
        assert!(!same(&resolve(&base, "/a%2Fb/").unwrap(), &url("https://cal.test/a/b/")));
    }

    #[test]
    fn an_href_without_its_first_slash_is_read_as_it_is_meant() {
        let base = url("https://cal.test/ada/work/");
        for (href, path) in [
            ("ada/work/a.ics", "/ada/work/a.ics"),
            ("%61da/work/a.ics", "/ada/work/a.ics"),
            ("a.ics", "/ada/work/a.ics"),
            ("b/a.ics", "/ada/work/b/a.ics"),
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
