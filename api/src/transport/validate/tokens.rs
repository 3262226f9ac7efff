//! Counts the tokens and the nesting of a text before a parser sees it.
//!
//! Parsers recurse; this does not. It reads the lexical grammar of the specification (September 2025,
//! section 2.1) and leaves it to the parser to say what is wrong with a text that is not GraphQL.

/// Brackets within brackets that no sensible document reaches; parsers recurse once for each.
pub const DEEPEST_NESTING: u64 = 64;

/// What a text consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Punctuators, names, numbers and strings.
    pub tokens: u64,
    /// The deepest place within brackets.
    pub nesting: u64,
}

/// Counts in one pass.
pub fn count(text: &str) -> Count {
    let mut rest = text.as_bytes();
    let (mut count, mut open) = (Count::default(), 0_u64);
    while let Some(&byte) = rest.first() {
        let taken = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xEF | 0xBB | 0xBF => {
                rest = &rest[1..];
                continue;
            }
            b'#' => {
                let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
                rest = &rest[end..];
                continue;
            }
            b'{' | b'[' | b'(' => {
                open += 1;
                count.nesting = count.nesting.max(open);
                1
            }
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                1
            }
            b'.' if rest.starts_with(b"...") => 3,
            b'"' => string(rest),
            b'-' | b'0'..=b'9' => rest.iter().take_while(|byte| is_word(**byte) || **byte == b'.').count(),
            _ if is_word(byte) => rest.iter().take_while(|byte| is_word(**byte)).count(),
            _ => 1,
        };
        count.tokens += 1;
        rest = &rest[taken..];
    }
    count
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// How long the string is that the text begins with.
fn string(text: &[u8]) -> usize {
    let is_block = text.starts_with(b"\"\"\"");
    let mut at = if is_block { 3 } else { 1 };
    while at < text.len() {
        let rest = &text[at..];
        match (is_block, rest[0]) {
            (true, b'\\') if rest.starts_with(b"\\\"\"\"") => at += 4,
            (true, b'"') if rest.starts_with(b"\"\"\"") => return at + 3,
            (false, b'\\') => at += 2,
            (false, b'"') => return at + 1,
            (false, b'\n' | b'\r') => return at,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_as_the_specification_counts_them() {
        assert_eq!(count("query A($n: Int = -1.5) { a(n: $n) ...F }").tokens, 21);
        assert_eq!(count("# only a comment\n, ,").tokens, 0);
        assert_eq!(count(r#"{ a(s: "x { \" y") }"#), Count { tokens: 8, nesting: 2 });
        assert_eq!(count("{ a(s: \"\"\"x \\\"\"\" { \" y\"\"\") }"), Count { tokens: 8, nesting: 2 });
    }

    #[test]
    fn a_text_that_is_not_graphql_is_counted_to_its_end() {
        assert_eq!(count("\"open").tokens, 1);
        assert_eq!(count("\"open\\").tokens, 1);
        assert_eq!(count(&"[".repeat(500)), Count { tokens: 500, nesting: 500 });
        assert!(count("é€").tokens > 0, "what is no token of the language still counts");
    }
}
