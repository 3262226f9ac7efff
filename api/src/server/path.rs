//! Checks that a path is in normal form.
//!
//! The router decodes unnecessary percent-encoding, so that several spellings lead to the same route; but limits and
//! charges are selected by the raw path. Instead of decoding the path everywhere, Muster refuses all spellings other
//! than the normal form; no client needs them.

/// Whether a path is in normal form: no empty segment except the last, no dot segment, and no percent-encoding that is
/// unnecessary or that servers interpret differently.
pub(super) fn is_normalized(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else { return false };
    let mut segments = segments.split('/');
    let last = segments.next_back().unwrap_or_default();
    let is_named = |segment: &str| !matches!(segment, "." | "..") && is_plain(segment.as_bytes());
    is_named(last) && segments.all(|segment| !segment.is_empty() && is_named(segment))
}

fn is_plain(mut segment: &[u8]) -> bool {
    while let Some((first, rest)) = segment.split_first() {
        segment = match (first, rest) {
            (b'%', [high, low, rest @ ..]) => match byte(*high, *low) {
                Some(byte) if must_be_encoded(byte) => rest,
                _ => return false,
            },
            (b'%' | b'\\', _) => return false,
            (byte, rest) if byte.is_ascii_graphic() => rest,
            _ => return false,
        };
    }
    true
}

fn byte(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// Unreserved characters (RFC 3986, section 2.3) need no encoding; some servers treat an encoded slash as a slash and
/// some do not.
fn must_be_encoded(byte: u8) -> bool {
    let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !is_unreserved && !byte.is_ascii_control() && !b"/\\".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for path in [
            "/",
            "/graphql",
            "/graphql/ws",
            "/connect/a-b_c~1/choose",
            "/.well-known/jwks.json",
            "/x/",
            "/a%20b%C3%BC",
        ] {
            assert!(is_normalized(path), "{path}");
        }
        for path in [
            "",
            "*",
            "graphql",
            "//graphql",
            "/graphql//ws",
            "/./graphql",
            "/graphql/.",
            "/x/../graphql",
            "/..",
            "/%67raphql",
            "/graphql%2fws",
            "/graphql%2Fws",
            "/graphql%5cws",
            "/graphql\\ws",
            "/%2e/graphql",
            "/x/%2E%2e/graphql",
            "/graphql%00",
            "/graphql%0a",
            "/graphql%",
            "/graphql%4",
            "/graphql%zz",
            "/graphql%+1",
            "/ü",
            "/a b",
            "/x//",
        ] {
            assert!(!is_normalized(path), "{path}");
        }
    }
}
