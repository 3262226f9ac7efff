//! The JWT assertion that a service account signs to request a token on behalf of a user.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{state::ServiceAccount, token::OAuthError};
use crate::{app::App, microsoft::identity::keys::ParsedToken, store::State};

/// The longest validity of an assertion, in seconds.
const LONGEST_S: i64 = 3_600;
/// The tolerated difference between clocks, in seconds.
const SKEW_S: i64 = 300;

/// The audience that Google's own client libraries use for every endpoint.
const REAL: &str = "https://oauth2.googleapis.com/token";

const CLOCK: &str = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.";

/// An assertion with a valid signature, audience and times.
#[derive(Debug)]
pub struct VerifiedAssertion {
    /// The email address of the service account that signed the assertion.
    pub account: ServiceAccount,
    /// The address of the user to act for; `None` for the account itself.
    pub subject: Option<String>,
    /// The permissions requested for the token, as scope URLs.
    pub scopes: Vec<String>,
}

/// Checks an assertion that was sent to the token endpoint `audience`.
pub fn verify_assertion(
    app: &App,
    state: &State,
    text: &str,
    audience: &str,
) -> Result<VerifiedAssertion, OAuthError> {
    let malformed = || OAuthError::new(400, "invalid_grant", "Invalid JWT: Failed to parse the token.");
    let token = ParsedToken::parse(text).ok_or_else(malformed)?;
    let claim = |name: &str| token.claims[name].as_str().map(str::to_owned);
    let issuer = claim("iss").ok_or_else(malformed)?;
    let account = state.google.accounts.get(&issuer);
    let account =
        account.ok_or_else(|| OAuthError::new(400, "invalid_grant", "Invalid grant: account not found"))?;
    if account.disabled {
        return Err(OAuthError::new(401, "disabled_client", "The OAuth client was disabled."));
    }
    if !signed(account, &token) {
        return Err(OAuthError::new(400, "invalid_grant", "Invalid JWT Signature."));
    }
    if ![Some(audience), Some(REAL)].contains(&claim("aud").as_deref()) {
        return Err(OAuthError::new(
            400,
            "invalid_grant",
            "Invalid JWT: Failed audience check. The right audience is the token endpoint.",
        ));
    }
    let (now, time) = (app.now().timestamp(), |name: &str| token.claims[name].as_i64());
    let (Some(from), Some(until)) = (time("iat"), time("exp")) else {
        return Err(OAuthError::new(400, "invalid_grant", CLOCK));
    };
    if until <= now - SKEW_S || from > now + SKEW_S || until - from > LONGEST_S || until <= from {
        return Err(OAuthError::new(400, "invalid_grant", CLOCK));
    }
    let scopes = scopes(&token.claims["scope"]);
    if scopes.is_empty() || scopes.iter().any(|scope| !is_known_scope(scope)) {
        let text = "Some requested scopes were invalid.";
        return Err(OAuthError::new(400, "invalid_scope", text));
    }
    Ok(VerifiedAssertion {
        account: account.clone(),
        subject: claim("sub").filter(|sub| *sub != issuer),
        scopes,
    })
}

fn signed(account: &ServiceAccount, token: &ParsedToken<'_>) -> bool {
    let named = token.header["kid"].as_str();
    let algorithm = token.header["alg"] == "RS256";
    let mut keys = account.keys.iter().filter(|(id, _)| named.is_none_or(|named| named == *id));
    algorithm
        && keys.any(|(_, key)| {
            let key = STANDARD.decode(key).unwrap_or_default();
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
                .verify(token.signed, &token.signature)
                .is_ok()
        })
}

fn scopes(value: &Value) -> Vec<String> {
    value.as_str().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Whether Google has a scope with this name.
pub fn is_known_scope(scope: &str) -> bool {
    matches!(scope, "openid" | "email" | "profile")
        || scope
            .strip_prefix("https://www.googleapis.com/auth/")
            .is_some_and(|name| name.starts_with("calendar") || name.starts_with("admin.directory."))
}
