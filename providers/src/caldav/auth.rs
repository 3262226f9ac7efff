//! Authenticates requests with Basic (RFC 7617), Digest (RFC 7616) or a token, and interprets refusals.
//!
//! A credential that a server refused is remembered and not sent again, because servers lock accounts after
//! repeated attempts with a wrong password. A new consent has a new scope, so its credential is tried again.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::Ids;
use http::{HeaderMap, header};
use moka::sync::Cache;
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};

use super::digest::{Challenge, DigestChallenge};
use crate::{Credential, Session};

/// Cache of refused credentials and of the challenges that servers sent.
#[derive(Debug, Clone)]
pub(super) struct AuthCache {
    ids: Ids,
    refused: Cache<String, ()>,
    handshakes: Cache<String, Arc<DigestChallenge>>,
}

/// How to react to a 401.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UnauthorizedOutcome {
    /// Send the request again with the challenge that the server sent.
    Again,
    /// The server does not accept the credential.
    Refused,
    /// The server supports none of our authentication schemes; lists its own.
    Unspoken(Vec<String>),
}

impl AuthCache {
    pub(super) fn new(ids: Ids) -> Self {
        Self {
            ids,
            refused: Cache::builder().max_capacity(10_000).build(),
            handshakes: Cache::builder().max_capacity(10_000).build(),
        }
    }

    /// Whether the server has refused this credential before.
    pub(super) fn is_credential_refused(&self, key: &str) -> bool {
        self.refused.contains_key(key)
    }

    /// Records that a credential was refused, so that it is not sent again.
    pub(super) fn record_refusal(&self, key: String) {
        self.handshakes.invalidate(&key);
        self.refused.insert(key, ());
    }

    /// The `Authorization` header of a request.
    pub(super) fn authorization_header(
        &self,
        key: &str,
        credential: &Credential,
        method: &str,
        uri: &str,
    ) -> String {
        match credential {
            Credential::Bearer(token) => format!("Bearer {}", token.expose_secret()),
            Credential::Basic { user, password } => match self.handshakes.get(key) {
                Some(handshake) => {
                    let nonce = hex(&self.ids.random_bytes::<16>());
                    handshake.authorization_header(user, password.expose_secret(), method, uri, &nonce)
                }
                None => {
                    let pair = format!("{user}:{}", password.expose_secret());
                    format!("Basic {}", BASE64_STANDARD.encode(pair))
                }
            },
            // A key signs tokens for providers that take them; what a CalDAV server makes of none is its refusal.
            Credential::ServiceAccount(_) | Credential::Keyless(_) => String::new(),
        }
    }

    /// Interprets a 401. `is_second` is true if the request has already been repeated with a fresh nonce.
    pub(super) fn handle_unauthorized(
        &self,
        key: &str,
        credential: &Credential,
        headers: &HeaderMap,
        is_second: bool,
    ) -> UnauthorizedOutcome {
        let challenges = challenges(headers);
        let offers = |scheme: &str| challenges.iter().any(|one| one.scheme.eq_ignore_ascii_case(scheme));
        if challenges.is_empty() || !matches!(credential, Credential::Basic { .. }) {
            return UnauthorizedOutcome::Refused;
        }
        let before = self.handshakes.get(key);
        if before.is_none() && offers("Basic") {
            return UnauthorizedOutcome::Refused;
        }
        let Some(handshake) = DigestChallenge::strongest(&challenges) else {
            return match before {
                Some(_) => UnauthorizedOutcome::Refused,
                None => UnauthorizedOutcome::Unspoken(challenges.into_iter().map(|one| one.scheme).collect()),
            };
        };
        // A nonce that was used before may have been forgotten by the server, whether it says so or not.
        let is_spent = before.as_ref().is_none_or(|before| handshake.is_stale || before.was_nonce_reused());
        if is_second || !is_spent {
            return UnauthorizedOutcome::Refused;
        }
        self.handshakes.insert(key.to_owned(), Arc::new(handshake));
        UnauthorizedOutcome::Again
    }
}

/// The key under which a credential is remembered: its scope, the server it was sent to, and its digest.
pub(super) fn credential_key(session: &Session, origin: &str, credential: &Credential) -> String {
    let text = match credential {
        Credential::Bearer(token) => format!("bearer\n{}", token.expose_secret()),
        Credential::Basic { user, password } => format!("basic\n{user}\n{}", password.expose_secret()),
        Credential::ServiceAccount(_) | Credential::Keyless(_) => "none".to_owned(),
    };
    format!("{}\n{origin}\n{}", session.scope, hex(&Sha256::digest(text)))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The challenges of a response; several may share one header (RFC 9110 section 11.6.1).
fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(header::WWW_AUTHENTICATE).iter();
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    texts.flat_map(|text| Challenge::parse_all(&text)).collect()
}

#[cfg(test)]
mod tests {
    use domain::{SharedClock, TestClock};

    use super::*;

    fn logins() -> AuthCache {
        let clock: SharedClock = Arc::new(TestClock::at("2026-11-25T09:00:00Z".parse().unwrap()));
        AuthCache::new(Ids::seeded(clock, 1))
    }

    fn told(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| (header::WWW_AUTHENTICATE, value.parse().unwrap()));
        values.collect()
    }

    fn basic() -> Credential {
        Credential::Basic { user: "svc".to_owned(), password: "pw".to_owned().into() }
    }

    #[test]
    fn a_refusal_is_told_from_a_server_that_wants_another_scheme() {
        let digest = r#"Digest realm="r", nonce="n", qop="auth""#;
        for (headers, expected) in [
            (told(&[r#"Basic realm="a""#]), UnauthorizedOutcome::Refused),
            (told(&[digest, "Basic realm=x"]), UnauthorizedOutcome::Refused),
            (told(&[]), UnauthorizedOutcome::Refused),
            (told(&[digest]), UnauthorizedOutcome::Again),
            (
                told(&["Negotiate", "NTLM"]),
                UnauthorizedOutcome::Unspoken(vec!["Negotiate".into(), "NTLM".into()]),
            ),
            (
                told(&["Negotiate, NTLM"]),
                UnauthorizedOutcome::Unspoken(vec!["Negotiate".into(), "NTLM".into()]),
            ),
            (told(&[r#"Bearer realm="x", error="y""#]), UnauthorizedOutcome::Unspoken(vec!["Bearer".into()])),
            (
                told(&[r#"Digest realm="r", nonce="n", algorithm=X-OWN"#]),
                UnauthorizedOutcome::Unspoken(vec!["Digest".into()]),
            ),
        ] {
            assert_eq!(logins().handle_unauthorized("k", &basic(), &headers, false), expected, "{headers:?}");
        }
        let bearer = Credential::Bearer("t".to_owned().into());
        assert_eq!(
            logins().handle_unauthorized("k", &bearer, &told(&[digest]), false),
            UnauthorizedOutcome::Refused
        );
    }

    #[test]
    fn a_nonce_is_used_again_until_the_server_wants_another_one() {
        let logins = logins();
        let fresh = |nonce: &str| told(&[&format!(r#"Digest realm="r", nonce="{nonce}", qop="auth""#)]);
        let send = || logins.authorization_header("k", &basic(), "GET", "/");
        assert!(send().starts_with("Basic "));
        assert_eq!(
            logins.handle_unauthorized("k", &basic(), &fresh("one"), false),
            UnauthorizedOutcome::Again
        );
        assert!(send().contains("nc=00000001"));
        assert_eq!(
            logins.handle_unauthorized("k", &basic(), &fresh("two"), false),
            UnauthorizedOutcome::Refused,
            "a fresh nonce"
        );
        assert!(send().contains("nc=00000002"));
        assert_eq!(
            logins.handle_unauthorized("k", &basic(), &fresh("two"), false),
            UnauthorizedOutcome::Again,
            "an old nonce"
        );
        assert!(send().contains(r#"nonce="two""#));
        let stale = told(&[r#"Digest realm="r", nonce="three", stale=TRUE"#]);
        assert_eq!(logins.handle_unauthorized("k", &basic(), &stale, false), UnauthorizedOutcome::Again);
        assert_eq!(
            logins.handle_unauthorized("k", &basic(), &stale, true),
            UnauthorizedOutcome::Refused,
            "not for ever"
        );
        logins.record_refusal("k".to_owned());
        assert!(logins.is_credential_refused("k") && !logins.is_credential_refused("other"));
    }
}
