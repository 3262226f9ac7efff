//! Scalars with a meaning. What they must look like is checked by the use cases, so that a wrong one is an entry of
//! `userErrors` that names its field; only what cannot be read at all is refused here.

use async_graphql::{Description, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{NaiveTime, SecondsFormat, SubsecRound as _};
use domain::Timestamp;

/// An instant in UTC, as RFC 3339 writes it: `2026-11-21T09:00:00Z`. Any offset is read, UTC is answered, with up to
/// six digits of a second.
#[derive(Debug, Clone, Description, Copy, PartialEq, Eq)]
pub struct DateTime(pub(super) Timestamp);

#[Scalar(use_type_description = true, specified_by_url = "https://datatracker.ietf.org/doc/html/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(value)?;
        let at = chrono::DateTime::parse_from_rfc3339(&text);
        at.map(|at| Self(at.to_utc())).map_err(|_| InputValueError::custom("not an instant of RFC 3339"))
    }

    fn to_value(&self) -> Value {
        // As exact as the databases are: what has not been stored yet must not differ from what is read later.
        Value::String(self.0.trunc_subsecs(6).to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl From<Timestamp> for DateTime {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

/// A time of the day, as ISO 8601 writes it: `09:00` or `09:00:00`.
#[derive(Debug, Clone, Description, Copy, PartialEq, Eq)]
pub struct LocalTime(pub(super) NaiveTime);

#[Scalar(
    use_type_description = true,
    specified_by_url = "https://www.iso.org/iso-8601-date-and-time-format.html"
)]
impl ScalarType for LocalTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(value)?;
        let time = NaiveTime::parse_from_str(&text, "%H:%M:%S");
        let time = time.or_else(|_| NaiveTime::parse_from_str(&text, "%H:%M"));
        time.map(Self).map_err(|_| InputValueError::custom("not a time of the day such as 09:00"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%H:%M:%S").to_string())
    }
}

/// Declares a scalar that is a text.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident $shown:tt = $url:tt;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Description, PartialEq, Eq)]
        pub struct $name(pub(super) String);

        #[Scalar(use_type_description = true, name = $shown, specified_by_url = $url)]
        impl ScalarType for $name {
            fn parse(value: Value) -> InputValueResult<Self> {
                text(value).map(Self)
            }

            fn to_value(&self) -> Value {
                Value::String(self.0.clone())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    )*};
}

texts! {
    /// The name of a time zone in the IANA database, such as `Europe/Berlin`.
    TimeZone "TimeZone" = "https://www.iana.org/time-zones";
    /// The tag of a language, such as `de` or `en-GB`.
    LanguageTag "LanguageTag" = "https://www.rfc-editor.org/info/bcp47";
    /// The address of a mailbox, such as `anna@acme.example`. Its case does not matter; lower case is answered.
    EmailAddress "EmailAddress" = "https://datatracker.ietf.org/doc/html/rfc5321";
    /// An absolute address, such as `https://acme.example/settings`.
    Url "URL" = "https://url.spec.whatwg.org/";
}

fn text<T: async_graphql::InputType>(value: Value) -> Result<String, InputValueError<T>> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(InputValueError::expected_type(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_six_digits_of_a_second_at_most() {
        for (nanoseconds, shown) in [
            (0, "2026-11-21T09:00:00Z"),
            (500_000_000, "2026-11-21T09:00:00.500Z"),
            (123_456_789, "2026-11-21T09:00:00.123456Z"),
            (999_999_999, "2026-11-21T09:00:00.999999Z"),
        ] {
            let at = Timestamp::from_timestamp(1_795_251_600, nanoseconds).unwrap();
            assert_eq!(DateTime(at).to_value(), Value::from(shown));
        }
    }
}
