//! Signing keys of an issuer (RFC 7517).

use domain::openid::SigningAlgorithm;
use http::Client;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::discovery;
use crate::Result;

/// Maximum number of keys of one issuer.
const MAX: usize = 100;

#[derive(Deserialize)]
struct List {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Published {
    kid: String,
    kty: String,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// A signing key with the algorithms for which it can be used.
#[derive(Debug)]
pub(super) struct SigningKey {
    kid: String,
    good_for: Vec<SigningAlgorithm>,
    pub(super) key: DecodingKey,
}

impl SigningKey {
    /// The algorithms by which a token may be signed with the key, limited to those in the registration.
    pub(super) fn algorithms(&self, pinned: &[SigningAlgorithm]) -> Vec<Algorithm> {
        self.good_for.iter().filter(|algorithm| pinned.contains(algorithm)).copied().map(known).collect()
    }
}

/// The usable signing keys of an issuer.
#[derive(Debug)]
pub(super) struct KeySet(Vec<SigningKey>);

impl KeySet {
    pub(super) fn has_key(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid == kid)
    }

    /// The key with this id; `None` if there is none or several.
    pub(super) fn find(&self, kid: &str) -> Option<&SigningKey> {
        let mut named = self.0.iter().filter(|key| key.kid == kid);
        named.next().filter(|_| named.next().is_none())
    }
}

/// Name of an algorithm in JOSE headers and key sets.
pub(super) fn jose_name(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::Rs256 => "RS256",
        SigningAlgorithm::Ps256 => "PS256",
        SigningAlgorithm::Es256 => "ES256",
        SigningAlgorithm::EdDsa => "EdDSA",
    }
}

fn known(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Rs256 => Algorithm::RS256,
        SigningAlgorithm::Ps256 => Algorithm::PS256,
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

/// Downloads an issuer's keys. Keys of unknown types are ignored.
pub(super) async fn read_keys(client: &Client, url: &Url) -> Result<KeySet> {
    let list: List = discovery::get_document(client, url.clone()).await?;
    Ok(KeySet(list.keys.into_iter().take(MAX).filter_map(usable).collect()))
}

/// Converts a key that may be used for signing; `None` for other keys. Its type, curve and `alg` determine the
/// algorithms.
fn usable(key: Value) -> Option<SigningKey> {
    use SigningAlgorithm as A;
    let key: Published = serde_json::from_value(key).ok()?;
    let signs = key.r#use.as_deref().is_none_or(|usage| usage == "sig")
        && key.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    let (n, e, x, y) = (key.n.as_deref(), key.e.as_deref(), key.x.as_deref(), key.y.as_deref());
    let (good_for, public): (&[A], _) = match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", None) => (&[A::Rs256, A::Ps256], DecodingKey::from_rsa_components(n?, e?)),
        ("EC", Some("P-256")) => (&[A::Es256], DecodingKey::from_ec_components(x?, y?)),
        ("OKP", Some("Ed25519")) => (&[A::EdDsa], DecodingKey::from_ed_components(x?)),
        _ => return None,
    };
    let is_named = |algorithm: A| key.alg.as_deref().is_none_or(|alg| alg == jose_name(algorithm));
    let good_for: Vec<_> = good_for.iter().copied().filter(|algorithm| is_named(*algorithm)).collect();
    (signs && !good_for.is_empty()).then_some(SigningKey { kid: key.kid, good_for, key: public.ok()? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL: &[SigningAlgorithm] = SigningAlgorithm::ALL;

    fn rsa(more: &Value) -> Value {
        let mut key = json!({ "kty": "RSA", "kid": "k", "n": "AQAB", "e": "AQAB" });
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    #[test]
    fn a_key_says_what_it_is_good_for() {
        let algorithms = |key, pinned| usable(key).map(|key| key.algorithms(pinned)).unwrap_or_default();
        assert_eq!(algorithms(rsa(&json!({})), ALL), [Algorithm::RS256, Algorithm::PS256]);
        assert_eq!(algorithms(rsa(&json!({ "alg": "PS256" })), ALL), [Algorithm::PS256]);
        assert_eq!(algorithms(rsa(&json!({})), &[SigningAlgorithm::Rs256]), [Algorithm::RS256]);
        for unusable in [
            rsa(&json!({ "alg": "HS256" })),
            rsa(&json!({ "alg": "RS512" })),
            rsa(&json!({ "use": "enc" })),
            rsa(&json!({ "key_ops": ["encrypt"] })),
            rsa(&json!({ "kty": "oct", "k": "AQAB" })),
            rsa(&json!({ "kty": "EC", "crv": "P-384", "x": "AQAB", "y": "AQAB" })),
            rsa(&json!({ "kid": 7 })),
            json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }),
            json!("key"),
        ] {
            assert!(algorithms(unusable.clone(), ALL).is_empty(), "{unusable}");
        }
        assert!(algorithms(rsa(&json!({})), &[SigningAlgorithm::Es256]).is_empty());
    }

    #[test]
    fn a_name_that_two_keys_have_names_none() {
        let set = |count: usize| KeySet((0..count).filter_map(|_| usable(rsa(&json!({})))).collect());
        assert!(set(1).find("k").is_some() && set(2).find("k").is_none() && set(1).find("l").is_none());
    }
}
