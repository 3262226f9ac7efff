//! Refuses text whose appearance differs from its content.
//!
//! An invisible name makes a row appear unnamed. Direction overrides display text in an order different from the order
//! of its characters. Tags and lone variation selectors hide words behind one letter. Characters that scripts and emoji
//! need are allowed: joiners, direction marks, closed isolates, variation selectors after their base character, the
//! tags of flags.

use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};

use super::TextFault;

/// The base character of a flag whose region is spelled in tag characters.
const FLAG: char = '\u{1F3F4}';
/// The character that terminates the tag sequence of a flag.
const CANCEL_TAG: char = '\u{E007F}';

/// Refuses text that hides its content. Blank text is allowed.
pub(super) fn check(text: &str) -> Result<(), TextFault> {
    if text.is_ascii() {
        return Ok(());
    }
    if !text.chars().any(is_seen) && !text.chars().all(char::is_whitespace) {
        return Err(TextFault::Invisible);
    }
    hidden(text).map_or(Ok(()), |char| Err(TextFault::Character(char)))?;
    text.split(['\n', '\r', '\u{85}', '\u{2029}']).try_for_each(directions)
}

/// Whether a character is visible.
fn is_seen(char: char) -> bool {
    !char.is_whitespace()
        && !is_ignorable(char)
        // The blank Braille pattern and annotation marks.
        && !matches!(char, '\u{2800}' | '\u{FFF9}'..='\u{FFFB}')
}

fn is_ignorable(char: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char)
}

fn is_selector(char: char) -> bool {
    matches!(
        char,
        '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}'
    )
}

/// The first character that hides text, either in any position or in its current one.
fn hidden(text: &str) -> Option<char> {
    let mut before = None;
    let mut in_flag = false;
    for char in text.chars() {
        let fits = match char {
            // Direction overrides, deprecated format characters and annotation marks.
            '\u{202D}' | '\u{202E}' | '\u{206A}'..='\u{206F}' | '\u{FFF9}'..='\u{FFFB}' => false,
            '\u{E0020}'..=CANCEL_TAG => in_flag || before == Some(FLAG),
            char if is_selector(char) => before.is_some_and(is_seen),
            char => !(is_ignorable(char) && u32::from(char) >= 0xE_0000),
        };
        if !fits {
            return Some(char);
        }
        in_flag = matches!(char, '\u{E0020}'..='\u{E007E}');
        before = Some(char);
    }
    None
}

/// Checks that every directional embedding and isolate of a line is closed within the line, in reverse order of
/// opening.
fn directions(line: &str) -> Result<(), TextFault> {
    let mut open = Vec::new();
    for char in line.chars() {
        let closed = match char {
            '\u{202A}' | '\u{202B}' => {
                open.push('\u{202C}');
                continue;
            }
            '\u{2066}'..='\u{2068}' => {
                open.push('\u{2069}');
                continue;
            }
            '\u{202C}' | '\u{2069}' => open.pop(),
            _ => continue,
        };
        if closed != Some(char) {
            return Err(TextFault::Direction);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(TextFault::Direction) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_scripts_and_emoji_need_is_taken() {
        for text in [
            "",
            "  ",
            "Müller",
            "می\u{200C}خواهم",
            "क्\u{200D}ष",
            "ශ්\u{200D}රී",
            "👩\u{200D}❤\u{FE0F}\u{200D}👨 1\u{FE0F}\u{20E3} ☎\u{FE0E}",
            "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F} London",
            "葛\u{E0100}城",
            "\u{200F}שלום\u{200E} (4)",
            "\u{2068}Anna\u{2069} \u{2067}אנה \u{202A}x\u{202C}\u{2069}",
            "ภาษา\u{200B}ไทย",
            "soft\u{AD}hyphen",
            "ᄒ\u{1160}",
            "ᠮᠣᠩᠭᠣᠯ\u{180B}",
            "e\u{301}",
        ] {
            assert_eq!(check(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn a_text_in_which_nothing_can_be_seen_is_refused() {
        for text in [
            "\u{200B}",
            " \u{200B} ",
            "\u{3164}",
            "\u{FFA0}\u{115F}",
            "\u{2060}\u{FEFF}",
            "\u{AD}",
            "\u{34F}",
            "\u{2800}",
            "\u{200E}",
            "\u{202E}",
            "\u{FE0F}",
            "\u{E0041}",
            "\u{E0100}",
            "\u{180E}",
            "\u{2068}\u{2069}",
            "\u{17B4}",
            "\u{1D173}",
            "\u{FFF9}",
        ] {
            assert_eq!(check(text), Err(TextFault::Invisible), "{text:?}");
        }
    }

    #[test]
    fn what_hides_or_turns_a_text_is_refused() {
        for (text, char) in [
            ("Room \u{202E}4 moor", '\u{202E}'),
            ("Room \u{202D}4\u{202C}", '\u{202D}'),
            ("Room\u{E0041}", '\u{E0041}'),
            ("🏴\u{E0067}\u{E007F}\u{E0041}", '\u{E0041}'),
            ("Room\u{E007F}", '\u{E007F}'),
            ("Room \u{FE0F}", '\u{FE0F}'),
            ("❤\u{FE0F}\u{FE0F}", '\u{FE0F}'),
            ("a\u{E0100}\u{E0101}\u{E0102}", '\u{E0101}'),
            ("a\u{FFF9}b\u{FFFB}", '\u{FFF9}'),
            ("a\u{206A}b", '\u{206A}'),
            ("a\u{E0001}", '\u{E0001}'),
        ] {
            assert_eq!(check(text), Err(TextFault::Character(char)), "{text:?}");
        }
        for text in [
            "a\u{2067}b",
            "a\u{202B}b",
            "a\u{2069}b",
            "a\u{202C}b",
            "\u{2067}a\u{202C}",
            "\u{2067}a\n\u{2069}b",
        ] {
            assert_eq!(check(text), Err(TextFault::Direction), "{text:?}");
        }
    }
}
