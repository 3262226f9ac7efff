//! Custom scalars. Use cases check their format, so that a wrong value becomes an entry of `userErrors` that names its
//! field; only values of the wrong JSON type are refused here.

use async_graphql::{Description, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{Datelike as _, NaiveTime, SecondsFormat, SubsecRound as _};
use domain::Timestamp;

/// An instant as RFC 3339 text, such as `2026-11-21T09:00:00Z`. Input may have any offset; output is in UTC with up to
/// six decimal places of the second.
#[derive(Debug, Clone, Description, Copy, PartialEq, Eq)]
pub struct DateTime(pub(super) Timestamp);

#[Scalar(use_type_description = true, specified_by_url = "https://datatracker.ietf.org/doc/html/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(value)?;
        let at = chrono::DateTime::parse_from_rfc3339(&text).ok().map(|at| at.to_utc());
        // With its offset the last year of the format may lie in a year of five digits.
        at.filter(|at| (0..=9999).contains(&at.year()))
            .map(Self)
            .ok_or_else(|| InputValueError::custom("it must be an RFC 3339 date and time"))
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

/// A time of day in ISO 8601 format, such as `09:00` or `09:00:00`.
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
        time.map(Self).map_err(|_| InputValueError::custom("it must be a time of day such as 09:00"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%H:%M:%S").to_string())
    }
}

/// Declares a scalar that is serialised as a string.
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
    /// Name of a time zone in the IANA database, such as `Europe/Berlin`.
    TimeZone "TimeZone" = "https://www.iana.org/time-zones";
    /// A BCP 47 language tag, such as `de` or `en-GB`.
    LanguageTag "LanguageTag" = "https://www.rfc-editor.org/info/bcp47";
    /// An email address, such as `anna@acme.example`. Input ignores case; output is in lower case.
    EmailAddress "EmailAddress" = "https://datatracker.ietf.org/doc/html/rfc5321";
    /// An absolute URL, such as `https://acme.example/settings`.
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

    #[test]
    fn an_instant_is_in_a_year_of_four_digits_in_utc_too() {
        for (text, is_accepted) in [
            ("9999-12-31T23:59:59Z", true),
            ("9999-12-31T23:59:59-23:59", false),
            ("0000-01-01T00:00:00Z", true),
            ("0000-01-01T00:00:00+00:01", false),
        ] {
            assert_eq!(DateTime::parse(Value::from(text)).is_ok(), is_accepted, "{text}");
        }
    }
}
