//! Claims of a token. A token in which a claim occurs twice is ambiguous and therefore refused.

use std::fmt;

use domain::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// Maximum number of claims in a token.
const MAX: usize = 200;
/// Maximum length of a subject in characters (OpenID Connect Core section 2).
const LONGEST_SUBJECT: usize = 255;

/// The claims of a verified token.
#[derive(Debug, Clone)]
pub struct Claims {
    claims: Map<String, Value>,
    /// When the token was issued, by its issuer's clock.
    pub(super) made: Timestamp,
    /// When the token expires.
    pub(super) ends: Timestamp,
}

impl Claims {
    pub(super) fn new(claims: UniqueMembers, (made, ends): (Timestamp, Timestamp)) -> Self {
        Self { claims: claims.0, made, ends }
    }

    /// When the token was issued, by its issuer's clock; rounded down to whole seconds.
    pub fn issued_at(&self) -> Timestamp {
        self.made
    }

    /// When the token stops being valid.
    pub fn expires_at(&self) -> Timestamp {
        self.ends
    }

    pub(super) fn has_claim(&self, claim: &str) -> bool {
        self.claims.contains_key(claim)
    }

    /// Replaces the claims with these names by those from another source.
    pub(super) fn replace_claims(&mut self, from: UniqueMembers, names: &[&str]) {
        for name in names {
            self.claims.remove(*name);
        }
        self.claims.extend(from.0.into_iter().filter(|(name, _)| names.contains(&name.as_str())));
    }

    /// The value of the claim that identifies the user: a string of 1 to 255 characters without control characters.
    pub fn subject(&self, claim: &str) -> Option<&str> {
        let subject = text(&self.claims, claim)?;
        let fits = (1..=LONGEST_SUBJECT).contains(&subject.chars().count());
        (fits && !subject.chars().any(char::is_control)).then_some(subject)
    }

    /// The email address in the given claim, in lower case, if the issuer declares it verified. Only ASCII letters
    /// are lowercased, because some other letters become ASCII when lowercased.
    pub fn verified_email(&self, claim: &str) -> Option<String> {
        let is_verified = self.claims.get("email_verified") == Some(&Value::Bool(true));
        text(&self.claims, claim).filter(|_| is_verified).map(str::to_ascii_lowercase)
    }
}

/// The fields of a JSON object without duplicate field names.
#[derive(Debug)]
pub(super) struct UniqueMembers(Map<String, Value>);

impl UniqueMembers {
    pub(super) fn string(&self, name: &str) -> Option<&str> {
        text(&self.0, name)
    }

    pub(super) fn has_claim(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A claim whose value is a time (RFC 7519 section 2), in whole seconds.
    pub(super) fn seconds(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    /// A claim whose value is a string or a list of strings.
    pub(super) fn string_list(&self, name: &str) -> Option<Vec<&str>> {
        match self.0.get(name)? {
            Value::String(one) => Some(vec![one]),
            Value::Array(many) => many.iter().map(Value::as_str).collect(),
            _ => None,
        }
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name)?.as_str()
}

impl<'de> Deserialize<'de> for UniqueMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OnceVisitor)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = UniqueMembers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object without repeated members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueMembers, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if members.len() == MAX || members.insert(name, value).is_some() {
                return Err(A::Error::custom("too many members, or one of them twice"));
            }
        }
        Ok(UniqueMembers(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(text: &str) -> Claims {
        Claims::new(serde_json::from_str(text).unwrap(), (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn a_claim_that_is_there_twice_is_no_claim() {
        assert!(serde_json::from_str::<UniqueMembers>(r#"{"sub":"a","sub":"b"}"#).is_err());
        assert!(serde_json::from_str::<UniqueMembers>(r#"{"sub":"a","aud":["b","b"]}"#).is_ok());
    }

    #[test]
    fn an_address_counts_only_with_a_true_that_is_no_text() {
        let verified = |text| claims(text).verified_email("email");
        assert_eq!(
            verified(r#"{"email":"Anna@Acme.example","email_verified":true}"#).unwrap(),
            "anna@acme.example"
        );
        for doubtful in [
            r#"{"email":"anna@acme.example"}"#,
            r#"{"email":"anna@acme.example","email_verified":false}"#,
            r#"{"email":"anna@acme.example","email_verified":"true"}"#,
            r#"{"email":"anna@acme.example","email_verified":1}"#,
            r#"{"email":["anna@acme.example"],"email_verified":true}"#,
        ] {
            assert_eq!(verified(doubtful), None, "{doubtful}");
        }
        // U+212A, the Kelvin sign, becomes the ASCII letter k when lowercased.
        let kelvin = verified("{\"email\":\"\u{212a}im@acme.example\",\"email_verified\":true}").unwrap();
        assert_ne!(kelvin, "kim@acme.example");
    }

    #[test]
    fn a_subject_is_a_text_of_a_bounded_length() {
        for none in [r#"{"sub":""}"#, r#"{"sub":7}"#, "{}", "{\"sub\":\"a\\u0000b\"}"] {
            assert_eq!(claims(none).subject("sub"), None, "{none}");
        }
        let long = format!(r#"{{"sub":"{}"}}"#, "a".repeat(256));
        assert_eq!(claims(&long).subject("sub"), None);
        assert_eq!(claims(r#"{"oid":"a|b"}"#).subject("oid"), Some("a|b"));
    }
}
