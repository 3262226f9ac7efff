//! Return URLs: the URLs to which a browser may be redirected after the connect page.

use domain::text::{self, LineMode};
use url::{Host, Url};

use crate::{Refusal, Result, text::MAX_URL_LEN};

const MAX: usize = 20;

/// Validates and normalises the vendor's return URLs.
pub(super) fn normalize_urls(urls: &[String]) -> Result<Vec<String>> {
    let malformed = |message: String| Refusal::new("RETURN_URL_MALFORMED", message).at("returnUrls");
    if urls.len() > MAX {
        let refusal = malformed(format!("A tenant has at most {MAX} return addresses."));
        return Err(refusal.exceeding(MAX, urls.len()).into());
    }
    let check = |text: &String| {
        let url = safe(text).filter(|url| url.query().is_none());
        url.map(|url| url.to_string()).ok_or_else(|| {
            malformed(format!("{text:?} must be an https address (or http on this machine) without ? and #."))
                .into()
        })
    };
    urls.iter().map(check).collect()
}

/// Whether the URL is, or lies below, one of the tenant's return URLs.
pub(super) fn is_allowed(tenant: &entity::tenant::Model, url: &str) -> bool {
    let Some(url) = safe(url) else { return false };
    let places = tenant.return_urls.as_array().into_iter().flatten();
    places.filter_map(|place| Url::parse(place.as_str()?).ok()).any(|place| lies_within(&url, &place))
}

/// Parses a URL if it can be permitted as a return URL: https or on this machine, and without user, fragment or encoded
/// slashes, because servers resolve these differently.
fn safe(text: &str) -> Option<Url> {
    // The parser drops line breaks and tabs; what is stored is the text.
    text::check_visible(text, LineMode::Line, MAX_URL_LEN).ok()?;
    let url = Url::parse(text).ok()?;
    let loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let path = url.path().to_ascii_lowercase();
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let right_scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    (plain && right_scheme && !path.contains("%2f") && !path.contains("%5c")).then_some(url)
}

fn lies_within(url: &Url, place: &Url) -> bool {
    let prefix = place.path().trim_end_matches('/');
    url.origin() == place.origin()
        && url.path().strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_address_is_encrypted_or_on_this_machine() {
        for good in [
            "https://app.example.com/settings",
            "http://127.0.0.1:3000/",
            "http://localhost/x",
            "http://[::1]/",
        ] {
            assert!(normalize_urls(&[good.to_owned()]).is_ok(), "{good}");
        }
        for bad in [
            "http://app.example.com/",
            "javascript:alert(1)",
            "https://user@app.example.com/",
            "https://app.example.com/#x",
            "https://app.example.com/?x",
            "/settings",
            "",
            "https://app.example.com/\n",
            "https://app.example.com/\0",
        ] {
            assert!(normalize_urls(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn s1_10_only_what_lies_at_or_below_an_allowed_place_is_returned_to() {
        let place = Url::parse("https://app.example.com/settings").unwrap();
        let within = |text: &str| safe(text).is_some_and(|url| lies_within(&url, &place));
        for good in ["https://app.example.com/settings", "https://app.example.com/settings/calendar?done=1"] {
            assert!(within(good), "{good}");
        }
        for bad in [
            "https://app.example.com/settingsevil",
            "https://app.example.com/",
            "https://app.example.com/settings/../other",
            "https://app.example.com/settings/%2e%2e/other",
            "https://app.example.com/settings/..%2fother",
            "https://app.example.com:8443/settings",
            "https://app.example.com.evil.test/settings",
            "https://app.example.com@evil.test/settings",
            "http://app.example.com/settings",
            "//evil.test/settings",
        ] {
            assert!(!within(bad), "{bad}");
        }
    }
}
