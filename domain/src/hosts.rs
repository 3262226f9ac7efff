//! Under which names a server answers, where that is limited.
//!
//! A page whose name is made to lead to this machine (DNS rebinding) is of the same origin as what a server shows under
//! that name, and can read it: a development server's token, or the doors of the sandbox. The name itself gives it away,
//! so only names that nobody else can own are served. A page of another origin can send forms without reading the
//! answer; its browser says where it is from.

use url::{Host, Url};

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// It names another host.
    Host,
    /// It comes from a page of another origin.
    Origin,
}

/// Refuses a request to another name than loopback's and `hosts`, and one from a page of another name, unless its origin is
/// among `allowed`. `host` is the authority that the request names; of its origins, one that is no text is `None`.
pub fn check<'a>(
    host: Option<&str>,
    mut origins: impl Iterator<Item = Option<&'a str>>,
    hosts: &[String],
    allowed: &[String],
) -> Result<(), Stranger> {
    if !host.is_some_and(|host| is_served(&format!("http://{host}"), hosts)) {
        return Err(Stranger::Host);
    }
    let is_fine = |origin: &str| is_served(origin, hosts) || allowed.iter().any(|allowed| allowed == origin);
    if origins.all(|origin| origin.is_some_and(is_fine)) { Ok(()) } else { Err(Stranger::Origin) }
}

/// Whether the host of an address is this machine, or on the list.
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

    fn of(host: &str, origin: Option<&str>) -> Result<(), Stranger> {
        let hosts = ["muster.example.com".to_owned()];
        let allowed = ["https://app.example.com".to_owned()];
        check(Some(host), origin.into_iter().map(Some), &hosts, &allowed)
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
            assert_eq!(of(host, None), Err(Stranger::Host), "{host}");
        }
        assert_eq!(check(None, std::iter::empty(), &[], &[]), Err(Stranger::Host));
    }

    #[test]
    fn pages_of_other_names_are_refused() {
        for origin in ["http://localhost:4000", "http://127.0.0.1:5173", "https://app.example.com"] {
            assert_eq!(of("localhost:4000", Some(origin)), Ok(()), "{origin}");
        }
        for origin in ["http://evil.example", "null", "", "https://app.example.com.evil.example"] {
            assert_eq!(of("localhost:4000", Some(origin)), Err(Stranger::Origin), "{origin}");
        }
        let unreadable = check(Some("localhost"), std::iter::once(None), &[], &[]);
        assert_eq!(unreadable, Err(Stranger::Origin));
    }
}
