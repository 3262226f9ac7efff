//! Validates an issuer's tokens.
//!
//! The token library checks the signature with the algorithm that the key allows; every claim is checked here,
//! because the library accepts absent claims and uses the machine's clock. Headers that contain a key or its
//! location (`jku`, `jwk`, `x5u`, `x5c`) are ignored.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chrono::Duration;
use domain::Timestamp;
use jsonwebtoken::{Header, Validation};

use super::{Claims, Issuer, OpenIdClient, claims::UniqueMembers, keys::SigningKey, refused};
use crate::Result;

/// Tolerated difference between two clocks.
const LEEWAY_SECONDS: i64 = 30;
/// Maximum lifetime of a token after it was issued, even if the token itself expires later.
const LONGEST_LIFE: Duration = Duration::hours(24);
/// Maximum length of a token in bytes.
const LONGEST: usize = 16 * 1024;

/// The purpose for which a token is presented.
#[derive(Debug, Clone, Copy)]
pub enum TokenUse<'a> {
    /// An access token (RFC 9068) for this audience.
    AccessToken {
        /// Required audience of the token.
        audience: &'a str,
    },
    /// An ID token issued to the registered client.
    IdToken,
    /// The ID token at the end of a sign-in.
    SignIn {
        /// The nonce with which the sign-in began.
        nonce: &'a str,
    },
}

impl OpenIdClient {
    /// Validates a token issued by a registered issuer.
    pub async fn verify(&self, issuer: &Issuer, token: &str, what: TokenUse<'_>) -> Result<Claims> {
        if token.len() > LONGEST {
            return Err(refused("TOKEN_SIZE"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused("TOKEN_MALFORMED"))?;
        if !is_typed(&header, what) || header.crit.is_some() {
            return Err(refused("TOKEN_TYPE"));
        }
        let kid = header.kid.as_deref().ok_or_else(|| refused("TOKEN_KEY"))?;
        let published = self.published(issuer, Some(kid)).await?;
        let key = published.keys.find(kid).ok_or_else(|| refused("TOKEN_KEY"))?;
        let claims = signed(token, key, issuer)?;
        let times = check(&claims, issuer, what, self.clock.now())?;
        Ok(Claims::new(claims, times))
    }
}

/// Whether the header declares the type for which the token is presented: an access token is never accepted as an
/// ID token or vice versa, nor a logout token or any other type as one of them.
fn is_typed(header: &Header, what: TokenUse<'_>) -> bool {
    let typ = header.typ.as_ref().map(|typ| typ.to_ascii_lowercase());
    let typ = typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
    match what {
        TokenUse::AccessToken { .. } => typ == Some("at+jwt"),
        TokenUse::IdToken | TokenUse::SignIn { .. } => typ.is_none_or(|typ| typ == "jwt"),
    }
}

/// The claims of a token with a valid signature. The algorithm must be allowed by both the key and the
/// registration.
fn signed(token: &str, key: &SigningKey, issuer: &Issuer) -> Result<UniqueMembers> {
    use jsonwebtoken::errors::ErrorKind as E;
    let mut rules = Validation { algorithms: key.algorithms(&issuer.algorithms), ..Validation::default() };
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    rules.validate_aud = false;
    let decoded = jsonwebtoken::decode::<UniqueMembers>(token, &key.key, &rules);
    decoded.map(|decoded| decoded.claims).map_err(|error| {
        refused(match error.kind() {
            E::InvalidSignature => "TOKEN_SIGNATURE",
            E::InvalidAlgorithm => "TOKEN_ALGORITHM",
            _ => "TOKEN_MALFORMED",
        })
    })
}

/// Checks the claims against the registration; returns when the token was issued and when it expires.
fn check(
    claims: &UniqueMembers,
    issuer: &Issuer,
    what: TokenUse<'_>,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp)> {
    let time = |name| claims.seconds(name).and_then(|at| Timestamp::from_timestamp(at, 0));
    let (Some(ends), Some(made)) = (time("exp"), time("iat")) else { return Err(refused("TOKEN_TIMES")) };
    let begins =
        if claims.has_claim("nbf") { time("nbf").ok_or_else(|| refused("TOKEN_TIMES"))? } else { made };
    let leeway = Duration::seconds(LEEWAY_SECONDS);
    let ends = ends.min(made.checked_add_signed(LONGEST_LIFE).unwrap_or(made));
    let audience = claims.string_list("aud").unwrap_or_default();
    let rules = [
        ("TOKEN_ISSUER", claims.string("iss") == Some(issuer.url.as_str())),
        ("TOKEN_AUDIENCE", is_for_us(claims, &audience, issuer, what)),
        ("TOKEN_EXPIRED", now < ends.checked_add_signed(leeway).unwrap_or(ends)),
        ("TOKEN_TOO_EARLY", begins.max(made) <= now + leeway),
        ("TOKEN_SUBJECT", claims.string("sub").is_some_and(|sub| !sub.is_empty())),
        ("TOKEN_NONCE", is_answer(claims, what)),
        // Only whoever has the key may use a token that is bound to one (RFC 7800), and a bearer does not prove it.
        ("TOKEN_BOUND", matches!(what, TokenUse::SignIn { .. }) || !claims.has_claim("cnf")),
    ];
    match rules.iter().find(|(_, holds)| !holds) {
        Some((code, _)) => Err(refused(code)),
        None => Ok((made, ends)),
    }
}

/// Whether the token was issued for Muster. An ID token with several audiences must name Muster as authorised
/// party.
fn is_for_us(claims: &UniqueMembers, audience: &[&str], issuer: &Issuer, what: TokenUse<'_>) -> bool {
    let client = issuer.client_id.as_str();
    match what {
        TokenUse::AccessToken { audience: wanted } => !wanted.is_empty() && audience.contains(&wanted),
        TokenUse::IdToken | TokenUse::SignIn { .. } => {
            let party = claims.string("azp");
            audience.contains(&client)
                && (audience.len() == 1 || party.is_some())
                && (!claims.has_claim("azp") || party == Some(client))
        }
    }
}

/// Whether a token belongs to the sign-in that is being completed.
fn is_answer(claims: &UniqueMembers, what: TokenUse<'_>) -> bool {
    let TokenUse::SignIn { nonce } = what else { return true };
    let said = claims.string("nonce").unwrap_or_default();
    !nonce.is_empty() && verify_slices_are_equal(said.as_bytes(), nonce.as_bytes()).is_ok()
}
