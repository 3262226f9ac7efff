//! Validation of text input: which characters are allowed, and how text from providers is cleaned.
//!
//! PostgreSQL stores no NUL, and the other control characters and Unicode's noncharacters have no meaning in text for
//! people: they hide content, break lines in logs, and cannot be sent as XML or iCalendar. [`check`] refuses them in
//! input from people and API clients. A provider's text is cleaned instead, because one character must not make a
//! calendar unreadable. Joiners, direction marks and all other characters that scripts and emoji need are kept.

mod legible;

use std::borrow::Cow;

/// Whether a text may have several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineMode {
    /// One line: no tabs and no line breaks.
    Line,
    /// Several lines: tabs and line breaks are allowed.
    Lines,
}

/// Why a text input is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// The text has more characters than are allowed.
    #[error("it has {found} characters; {limit} are allowed")]
    TooLong {
        /// The number of characters in the text.
        found: usize,
        /// The number of characters allowed.
        limit: usize,
    },
    /// The text contains a control character or another character that is not allowed in it.
    #[error("it has the character U+{:04X}, which is not allowed here", u32::from(*.0))]
    Character(char),
    /// The text is not blank, but none of its characters is visible.
    #[error("it has no character that can be seen")]
    Invisible,
    /// A directional embedding or isolate is closed without having been opened, or is left open.
    #[error("it changes the direction of writing and does not change it back")]
    Direction,
}

/// Refuses text that [`check`] refuses, and text that hides its content from the reader.
pub fn check_visible(text: &str, shape: LineMode, limit: usize) -> Result<(), TextFault> {
    check(text, shape, limit)?;
    legible::check(text)
}

/// Refuses text of more than `limit` characters, or with a character that its [`LineMode`] forbids.
pub fn check(text: &str, shape: LineMode, limit: usize) -> Result<(), TextFault> {
    // No character takes less than a byte, so most texts need not be counted.
    if text.len() > limit {
        let found = text.chars().count();
        if found > limit {
            return Err(TextFault::TooLong { found, limit });
        }
    }
    match text.chars().find(|char| !is_allowed(*char, shape)) {
        Some(char) => Err(TextFault::Character(char)),
        None => Ok(()),
    }
}

/// Cleans one-line text to at most `max_bytes` bytes: line breaks and tabs become spaces, other forbidden
/// characters are removed.
pub fn clean_line(text: String, max_bytes: usize) -> String {
    if check(&text, LineMode::Line, usize::MAX).is_ok() {
        return cut(text, max_bytes);
    }
    let spaced = text.chars().map(|char| if is_break(char) { ' ' } else { char });
    cut(spaced.filter(|char| is_allowed(*char, LineMode::Line)).collect(), max_bytes)
}

/// Cleans text of any number of lines to at most `max_bytes` bytes: line breaks become `\n`, other forbidden characters
/// are removed.
pub fn clean_lines(text: String, max_bytes: usize) -> String {
    if !text.contains('\r') && check(&text, LineMode::Lines, usize::MAX).is_ok() {
        return cut(text, max_bytes);
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    cut(text.chars().filter(|char| is_allowed(*char, LineMode::Lines)).collect(), max_bytes)
}

/// Cleans an identifier, such as an email address, to at most `max_bytes` bytes. A forbidden character becomes U+FFFD
/// instead of being removed: one person's address must not become equal to another's.
pub fn clean_identifier(text: String, max_bytes: usize) -> String {
    let fits = text.len() <= max_bytes;
    if fits && check(&text, LineMode::Line, usize::MAX).is_ok() {
        return text;
    }
    let replaced = |char| if is_allowed(char, LineMode::Line) { char } else { char::REPLACEMENT_CHARACTER };
    let text: String = text.chars().map(replaced).collect();
    if text.len() <= max_bytes {
        return text;
    }
    let mut text = cut(text, max_bytes.saturating_sub(char::REPLACEMENT_CHARACTER.len_utf8()));
    text.push(char::REPLACEMENT_CHARACTER);
    text
}

/// Prefix of an escaped token.
const ESCAPED: &str = "esc:";

/// Escapes a token, such as a provider's id or cursor, so that it can be stored and later returned to its issuer
/// unchanged; [`unescape_provider_token`] restores it. Nearly every token needs no escaping.
pub fn escape_provider_token(token: String) -> String {
    if !token.starts_with(ESCAPED) && check(&token, LineMode::Line, usize::MAX).is_ok() {
        return token;
    }
    let mut escaped = String::from(ESCAPED);
    for char in token.chars() {
        if char != '%' && is_allowed(char, LineMode::Line) {
            escaped.push(char);
            continue;
        }
        escaped.push('%');
        // Six hexadecimal digits hold every character, so nothing has to mark the end.
        let digits = (0..6).rev().map(|place| (u32::from(char) >> (4 * place)) & 0xF);
        escaped.extend(digits.filter_map(|digit| char::from_digit(digit, 16)));
    }
    escaped
}

/// Restores the original of an escaped token; a token that [`escape_provider_token`] left unchanged stays as it is.
pub fn unescape_provider_token(token: &str) -> Cow<'_, str> {
    let Some(escaped) = token.strip_prefix(ESCAPED) else { return token.into() };
    let mut parts = escaped.split('%');
    let mut original = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.split_at_checked(6);
        let char = digits
            .and_then(|(digits, rest)| Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, rest)));
        let Some((char, rest)) = char else { return token.into() };
        original.push(char);
        original.push_str(rest);
    }
    original.into()
}

/// Truncates the text at a character boundary to at most `max_bytes` bytes.
fn cut(mut text: String, max_bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(max_bytes));
    text
}

fn is_allowed(char: char, shape: LineMode) -> bool {
    match char {
        '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => shape == LineMode::Lines,
        char => !char.is_control() && !is_noncharacter(char),
    }
}

/// Whether the character is a tab or, according to Unicode, a mandatory line break.
fn is_break(char: char) -> bool {
    matches!(char, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether the character is one of the 66 noncharacters (Unicode standard, section 23.7).
fn is_noncharacter(char: char) -> bool {
    matches!(char, '\u{FDD0}'..='\u{FDEF}') || u32::from(char) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sample texts in scripts, and emoji, that need formatting characters besides letters.
    const WRITTEN: &[&str] = &[
        "Besprechung",
        "👩‍👩‍👧 🇩🇪 👍🏽",
        "\u{200F}שלום\u{200E} (room 4)",
        "क्\u{200D}ष",
        "می\u{200C}خواهم",
        "e\u{301}",
        "𝔘𐍈",
        "soft\u{AD}hyphen no\u{A0}break",
        "\u{E000}",
        "\u{FFFD}",
    ];

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in WRITTEN {
            assert_eq!(check_visible(text, LineMode::Line, 100), Ok(()), "{text:?}");
            assert_eq!(clean_line((*text).to_owned(), 100), *text);
            assert_eq!(clean_lines((*text).to_owned(), 100), *text);
            assert_eq!(clean_identifier((*text).to_owned(), 100), *text);
            assert_eq!(escape_provider_token((*text).to_owned()), *text);
        }
    }

    #[test]
    fn what_a_provider_hides_is_read_all_the_same() {
        for text in ["\u{202E}gnitaert", "\u{200B}", "Room\u{E0041}"] {
            assert!(check_visible(text, LineMode::Line, 100).is_err(), "{text:?}");
            assert_eq!(check(text, LineMode::Line, 100), Ok(()), "{text:?}");
            assert_eq!(clean_line(text.to_owned(), 100), text);
        }
    }

    #[test]
    fn a_line_has_no_control_characters_and_loses_none_of_its_words() {
        let text = "a\0b\u{7}c\u{7F}d\u{9B}e\u{FFFE}f\u{FDD0}g\u{10FFFF}h";
        assert_eq!(clean_line(text.to_owned(), 100), "abcdefgh");
        assert_eq!(
            clean_line("one\ttwo\r\nthree\u{B}four\u{85}five\u{2028}six".to_owned(), 100),
            "one two  three four five six"
        );
    }

    #[test]
    fn lines_keep_their_breaks_in_one_form() {
        assert_eq!(clean_lines("a\r\nb\rc\n\td\0\u{B}e".to_owned(), 100), "a\nb\nc\n\tde");
    }

    #[test]
    fn an_identifier_never_becomes_another_one() {
        assert_eq!(clean_identifier("an\0na@acme.example".to_owned(), 100), "an\u{FFFD}na@acme.example");
        let long = clean_identifier("x".repeat(200), 100);
        assert!(long.len() <= 100 && long.ends_with('\u{FFFD}'), "{long}");
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        assert_eq!(clean_line("aé👍".to_owned(), 4), "aé");
        assert_eq!(clean_line("aé👍".to_owned(), 2), "a");
        assert_eq!(clean_lines("é\0é".to_owned(), 3), "é");
    }

    #[test]
    fn a_refusal_says_how_long_or_which_character() {
        let said = |text: &str| check(text, LineMode::Line, 3).unwrap_err().to_string();
        assert_eq!(said("äöüß"), "it has 4 characters; 3 are allowed");
        assert_eq!(said("a\0"), "it has the character U+0000, which is not allowed here");
        assert_eq!(check("äöü", LineMode::Line, 3), Ok(()), "characters are counted, not bytes");
        assert_eq!(check("a\n", LineMode::Line, 3), Err(TextFault::Character('\n')));
        assert_eq!(check("a\n", LineMode::Lines, 3), Ok(()));
    }

    #[test]
    fn what_no_escape_made_is_its_own_original() {
        for token in ["esc:%", "esc:%zzzzzz", "esc:%110000", "esc:%00d800", "50%", "esc:é%00é"] {
            assert_eq!(unescape_provider_token(token), token);
        }
    }

    proptest! {
        #[test]
        fn every_token_comes_back_and_two_tokens_never_become_one(a in any_text(), b in any_text()) {
            let (left, right) = (escape_provider_token(a.clone()), escape_provider_token(b.clone()));
            prop_assert_eq!(check(&left, LineMode::Line, usize::MAX), Ok(()));
            prop_assert_eq!(unescape_provider_token(&left), a.as_str());
            prop_assert_eq!(left == right, a == b);
        }

        #[test]
        fn what_was_cleaned_passes_and_is_cleaned_once(text in any_text(), max_bytes in 3..40_usize) {
            for (clean, shape) in [
                (clean_line as fn(String, usize) -> String, LineMode::Line),
                (clean_lines, LineMode::Lines),
                (clean_identifier, LineMode::Line),
            ] {
                let once = clean(text.clone(), max_bytes);
                prop_assert_eq!(check(&once, shape, max_bytes), Ok(()));
                prop_assert!(once.len() <= max_bytes);
                prop_assert_eq!(clean(once.clone(), max_bytes), once);
            }
        }
    }

    /// Generates texts in which the relevant characters are frequent.
    fn any_text() -> impl Strategy<Value = String> {
        let odd = prop::sample::select(vec![
            '\0', '\r', '\n', '\t', '%', '\u{7F}', '\u{85}', '\u{FFFF}', '\u{2028}',
        ]);
        let char = prop_oneof![odd, any::<char>(), prop::char::range('a', 'f')];
        let rest = prop::collection::vec(char, 0..30).prop_map(String::from_iter);
        (prop_oneof![Just(""), Just("esc:"), Just("esc:%000000")], rest)
            .prop_map(|(start, rest)| format!("{start}{rest}"))
    }
}
