//! Decides which URLs and IP addresses may be called.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Why a URL may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The URL has no host.
    #[error("it names no host")]
    NamesNoHost,
    /// The host is not one that may be called without encryption.
    #[error("plain http is not allowed for it")]
    PlainHttp,
    /// The URL has a scheme other than https.
    #[error("only https is allowed")]
    OnlyHttps,
    /// The host is an IP address that is not on the public internet.
    #[error("it is a private address")]
    PrivateAddress,
    /// The host name resolves to IP addresses that are not on the public internet.
    #[error("it resolves to a private address")]
    ResolvesToPrivate,
}

/// Hosts that the operator allowed although they are private or use plain http, such as an Exchange server on-premises
/// or the sandbox on loopback.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts {
    hosts: Vec<String>,
}

/// Why a URL may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlClass {
    /// The host is on the public internet, as far as that is known before its name is resolved.
    Public,
    /// The operator allowed the host by name, whatever its IP address.
    Allowed,
}

impl AllowedHosts {
    /// Allows these host names and literal IP addresses, with any port.
    pub fn from_hosts(hosts: impl IntoIterator<Item = String>) -> Self {
        Self { hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    fn covers(&self, host: &str) -> bool {
        self.hosts.iter().any(|allowed| allowed == host)
    }

    /// Checks the host in a URL; a host name is checked again when it is resolved.
    pub(crate) fn check(&self, url: &Url) -> Result<UrlClass, Refusal> {
        let host = url.host().ok_or(Refusal::NamesNoHost)?;
        let text = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        match url.scheme() {
            "http" | "https" if self.covers(&text) => return Ok(UrlClass::Allowed),
            "https" => {}
            "http" => return Err(Refusal::PlainHttp),
            _ => return Err(Refusal::OnlyHttps),
        }
        let literal = match host {
            Host::Domain(_) => return Ok(UrlClass::Public),
            Host::Ipv4(ip) => IpAddr::V4(ip),
            Host::Ipv6(ip) => IpAddr::V6(ip),
        };
        if is_public(literal) { Ok(UrlClass::Public) } else { Err(Refusal::PrivateAddress) }
    }
}

/// Whether an IP address is on the public internet.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 192 && b == 88 && c == 99)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// Whether an IPv6 address is public: within 2000::/3 and not in one of its reserved ranges.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    (first & 0xe000) == 0x2000
        && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8))
        && first != 0x2002
        && !(first == 0x3fff && second < 0x1000)
}

#[derive(Debug, thiserror::Error)]
#[error("resolves to a private address")]
struct Refused;

/// Whether a connection error was caused by the resolver's refusal.
pub(crate) fn is_guard_refusal(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<Refused>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Resolves host names and drops every IP address that may not be called.
pub(crate) struct Resolver(pub(crate) AllowedHosts);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.covers(&name.as_str().to_ascii_lowercase());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<SocketAddr> = found.filter(|addr| allowed || is_public(addr.ip())).collect();
            if usable.is_empty() {
                return Err(Refused.into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(allowance: &AllowedHosts, url: &str) -> Result<UrlClass, Refusal> {
        allowance.check(&url.parse().unwrap())
    }

    #[test]
    fn private_literals_are_refused_in_every_spelling() {
        let none = AllowedHosts::default();
        for url in [
            "https://127.0.0.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://10.0.0.1/",
            "https://169.254.169.254/",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[2001:db8::1]/",
            "https://[2002:7f00:1::]/",
            "http://example.com/",
            "ftp://example.com/",
        ] {
            assert!(verdict(&none, url).is_err(), "{url} must be refused");
        }
        assert_eq!(verdict(&none, "https://93.184.215.14/"), Ok(UrlClass::Public));
        assert_eq!(verdict(&none, "https://[2606:4700::1]/"), Ok(UrlClass::Public));
    }

    #[test]
    fn an_allowed_host_may_be_private_and_plain() {
        let allowance = AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
        assert_eq!(verdict(&allowance, "http://127.0.0.1:9000/x"), Ok(UrlClass::Allowed));
        assert!(verdict(&allowance, "http://127.0.0.2/").is_err());
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_loopback_is_refused() {
        let client = crate::Client::new(crate::Config::default()).unwrap();
        let request = crate::Request::new(crate::Method::GET, "https://localhost:1/".parse().unwrap());
        let error = client.send(request).await.unwrap_err();
        assert_eq!(error.code(), "ADDRESS_FORBIDDEN");
    }
}
