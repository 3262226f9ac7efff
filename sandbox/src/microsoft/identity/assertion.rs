//! Client assertions: a JSON Web Token instead of a client secret.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::Timestamp;

use super::{certificate, failure::Failure, keys::ParsedToken};
use crate::model::Application;

/// The only supported assertion type.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Tolerated difference between clocks, in seconds.
const SKEW_S: i64 = 300;

/// Checks an application's assertion for a token endpoint.
pub fn verify_assertion(
    application: &Application,
    assertion: &str,
    endpoints: &[String],
    now: Timestamp,
) -> Result<(), Failure> {
    let token =
        ParsedToken::parse(assertion).ok_or_else(|| invalid("The assertion is not a JSON Web Token."))?;
    let certificate = application
        .certificates
        .iter()
        .filter_map(|text| STANDARD.decode(text).ok())
        .find(|der| named(&token, der))
        .ok_or_else(|| invalid("The key was not found."))?;
    let algorithm = algorithm(&token)?;
    let key = certificate::public_key(&certificate).ok_or_else(|| invalid("The key cannot be read."))?;
    UnparsedPublicKey::new(algorithm, key)
        .verify(token.signed, &token.signature)
        .map_err(|_| invalid("The key was found, but use of the key to verify the signature failed."))?;
    claims(&token, application, endpoints, now)
}

fn named(token: &ParsedToken<'_>, der: &[u8]) -> bool {
    let [sha1, sha256] = certificate::thumbprints(der);
    match token.header.get("x5t#S256") {
        Some(thumbprint) => *thumbprint == sha256,
        None => token.header.get("x5t").is_some_and(|thumbprint| *thumbprint == sha1),
    }
}

fn algorithm(token: &ParsedToken<'_>) -> Result<&'static RsaParameters, Failure> {
    match token.header["alg"].as_str() {
        Some("PS256") => Ok(&RSA_PSS_2048_8192_SHA256),
        Some("RS256") => Ok(&RSA_PKCS1_2048_8192_SHA256),
        _ => Err(invalid("The algorithm is not supported.")),
    }
}

fn claims(
    token: &ParsedToken<'_>,
    application: &Application,
    endpoints: &[String],
    now: Timestamp,
) -> Result<(), Failure> {
    let client = application.client_id.as_str();
    if token.claims["iss"] != client || token.claims["sub"] != client {
        return Err(invalid("The issuer and the subject must be the client id."));
    }
    if !endpoints.iter().any(|endpoint| token.claims["aud"] == endpoint.as_str()) {
        return Err(Failure::new(
            50012,
            "Authentication failed. The audience of the client assertion is not this token endpoint.",
        ));
    }
    let time = |name: &str| token.claims[name].as_i64();
    let now = now.timestamp();
    let begun = time("nbf").is_none_or(|from| from <= now + SKEW_S);
    if time("exp").is_none_or(|end| end + SKEW_S <= now) || !begun {
        return Err(Failure::new(500_133, "Assertion is not within its valid time range."));
    }
    Ok(())
}

fn invalid(reason: &str) -> Failure {
    Failure::new(700_027, format!("Client assertion failed signature validation. [Reason - {reason}]"))
}
