//! Language tags.

use icu_locale_core::{LanguageIdentifier, Locale};

/// Maximum length of a language tag in bytes; the longest that RFC 5646 expects has 35 (section 4.4.1).
const LONGEST: usize = 64;

/// Normalises a well-formed BCP 47 tag (`de`, `en-GB`, `zh-Hant-TW`); `None` for any other string, and for `und`, which
/// denotes no language. Does not check whether the language exists.
pub fn parse_tag(text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    let locale = Locale::try_from_str(text).ok()?;
    (locale.id.language != LanguageIdentifier::UNKNOWN.language).then(|| locale.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_well_formed_and_spelt_in_one_way() {
        for (text, spelt) in [
            ("de", "de"),
            ("EN-gb", "en-GB"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("gsw", "gsw"),
            ("es-419", "es-419"),
            ("sl-rozaj", "sl-rozaj"),
        ] {
            assert_eq!(parse_tag(text).as_deref(), Some(spelt), "{text}");
        }
        for text in [
            "",
            "d",
            "und",
            "de-",
            "-de",
            "de--AT",
            "de AT",
            "de-AT\n",
            "de\0",
            "Deutsch, bitte",
            "deutschland",
        ] {
            assert_eq!(parse_tag(text), None, "{text:?}");
        }
        assert_eq!(parse_tag(&format!("de{}", "-x-aaaaaaaa".repeat(10))), None, "too long");
    }
}
