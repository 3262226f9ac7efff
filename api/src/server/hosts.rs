//! Limits the host names under which the server responds, if configured.
//!
//! With DNS rebinding, a page whose name resolves to this machine has the same origin as the server under that name
//! and could read a development server's GraphiQL, including its token. The host name itself reveals the attack, so
//! only host names that an attacker cannot own are served.

use actix_web::{HttpRequest, http::uri::Authority};
use domain::hosts::{self, HostRefusal};

use crate::{error::Error, request::header, state::Config};

/// Refuses a request for a host name that is not served, or from a page of such a host.
pub(super) fn check_host(request: &HttpRequest, config: &Config) -> Result<(), Error> {
    if config.hosts.is_empty() {
        return Ok(());
    }
    let authority = request.uri().authority().map(Authority::as_str);
    let asked = authority.or_else(|| header(request, "host"));
    let origins = request.headers().get_all("origin").map(|origin| origin.to_str().ok());
    hosts::check_hosts(asked, origins, &config.hosts, &config.allowed_origins).map_err(
        |refusal| match refusal {
            HostRefusal::Host => Error::HostRefused,
            HostRefusal::Origin => Error::OriginRefused,
        },
    )
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn without_a_list_every_name_is_served() {
        let request = || {
            let request = TestRequest::default().insert_header(("host", "any.example"));
            request.insert_header(("origin", "https://any.example")).to_http_request()
        };
        assert_eq!(check_host(&request(), &Config::default()), Ok(()));
        let config = Config { hosts: vec!["muster.example.com".to_owned()], ..Config::default() };
        assert_eq!(check_host(&request(), &config), Err(Error::HostRefused));
    }
}
