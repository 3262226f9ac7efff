//! Limits the host names under which the server responds, if configured.
//!
//! With DNS rebinding, a page whose name resolves to this machine has the same origin as the server under that name
//! and could read a development server's GraphiQL, including its token. The name itself reveals the attack, so only
//! names that nobody else can own are served.

use actix_web::{HttpRequest, http::uri::Authority};
use url::{Host, Url};

use crate::{error::Error, request::header, state::Config};

/// Refuses a request for a host name that is not served, or from a page of such a host.
pub(super) fn check(request: &HttpRequest, config: &Config) -> Result<(), Error> {
    if config.hosts.is_empty() {
        return Ok(());
    }
    let authority = request.uri().authority().map(Authority::as_str);
    let asked = authority.or_else(|| header(request, "host"));
    if !asked.is_some_and(|host| is_served(&format!("http://{host}"), &config.hosts)) {
        return Err(Error::HostRefused);
    }
    let is_fine = |origin: &str| {
        is_served(origin, &config.hosts) || config.allowed_origins.iter().any(|allowed| allowed == origin)
    };
    let mut origins = request.headers().get_all("origin");
    if origins.all(|origin| origin.to_str().is_ok_and(is_fine)) { Ok(()) } else { Err(Error::OriginRefused) }
}

/// Whether the host of a URL is this machine or on the list.
fn is_served(address: &str, hosts: &[String]) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.ends_with(".localhost")
                || hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
        }
        Some(Host::Ipv4(address)) => address.is_loopback() || hosts.contains(&address.to_string()),
        Some(Host::Ipv6(address)) => address.is_loopback() || hosts.contains(&format!("[{address}]")),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of(host: &str, origin: Option<&str>) -> Result<(), Error> {
        let config = Config {
            hosts: vec!["muster.example.com".to_owned()],
            allowed_origins: vec!["https://app.example.com".to_owned()],
            ..Config::default()
        };
        let mut request = TestRequest::default().insert_header(("host", host));
        if let Some(origin) = origin {
            request = request.insert_header(("origin", origin));
        }
        check(&request.to_http_request(), &config)
    }

    #[test]
    fn loopback_and_the_listed_names_are_served_and_no_others() {
        for host in [
            "localhost",
            "localhost:4000",
            "127.0.0.1:4000",
            "[::1]:4000",
            "a.localhost",
            "Muster.Example.com:443",
        ] {
            assert_eq!(of(host, None), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "127.0.0.1.evil.example:4000",
            "a@evil.example",
        ] {
            assert_eq!(of(host, None), Err(Error::HostRefused), "{host}");
        }
    }

    #[test]
    fn pages_of_other_names_are_refused() {
        for origin in ["http://localhost:4000", "http://127.0.0.1:5173", "https://app.example.com"] {
            assert_eq!(of("localhost:4000", Some(origin)), Ok(()), "{origin}");
        }
        for origin in ["http://evil.example", "null", "", "https://app.example.com.evil.example"] {
            assert_eq!(of("localhost:4000", Some(origin)), Err(Error::OriginRefused), "{origin}");
        }
    }

    #[test]
    fn without_a_list_every_name_is_served() {
        let request = TestRequest::default().insert_header(("host", "any.example")).to_http_request();
        assert_eq!(check(&request, &Config::default()), Ok(()));
    }
}
