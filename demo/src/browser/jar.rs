//! The cookies of a browser, by origin: a cookie is never sent to another port, host or scheme.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cookie {
    value: String,
    path: String,
}

/// The cookies that a browser has received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CookieJar(BTreeMap<String, BTreeMap<String, Cookie>>);

impl CookieJar {
    /// Stores the cookie of a `Set-Cookie` header received from `url`.
    pub fn store_cookie(&mut self, url: &Url, header: &str) {
        let mut parts = header.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let mut path = directory(url);
        let mut is_over = false;
        for attribute in parts {
            let (key, text) = attribute.split_once('=').unwrap_or((attribute, ""));
            match key.trim().to_ascii_lowercase().as_str() {
                "path" if text.starts_with('/') => text.clone_into(&mut path),
                "max-age" => is_over = text.trim().parse::<i64>().is_ok_and(|seconds| seconds <= 0),
                _ => {}
            }
        }
        let cookies = self.0.entry(origin(url)).or_default();
        if is_over {
            cookies.remove(name.trim());
        } else {
            cookies.insert(name.trim().to_owned(), Cookie { value: value.trim().to_owned(), path });
        }
    }

    /// The `Cookie` header for a request to `url`; `None` if there are no cookies.
    pub fn cookie_header(&self, url: &Url) -> Option<String> {
        let cookies = self.0.get(&origin(url))?.iter().filter(|(_, cookie)| covers(&cookie.path, url.path()));
        let pairs: Vec<String> = cookies.map(|(name, cookie)| format!("{name}={}", cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The default path of a cookie (RFC 6265 section 5.1.4).
fn directory(url: &Url) -> String {
    match url.path().rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(last) => url.path()[..last].to_owned(),
    }
}

fn covers(path: &str, wanted: &str) -> bool {
    wanted
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || path.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_cookie_goes_back_to_its_own_origin_and_path_only() {
        let mut jar = CookieJar::default();
        jar.store_cookie(
            &url("http://a.test:1/connect/x"),
            "session=1; Path=/connect; HttpOnly; SameSite=Lax",
        );
        for (at, sent) in [
            ("http://a.test:1/connect", true),
            ("http://a.test:1/connect/progress", true),
            ("http://a.test:1/connected", false),
            ("http://a.test:1/", false),
            ("http://a.test:2/connect", false),
            ("https://a.test:1/connect", false),
            ("http://b.test:1/connect", false),
        ] {
            assert_eq!(jar.cookie_header(&url(at)).as_deref(), sent.then_some("session=1"), "{at}");
        }
    }

    #[test]
    fn a_cookie_is_replaced_and_taken_away() {
        let mut jar = CookieJar::default();
        let at = url("http://a.test/sign/in");
        jar.store_cookie(&at, "a=1");
        jar.store_cookie(&at, "b=2; Path=/");
        jar.store_cookie(&at, "a=3");
        assert_eq!(jar.cookie_header(&url("http://a.test/sign/out")).as_deref(), Some("a=3; b=2"));
        jar.store_cookie(&at, "a=; Max-Age=0");
        assert_eq!(jar.cookie_header(&at).as_deref(), Some("b=2"));
    }
}
