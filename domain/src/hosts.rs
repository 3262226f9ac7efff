//! Restricts the host names for which the server responds, and the origins from which it accepts requests.
//!
//! In a DNS rebinding attack, the attacker's host name resolves to this machine, so the attacker's page has the same
//! origin as the server under that name: it could read a development server's token or control the sandbox. Such a
//! request contains the attacker's host name, so the server accepts only host names that nobody else can own. A page of
//! another origin can submit forms although it cannot read the response; browsers report the origin in the request.

use url::{Host, Url};

/// Why the server refuses a request for its host or origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostRefusal {
    /// The request is for a host name that this server does not serve.
    Host,
    /// The request comes from a page of a foreign origin.
    Origin,
}

/// Refuses a request unless its host is loopback or listed in `hosts`, and every origin is such a host or listed in
/// `allowed`. `host` is the authority in the request; an `Origin` header that is not text is `None`.
pub fn check_hosts<'a>(
    host: Option<&str>,
    mut origins: impl Iterator<Item = Option<&'a str>>,
    hosts: &[String],
    allowed: &[String],
) -> Result<(), HostRefusal> {
    if !host.is_some_and(|host| is_served(&format!("http://{host}"), hosts)) {
        return Err(HostRefusal::Host);
    }
    let is_fine = |origin: &str| is_served(origin, hosts) || allowed.iter().any(|allowed| allowed == origin);
    if origins.all(|origin| origin.is_some_and(is_fine)) { Ok(()) } else { Err(HostRefusal::Origin) }
}

/// Whether the host of a URL is loopback or listed.
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
    use super::*;

    fn of(host: &str, origin: Option<&str>) -> Result<(), HostRefusal> {
        let hosts = ["muster.example.com".to_owned()];
        let allowed = ["https://app.example.com".to_owned()];
        check_hosts(Some(host), origin.into_iter().map(Some), &hosts, &allowed)
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
            assert_eq!(of(host, None), Err(HostRefusal::Host), "{host}");
        }
        assert_eq!(check_hosts(None, std::iter::empty(), &[], &[]), Err(HostRefusal::Host));
    }

    #[test]
    fn pages_of_other_names_are_refused() {
        for origin in ["http://localhost:4000", "http://127.0.0.1:5173", "https://app.example.com"] {
            assert_eq!(of("localhost:4000", Some(origin)), Ok(()), "{origin}");
        }
        for origin in ["http://evil.example", "null", "", "https://app.example.com.evil.example"] {
            assert_eq!(of("localhost:4000", Some(origin)), Err(HostRefusal::Origin), "{origin}");
        }
        let unreadable = check_hosts(Some("localhost"), std::iter::once(None), &[], &[]);
        assert_eq!(unreadable, Err(HostRefusal::Origin));
    }
}
