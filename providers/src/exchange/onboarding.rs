//! Connecting with the login of a service account, on a server that is entered or discovered.

use url::Url;

use super::{Exchange, check_server};
use crate::{ConsentFlow, Onboarding, UnsupportedServer};

impl Onboarding for Exchange {
    fn consent_flow(&self) -> ConsentFlow {
        ConsentFlow::Login { finds_server: true }
    }

    fn check_server(&self, server: &Url) -> std::result::Result<(), UnsupportedServer> {
        check_server(server)
            .map_err(|online| UnsupportedServer::new("SERVER_IS_EXCHANGE_ONLINE", online.message))
    }
}
