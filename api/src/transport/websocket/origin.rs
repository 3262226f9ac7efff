//! Origin check for sockets. Browsers do not apply the same-origin policy to WebSockets, so the server must.

use actix_web::HttpRequest;
use url::Url;

use crate::request::header;

/// Whether the calling page, if there is one, comes from this server or from an allowed origin.
pub fn is_allowed(request: &HttpRequest, allowed: &[String]) -> bool {
    let mut origins = request.headers().get_all("origin");
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        // Only browsers send an origin, and they send one.
        return request.headers().get("origin").is_none();
    };
    let Some(origin) = origin.to_str().ok().and_then(|text| Url::parse(text).ok()) else {
        return false;
    };
    let is_own = header(request, "host").is_some_and(|host| {
        ["http", "https"].contains(&origin.scheme())
            && Url::parse(&format!("{}://{host}", origin.scheme()))
                .is_ok_and(|own| own.origin() == origin.origin())
    });
    let is_listed = || {
        allowed
            .iter()
            .filter_map(|entry| Url::parse(entry).ok())
            .any(|entry| entry.origin() == origin.origin())
    };
    is_own || (origin.origin().is_tuple() && is_listed())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_own_and_listed_origins_may_open_a_socket() {
        let listed = ["https://app.example.com".to_owned()];
        let of = |origin: &str| {
            let request = TestRequest::default()
                .insert_header(("host", "muster.example.com:8080"))
                .insert_header(("origin", origin));
            is_allowed(&request.to_http_request(), &listed)
        };
        assert!(of("http://muster.example.com:8080"), "its own");
        assert!(of("https://app.example.com"), "listed");
        assert!(of("https://app.example.com:443"), "listed, with the port that is meant anyway");
        for bad in [
            "http://muster.example.com",
            "http://app.example.com",
            "https://app.example.com.evil.example",
            "null",
            "file://",
            "",
        ] {
            assert!(!of(bad), "{bad:?} must not");
        }
        assert!(is_allowed(&TestRequest::default().to_http_request(), &listed), "a program sends none");
    }
}
