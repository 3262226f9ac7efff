//! Digest access authentication (RFC 7616), including older servers that omit parts of it (RFC 2617, RFC 2069).
//!
//! The crate `digest_auth` is not used because it compares algorithm names case-sensitively, while Cyrus writes
//! them in lower case, and because it depends on outdated versions of its hash functions.

use std::sync::atomic::{AtomicU32, Ordering};

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};

use super::auth::hex;

/// A challenge of a `WWW-Authenticate` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// The scheme, as the server writes it.
    pub scheme: String,
    params: Vec<(String, String)>,
}

impl Challenge {
    /// Parses all challenges of one header value.
    pub(super) fn parse_all(text: &str) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for piece in pieces(text) {
            let (name, value) = match piece.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (piece.trim(), None),
            };
            // A challenge begins with `Scheme name=value` or with a single word.
            let (scheme, name) = match name.split_once(char::is_whitespace) {
                Some((scheme, name)) => (Some(scheme), name.trim()),
                None if value.is_none() => (Some(name), ""),
                None => (None, name),
            };
            if let Some(scheme) = scheme {
                all.push(Self { scheme: scheme.to_owned(), params: Vec::new() });
            }
            if let (Some(last), Some(value), false) = (all.last_mut(), value, name.is_empty()) {
                last.params.push((name.to_ascii_lowercase(), unquoted(value)));
            }
        }
        all
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Splits a header value at commas outside quotation marks.
fn pieces(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').map(|rest| rest.strip_suffix('"').unwrap_or(rest)) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        text.extend(if char == '\\' { chars.next() } else { Some(char) });
    }
    text
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha512Of256,
    Sha256,
}

impl Hash {
    fn of(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
            Self::Sha512Of256 => hex(&Sha512_256::digest(text)),
        }
    }
}

/// A supported Digest challenge, and how often its nonce was used.
#[derive(Debug)]
pub(super) struct DigestChallenge {
    /// Whether the server reports that only the nonce was stale.
    pub is_stale: bool,
    hash: Hash,
    is_session: bool,
    /// The name of the algorithm as the server writes it; `None` when it names none.
    algorithm: Option<String>,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    has_qop: bool,
    hides_user: bool,
    count: AtomicU32,
}

impl DigestChallenge {
    /// The strongest Digest challenge that we support.
    pub(super) fn strongest(challenges: &[Challenge]) -> Option<Self> {
        let digests = challenges.iter().filter(|one| one.scheme.eq_ignore_ascii_case("digest"));
        digests.filter_map(Self::of).max_by_key(|one| one.hash)
    }

    fn of(challenge: &Challenge) -> Option<Self> {
        let algorithm = challenge.param("algorithm");
        let upper = algorithm.unwrap_or("MD5").to_ascii_uppercase();
        let (name, is_session) =
            upper.strip_suffix("-SESS").map_or((upper.as_str(), false), |name| (name, true));
        let hash = match name {
            "MD5" => Hash::Md5,
            "SHA-256" => Hash::Sha256,
            "SHA-512-256" => Hash::Sha512Of256,
            _ => return None,
        };
        let qop = challenge.param("qop");
        // Bodies are not signed (`auth-int`): no server is known that wants nothing else.
        if qop.is_some_and(|qop| !qop.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth"))) {
            return None;
        }
        let is_true = |name| challenge.param(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        Some(Self {
            is_stale: is_true("stale"),
            hash,
            is_session,
            algorithm: algorithm.map(str::to_owned),
            realm: challenge.param("realm")?.to_owned(),
            nonce: challenge.param("nonce")?.to_owned(),
            opaque: challenge.param("opaque").map(str::to_owned),
            has_qop: qop.is_some(),
            hides_user: is_true("userhash"),
            count: AtomicU32::new(0),
        })
    }

    /// Whether the nonce was used for more than one request.
    pub(super) fn was_nonce_reused(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 1
    }

    /// The `Authorization` header of the next request (RFC 7616 section 3.4).
    pub(super) fn authorization_header(
        &self,
        user: &str,
        password: &str,
        method: &str,
        uri: &str,
        client_nonce: &str,
    ) -> String {
        let h = |text: String| self.hash.of(&text);
        let count = format!("{:08x}", self.count.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        let (realm, nonce) = (&self.realm, &self.nonce);
        let mut secret = h(format!("{user}:{realm}:{password}"));
        if self.is_session {
            secret = h(format!("{secret}:{nonce}:{client_nonce}"));
        }
        let request = h(format!("{method}:{uri}"));
        let response = match self.has_qop {
            true => h(format!("{secret}:{nonce}:{count}:{client_nonce}:auth:{request}")),
            false => h(format!("{secret}:{nonce}:{request}")),
        };
        let mut header =
            format!("Digest {}, realm={}, nonce={}", self.named(user), quoted(realm), quoted(nonce));
        header.extend([", uri=", &quoted(uri), ", response=\"", &response, "\""]);
        if let Some(algorithm) = &self.algorithm {
            header.extend([", algorithm=", algorithm]);
        }
        if let Some(opaque) = &self.opaque {
            header.extend([", opaque=", &quoted(opaque)]);
        }
        if self.has_qop {
            header.extend([", qop=auth, nc=", &count]);
        }
        if self.has_qop || self.is_session {
            header.extend([", cnonce=", &quoted(client_nonce)]);
        }
        header
    }

    /// The user name parameter (RFC 7616 sections 3.4 and 3.4.4); names with non-ASCII characters are encoded.
    fn named(&self, user: &str) -> String {
        if self.hides_user {
            let hidden = self.hash.of(&format!("{user}:{}", self.realm));
            return format!("username=\"{hidden}\", userhash=true");
        }
        if user.is_ascii() {
            return format!("username={}", quoted(user));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let encoded: String = user
            .bytes()
            .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect();
        format!("username*=UTF-8''{encoded}")
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";

    fn answer(challenge: &str) -> String {
        let handshake = DigestChallenge::strongest(&Challenge::parse_all(challenge)).unwrap();
        let client = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        handshake.authorization_header("Mufasa", "Circle of Life", "GET", "/dir/index.html", client)
    }

    #[test]
    fn the_examples_of_the_standard_come_out() {
        // RFC 7616 section 3.9.1.
        let both = format!(
            r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="{NONCE}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="{NONCE}""#
        );
        assert_eq!(Challenge::parse_all(&both).len(), 2);
        let strong = answer(&both);
        let expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert!(strong.contains(expected) && strong.contains("algorithm=SHA-256"), "{strong}");
        let weak = answer(&both[..both.find(", Digest").unwrap()]);
        assert!(weak.contains("8ca523f5e9506fed4657c9700eebdbec"), "{weak}");
        assert!(weak.contains("nc=00000001") && weak.contains("qop=auth, "), "{weak}");
    }

    #[test]
    fn older_and_session_forms_are_answered_in_their_own_terms() {
        // RFC 2069 section 2.4, with the response that its erratum corrects.
        let old = DigestChallenge::strongest(&Challenge::parse_all(
            r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#,
        ))
        .unwrap();
        let old = old.authorization_header("Mufasa", "CircleOfLife", "GET", "/dir/index.html", "x");
        assert!(old.contains("1949323746fe6a43ef61f9606e7febea") && !old.contains("qop"), "{old}");
        let cyrus =
            answer(r#"Digest nonce="n=",realm="localhost",qop="auth",charset=utf-8,algorithm=md5-sess"#);
        assert!(cyrus.contains("algorithm=md5-sess") && cyrus.contains("cnonce="), "{cyrus}");
        let hidden = answer(r#"Digest realm="r", nonce="n", userhash=true, algorithm=SHA-512-256"#);
        assert!(!hidden.contains("Mufasa") && hidden.contains("userhash=true"), "{hidden}");
        let handshake =
            DigestChallenge::strongest(&Challenge::parse_all(r#"Digest realm="a \"b\"", nonce="n""#))
                .unwrap();
        let header = handshake.authorization_header("Zoë", "p", "GET", "/", "c");
        assert!(header.contains("username*=UTF-8''Zo%C3%AB") && header.contains(r#"realm="a \"b\"""#));
    }

    #[test]
    fn what_cannot_be_answered_is_none() {
        for text in [
            "",
            "Basic realm=\"Digest\"",
            r#"Digest realm="r""#,
            r#"Digest nonce="n""#,
            r#"Digest realm="r", nonce="n", qop="auth-int""#,
            r#"Digest realm="r", nonce="n", algorithm=AKAv1-MD5"#,
        ] {
            assert!(DigestChallenge::strongest(&Challenge::parse_all(text)).is_none(), "{text}");
        }
        let both = Challenge::parse_all(r#"Negotiate, NTLM, Basic realm="a, b=c" , Digest nonce=x"#);
        let schemes: Vec<_> = both.iter().map(|one| one.scheme.as_str()).collect();
        assert_eq!(schemes, ["Negotiate", "NTLM", "Basic", "Digest"]);
        assert_eq!(both[2].param("realm"), Some("a, b=c"));
    }
}
