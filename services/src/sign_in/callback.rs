//! Parameters with which an OpenID issuer redirects the browser back to Muster. Any of them can be forged.

use std::collections::BTreeMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use url::form_urlencoded;

use crate::{Error, Refusal, Result, messages};

/// The parameters of a redirect, without duplicates.
#[derive(Debug, Clone, Default)]
pub struct CallbackParams(BTreeMap<String, String>);

impl CallbackParams {
    /// Parses a query string. Duplicate parameters are refused (RFC 6749 section 3.1), because two programs could use
    /// different ones.
    pub fn parse(query: &str) -> Result<Self> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
                let message = "A parameter in this URL appears twice. Start the sign-in again.";
                return Err(Error::refuse("SIGN_IN_MALFORMED", message));
            }
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter; `None` if it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The issuer specified in the redirect (RFC 9207). An empty value is treated as a wrong issuer.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.0.get("iss").map(String::as_str)
    }

    /// Refuses a redirect that does not belong to the sign-in that this browser started.
    pub(super) fn check_state(&self, state: &str) -> Result<()> {
        let sent = self.get("state").unwrap_or_default();
        verify_slices_are_equal(sent.as_bytes(), state.as_bytes()).map_err(|_| state_already_used())
    }

    /// Returns the authorisation code, or an error if the issuer reports one.
    pub(super) fn code(&self) -> Result<&str> {
        if self.0.contains_key("error") {
            let message = "Your organisation denied the sign-in. Start again, or contact your administrator.";
            return Err(Refusal::new("SIGN_IN_DECLINED", message).into());
        }
        let missing = || Error::refuse("SIGN_IN_INCOMPLETE", messages::sign_in_incomplete());
        self.get("code").ok_or_else(missing)
    }
}

pub(super) fn state_already_used() -> Error {
    let message = messages::state_invalid();
    Error::refuse("STATE_INVALID", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_there_twice_is_refused() {
        assert!(CallbackParams::parse("state=a&code=b&iss=").is_ok());
        for twice in ["state=a&state=a", "code=a&st%61te=b&state=c", "x=1&x="] {
            assert_eq!(CallbackParams::parse(twice).unwrap_err().code(), "SIGN_IN_MALFORMED", "{twice}");
        }
    }

    #[test]
    fn an_answer_belongs_to_the_state_that_was_sent_and_to_no_empty_one() {
        let belongs =
            |query: &str, state: &str| CallbackParams::parse(query).unwrap().check_state(state).is_ok();
        assert!(belongs("state=abc", "abc"));
        for other in ["state=abd", "state=ABC", "state=", "", "state=abc%20"] {
            assert!(!belongs(other, "abc"), "{other}");
        }
    }
}
