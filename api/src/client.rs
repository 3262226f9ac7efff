//! Determines the IP address of the client that sent a request.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::HttpRequest;
use ipnet::IpNet;

/// Header to which each proxy appends the IP address of its client.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's IP address: that of the connection's peer or, if the peer is a trusted proxy, the address that the
/// proxy reports. The header is read backwards and only as far as trusted proxies wrote it, because the client may
/// have forged the entries before them.
pub(crate) fn client_address(request: &HttpRequest, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut address = request.peer_addr()?.ip().to_canonical();
    let headers = request.headers().get_all(FORWARDED_FOR);
    let named: Vec<&str> =
        headers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    for name in named.iter().rev() {
        if !proxies.iter().any(|proxy| proxy.contains(&address)) {
            break;
        }
        let Ok(before) = name.trim().parse::<IpAddr>() else { break };
        address = before.to_canonical();
    }
    Some(network(address))
}

/// The client that opened a connection; `None` for a trusted proxy, which reports the client of each request
/// separately.
pub(crate) fn direct_client(peer: IpAddr, proxies: &[IpNet]) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    (!proxies.iter().any(|proxy| proxy.contains(&peer))).then(|| network(peer))
}

/// The network that is treated as one client: for IPv6, the first 64 bits of the address.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of(peer: &str, forwarded: &[&str]) -> String {
        let proxies = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        let mut request = TestRequest::default().peer_addr(format!("{peer}:1").parse().unwrap());
        for value in forwarded {
            request = request.append_header((FORWARDED_FOR, *value));
        }
        client_address(&request.to_http_request(), &proxies).unwrap().to_string()
    }

    #[test]
    fn only_our_own_proxies_say_whom_they_speak_for() {
        assert_eq!(of("192.0.2.1", &[]), "192.0.2.1");
        assert_eq!(of("192.0.2.1", &["198.51.100.7"]), "192.0.2.1", "a stranger's word counts for nothing");
        assert_eq!(of("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(of("[::ffff:10.0.0.1]", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            of("10.0.0.1", &["203.0.113.9, 198.51.100.7"]),
            "198.51.100.7",
            "the client wrote the first"
        );
        assert_eq!(of("10.0.0.1", &["203.0.113.9", "198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(of("10.0.0.1", &["198.51.100.7, unknown"]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &["10.0.0.3"]), "10.0.0.3");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        assert_eq!(of("[2001:db8::1]", &[]), of("[2001:db8::ffff:1]", &[]));
        assert_eq!(of("[fd00::1]", &["2001:db8:0:1::5"]), "2001:db8:0:1::");
        assert_ne!(of("[2001:db8::1]", &[]), of("[2001:db8:0:1::1]", &[]));
    }
}
