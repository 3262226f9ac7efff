//! Connecting with the login of a technical account, on a server that is entered or discovered.

use url::Url;

use super::{Exchange, check_server};
use crate::{ConsentShape, Onboarding, UnfitServer};

impl Onboarding for Exchange {
    fn consent_shape(&self) -> ConsentShape {
        ConsentShape::Login { finds_server: true }
    }

    fn check_server(&self, server: &Url) -> std::result::Result<(), UnfitServer> {
        check_server(server).map_err(|online| UnfitServer::new("SERVER_IS_EXCHANGE_ONLINE", online.message))
    }
}
