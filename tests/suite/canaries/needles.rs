//! The secrets to search for, and the encodings in which they may occur.

use std::collections::{BTreeMap, BTreeSet};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

use super::tap::Tap;

/// Minimum length of a secret; shorter values may occur by chance.
const SHORTEST: usize = 16;

/// Kinds of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    MasterKey,
    /// An API key of a vendor's back end.
    VendorKey,
    /// A token signed by Muster.
    AccessToken,
    /// The token in a connect link.
    Link,
    ClientSecret,
    Password,
    /// The private key of a service account.
    ServiceKey,
    /// An access token or ID token of a provider, or an assertion that is exchanged for one.
    ProviderToken,
    RefreshToken,
    Code,
    Verifier,
    State,
    /// The secret that push notifications carry.
    Webhook,
}

/// Secrets, by kind.
#[derive(Debug, Default)]
pub struct Needles(BTreeMap<Kind, BTreeSet<String>>);

/// The text before a secret in recorded traffic, and the kind of the secret.
const MARKS: [(&str, Kind); 16] = [
    ("\"access_token\":\"", Kind::ProviderToken),
    ("\"id_token\":\"", Kind::ProviderToken),
    ("&assertion=", Kind::ProviderToken),
    ("\"refresh_token\":\"", Kind::RefreshToken),
    ("refresh_token=", Kind::RefreshToken),
    ("&code=", Kind::Code),
    ("?code=", Kind::Code),
    ("code_verifier=", Kind::Verifier),
    ("&state=", Kind::State),
    ("?state=", Kind::State),
    ("client_secret=", Kind::ClientSecret),
    ("\"clientState\":\"", Kind::Webhook),
    ("\"token\":\"", Kind::Webhook),
    ("authorization: Bearer ", Kind::ProviderToken),
    ("authorization: Basic ", Kind::Password),
    ("\"private_key\":\"", Kind::ServiceKey),
];

impl Needles {
    pub fn add(&mut self, kind: Kind, value: &str) {
        assert!(value.len() >= SHORTEST, "{kind:?} is too short to search for: {value}");
        self.0.entry(kind).or_default().insert(value.to_owned());
    }

    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(String::as_str)
    }

    pub fn all(&self) -> impl Iterator<Item = (Kind, &str)> {
        self.0.iter().flat_map(|(kind, values)| values.iter().map(|value| (*kind, value.as_str())))
    }

    /// Adds the secrets in recorded traffic.
    pub fn harvest(&mut self, tap: &Tap) {
        let said = tap.said();
        for (mark, kind) in MARKS {
            for (at, _) in said.match_indices(mark) {
                let rest = &said[at + mark.len()..];
                let ends: &[char] = if mark.ends_with('"') { &['"'] } else { &['"', '&', ' ', '\r', '\n'] };
                let end = rest.find(ends).unwrap_or(rest.len());
                self.take(kind, &rest[..end]);
            }
        }
    }

    fn take(&mut self, kind: Kind, value: &str) {
        let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
        let value = match kind {
            Kind::Password => {
                let plain = STANDARD.decode(&value).unwrap_or_default();
                let plain = String::from_utf8_lossy(&plain).into_owned();
                plain.split_once(':').map(|(_, password)| password.to_owned()).unwrap_or_default()
            }
            // Line endings may change in storage, so one line of the key is searched for.
            Kind::ServiceKey => value.split("\\n").nth(3).unwrap_or_default().to_owned(),
            _ => value,
        };
        if value.len() >= SHORTEST {
            self.0.entry(kind).or_default().insert(value);
        }
    }

    /// Fails unless each kind has at least this number of secrets: a secret that is never used cannot leak.
    pub fn assert_used(&self, least: &[(Kind, usize)]) {
        for (kind, count) in least {
            let used = self.0.get(kind).map_or(0, BTreeSet::len);
            assert!(used >= *count, "{kind:?}: {used} used, at least {count} expected");
        }
    }
}

/// The encodings in which a secret may occur.
pub fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let reversed: String = secret.chars().rev().collect();
    let percent =
        percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
    let json = serde_json::to_string(secret).unwrap();
    let mut forms = vec![
        ("as it is", bytes.to_vec()),
        ("percent-encoded", percent.clone().into_bytes()),
        ("percent-encoded in small letters", percent.to_lowercase().into_bytes()),
        ("as a form", url::form_urlencoded::byte_serialize(bytes).collect::<String>().into_bytes()),
        ("escaped", json.trim_matches('"').as_bytes().to_vec()),
        ("reversed", reversed.into_bytes()),
        ("hex", hex.clone().into_bytes()),
        ("HEX", hex.to_uppercase().into_bytes()),
    ];
    // Within a longer text, a secret may begin at any of three base64 offsets.
    for shift in 0..3 {
        let shifted = [&b"xx"[..shift], bytes].concat();
        let (skipped, whole) = ([0, 2, 3][shift], shifted.len() / 3 * 4);
        for (name, encoded) in
            [("base64", STANDARD_NO_PAD.encode(&shifted)), ("base64url", URL_SAFE_NO_PAD.encode(&shifted))]
        {
            forms.push((name, encoded.as_bytes()[skipped..whole].to_vec()));
        }
    }
    // A master key is configured as hexadecimal digits and held as bytes.
    if let Some(raw) = digits(secret) {
        forms.push(("bytes", raw.clone()));
        forms.push(("base64 of its bytes", STANDARD_NO_PAD.encode(raw).into_bytes()));
    }
    forms
}

/// Searches for all encodings of all secrets in one pass.
pub struct Search {
    forms: aho_corasick::AhoCorasick,
    what: Vec<(Kind, &'static str)>,
}

impl Search {
    pub fn new(needles: &Needles) -> Self {
        let all = needles.all().flat_map(|(kind, secret)| {
            forms(secret).into_iter().map(move |(form, bytes)| ((kind, form), bytes))
        });
        let (what, all): (Vec<_>, Vec<_>) = all.unzip();
        Self { forms: aho_corasick::AhoCorasick::new(all).unwrap(), what }
    }

    /// The secrets in a text, with their encodings and positions.
    pub fn hits<'a>(
        &'a self,
        text: &'a [u8],
    ) -> impl Iterator<Item = (Kind, &'static str, std::ops::Range<usize>)> + 'a {
        self.forms.find_iter(text).map(|hit| {
            let (kind, form) = self.what[hit.pattern().as_usize()];
            (kind, form, hit.range())
        })
    }
}

/// The secrets in a text, with their encodings.
pub fn hits(needles: &Needles, text: &[u8]) -> Vec<(Kind, &'static str)> {
    Search::new(needles).hits(text).map(|(kind, form, _)| (kind, form)).collect()
}

fn digits(secret: &str) -> Option<Vec<u8>> {
    let is_hex = secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex
        .then(|| (0..32).filter_map(|at| u8::from_str_radix(&secret[2 * at..2 * at + 2], 16).ok()).collect())
}

#[test]
fn each_form_is_found_within_a_longer_text() {
    let secret = "canary+Passw0rd/4711=";
    let inside = |before: &str| format!("{before}{secret}after");
    for before in ["", "a", "ab", "abc"] {
        let text = inside(before);
        for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            let mut needles = Needles::default();
            needles.add(Kind::Password, secret);
            assert!(Search::new(&needles).hits(encoded.as_bytes()).next().is_some(), "{before}: {encoded}");
        }
    }
}
