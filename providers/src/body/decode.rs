//! Decodes response bodies to text, whatever encoding they declare.
//!
//! A byte order mark decides; otherwise valid UTF-8 is taken as UTF-8; otherwise the encoding declared by an XML
//! prolog applies. UTF-8 has precedence because programs often declare an encoding that they do not use, whereas bytes
//! in another encoding are rarely valid UTF-8. In any other text, each invalid byte is read as Windows-1252, and a
//! character that a fold of iCalendar (RFC 5545 section 3.1) cut in two is reassembled before the fold.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{BodyBudget, BodyRejected};

/// Decodes the text of a body. Memory for a converted text is charged to the budget.
pub(crate) fn decode<'b>(bytes: &'b [u8], budget: &mut BodyBudget) -> Result<Cow<'b, str>, BodyRejected> {
    let (encoding, mark) = Encoding::for_bom(bytes).unwrap_or((UTF_8, 0));
    let bytes = &bytes[mark..];
    let encoding = if mark == 0 { without_mark(bytes) } else { encoding };
    if encoding == UTF_8
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Ok(Cow::Borrowed(text));
    }
    // The maximum length of the result: three bytes of UTF-8 for each of these bytes.
    let longest = |bytes: &[u8]| bytes.len().checked_mul(3).ok_or(BodyRejected::OverBudget);
    let other =
        if encoding == UTF_8 { declared(bytes).filter(|found| *found != UTF_8) } else { Some(encoding) };
    let text = match other {
        Some(encoding) => {
            budget.spend(longest(bytes)?)?;
            encoding.decode_without_bom_handling(bytes).0.into_owned()
        }
        None => mend(bytes, budget)?,
    };
    Ok(Cow::Owned(text))
}

/// The encoding of bytes without a byte order mark. The first character of a document reveals two-byte encodings.
fn without_mark(bytes: &[u8]) -> &'static Encoding {
    match bytes {
        [b'<' | b'{' | b'[', 0, ..] => UTF_16LE,
        [0, b'<' | b'{' | b'[', ..] => UTF_16BE,
        _ => UTF_8,
    }
}

/// The encoding that an XML prolog declares.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = bytes.trim_ascii_start().strip_prefix(b"<?xml")?;
    let prolog = &start[..start.windows(2).take(256).position(|two| two == b"?>")?];
    let prolog = std::str::from_utf8(prolog).ok()?;
    let value = prolog.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    // Encodings with two bytes per character have been handled above.
    Encoding::for_label(value[1..].split_once(quote)?.0.as_bytes())
        .filter(|found| found.is_ascii_compatible())
}

/// Repairs UTF-8 that contains invalid bytes.
fn mend(bytes: &[u8], budget: &mut BodyBudget) -> Result<String, BodyRejected> {
    let mut wrong = 0_usize;
    for chunk in bytes.utf8_chunks() {
        wrong += chunk.invalid().len();
    }
    // One byte becomes at most three, the euro sign.
    let longest = bytes.len() + 2 * wrong;
    budget.spend(longest)?;
    let mut text = String::with_capacity(longest);
    let mut rest = bytes;
    while let Some(chunk) = rest.utf8_chunks().next() {
        text.push_str(chunk.valid());
        rest = &rest[chunk.valid().len()..];
        if rest.is_empty() {
            break;
        }
        if let Some((char, fold, length)) = folded(rest) {
            text.push(char);
            text.push_str(fold);
            rest = &rest[length..];
        } else {
            text.push_str(&WINDOWS_1252.decode_without_bom_handling(&rest[..1]).0);
            rest = &rest[1..];
        }
    }
    Ok(text)
}

/// A character that starts here and is split by a fold: the character, the fold, and the length of both.
fn folded(bytes: &[u8]) -> Option<(char, &str, usize)> {
    let whole = match bytes.first()? {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let goes_on = |byte: &&u8| matches!(byte, 0x80..=0xBF);
    let before = 1 + bytes[1..].iter().take(whole - 1).take_while(goes_on).count();
    let fold = fold(&bytes[before..]).filter(|_| before < whole)?;
    let after = before + fold.len();
    let mut char = bytes[..before].to_vec();
    char.extend_from_slice(bytes.get(after..after + whole - before)?);
    let char = std::str::from_utf8(&char).ok()?.chars().next()?;
    Some((char, fold, after + whole - before))
}

/// The fold that starts here, as iCalendar or XML writes it.
fn fold(bytes: &[u8]) -> Option<&str> {
    const BREAKS: [&[u8]; 5] = [b"\r\n", b"\n", b"&#13;\n", b"&#xD;\n", b"&#xd;\n"];
    let length = BREAKS.iter().find(|one| bytes.starts_with(one))?.len();
    let fold = bytes.get(..=length).filter(|fold| matches!(fold[length], b' ' | b'\t'))?;
    std::str::from_utf8(fold).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        decode(bytes, &mut BodyBudget::new(1 << 20)).unwrap().into_owned()
    }

    #[test]
    fn every_encoding_is_read_with_and_without_a_mark() {
        let plain = "<a>Grüße €</a>";
        assert_eq!(text(plain.as_bytes()), plain);
        assert_eq!(text(&[b"\xEF\xBB\xBF", plain.as_bytes()].concat()), plain);
        let little: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = plain.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!((text(&little).as_str(), text(&big).as_str()), (plain, plain));
        assert_eq!(text(&[b"\xFF\xFE", little.as_slice()].concat()), plain);
        assert_eq!(text(&[b"\xFE\xFF", big.as_slice()].concat()), plain);
    }

    #[test]
    fn a_declared_encoding_counts_only_for_what_is_not_utf_8() {
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>Gr\xFC\xDFe</a>";
        assert!(text(latin).ends_with("<a>Grüße</a>"));
        let cyrillic = b"<?xml version=\"1.0\" encoding=\"windows-1251\" ?><a>\xC4\xE0</a>";
        assert!(text(cyrillic).ends_with("<a>Да</a>"));
        let wrongly = "<?xml version='1.0' encoding='ISO-8859-1'?><a>Grüße</a>";
        assert_eq!(text(wrongly.as_bytes()), wrongly);
        let unknown = b"<?xml version='1.0' encoding='none'?><a>\xFC</a>";
        assert!(text(unknown).ends_with("<a>ü</a>"));
    }

    #[test]
    fn wrong_bytes_are_read_one_by_one_and_the_rest_stays() {
        assert_eq!(text(b"caf\xE9 \xC3\xBC \x80"), "café ü €");
        assert_eq!(text(b"cut \xC3"), "cut Ã");
        assert_eq!(text(b"\xE2\x82x"), "â‚x");
    }

    #[test]
    fn a_character_that_a_fold_cuts_is_put_together_in_front_of_it() {
        for break_ in ["\r\n", "\n", "&#13;\n", "&#xD;\n"] {
            for char in ["ü", "€", "😀"] {
                let bytes = char.as_bytes();
                for cut in 1..bytes.len() {
                    for blank in [" ", "\t"] {
                        let fold = format!("{break_}{blank}");
                        let torn = [b"x", &bytes[..cut], fold.as_bytes(), &bytes[cut..], b"y"].concat();
                        assert_eq!(text(&torn), format!("x{char}{fold}y"), "{torn:?}");
                    }
                }
            }
        }
        assert_eq!(text(b"\xC3\r\nx"), "Ã\r\nx", "a line break alone is no fold");
    }

    #[test]
    fn what_is_written_anew_is_paid_for() {
        let latin = vec![0xFC; 1000];
        assert_eq!(decode(&latin, &mut BodyBudget::new(2999)), Err(BodyRejected::OverBudget));
        assert_eq!(decode(&latin, &mut BodyBudget::new(3000)).unwrap().chars().count(), 1000);
        assert!(decode(&[b'x'; 1000], &mut BodyBudget::new(0)).is_ok(), "what is borrowed costs nothing");
    }
}
