//! An issuer's discovery document (OpenID Connect Discovery 1.0, RFC 8414).

use bytes::Bytes;
use http::{Client, Method, Request, UrlClass};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{Issuer, refused, unavailable, unusable};
use crate::{Error, Result, messages};

/// Path of the discovery document, relative to the issuer's URL.
const PATH: &str = ".well-known/openid-configuration";
/// Maximum length of an issuer identifier in bytes.
const LONGEST: usize = 500;

/// The discovery document: the issuer's endpoints and the features that it supports.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    #[serde(default)]
    id_token_signing_alg_values_supported: Vec<String>,
    code_challenge_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether every response of the authorization endpoint names the issuer (RFC 9207).
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Whether the client secret must be sent in the body of a token request, because the issuer does not accept it in
    /// a header.
    pub(super) fn requires_secret_in_body(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let has = |wanted: &str| methods.iter().any(|method| method == wanted);
        has("client_secret_post") && !has("client_secret_basic")
    }

    fn check(&self, client: &Client, issuer: &Issuer) -> Result<()> {
        if self.issuer != issuer.url {
            let message = messages::openid_another_issuer();
            return Err(unusable("DISCOVERY_ISSUER", message));
        }
        let own = Url::parse(&issuer.url).map_err(|_| malformed())?;
        let endpoints = [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri];
        for endpoint in endpoints.into_iter().chain(&self.userinfo_endpoint) {
            reachable(client, &own, endpoint)?;
        }
        let offers = |name: &str| self.id_token_signing_alg_values_supported.iter().any(|alg| alg == name);
        if !issuer.algorithms.iter().any(|algorithm| offers(super::keys::jose_name(*algorithm))) {
            let message = messages::openid_no_chosen_algorithm();
            return Err(unusable("DISCOVERY_ALGORITHMS", message));
        }
        let challenges = self.code_challenge_methods_supported.as_deref();
        if challenges.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
            return Err(unusable("DISCOVERY_PKCE", messages::openid_no_pkce()));
        }
        Ok(())
    }
}

/// Refuses an endpoint that Muster may not call, and an internal endpoint on a host other than the issuer's: an
/// internal host that the operator allowed for another purpose must not be reachable through a third party's document.
fn reachable(client: &Client, issuer: &Url, endpoint: &Url) -> Result<()> {
    let is_plain = endpoint.username().is_empty() && endpoint.password().is_none();
    let reach = client.check_url(endpoint).map_err(Error::from)?;
    match reach {
        UrlClass::Public if is_plain => Ok(()),
        UrlClass::Allowed if is_plain && endpoint.origin() == issuer.origin() => Ok(()),
        _ => Err(unusable("DISCOVERY_ENDPOINT", messages::openid_forbidden_endpoint())),
    }
}

/// Reads the issuer's document and checks it against the registration.
pub(super) async fn read_metadata(client: &Client, issuer: &Issuer) -> Result<Metadata> {
    let own = Url::parse(&issuer.url).map_err(|_| malformed())?;
    let is_plain = own.query().is_none() && own.fragment().is_none();
    let has_user = !own.username().is_empty() || own.password().is_some();
    if issuer.url.len() > LONGEST || !is_plain || has_user {
        return Err(malformed());
    }
    let address = format!("{}/{PATH}", issuer.url.trim_end_matches('/'));
    let metadata: Metadata = get_document(client, Url::parse(&address).map_err(|_| malformed())?).await?;
    metadata.check(client, issuer)?;
    Ok(metadata)
}

/// Reads a document of an issuer. A redirect counts as a failure and is not followed.
pub(super) async fn get_document<T: DeserializeOwned>(client: &Client, url: Url) -> Result<T> {
    let request = Request::new(Method::GET, url).header(http::header::ACCEPT, "application/json");
    let answer = client.send(request).await?;
    match answer.status {
        status if status.is_success() => parse(&answer.body),
        status if status.is_redirection() => {
            Err(unusable("DISCOVERY_REDIRECT", messages::openid_redirects()))
        }
        status if status.is_client_error() => {
            Err(unusable("DISCOVERY_MISSING", messages::openid_no_issuer()))
        }
        _ => Err(unavailable()),
    }
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T> {
    serde_json::from_slice(body).map_err(|_| refused("DISCOVERY_MALFORMED"))
}

fn malformed() -> Error {
    let message = messages::openid_malformed();
    unusable("ISSUER_ADDRESS", message)
}
