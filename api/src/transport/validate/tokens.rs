//! Counts the tokens and the nesting of a document before a parser reads it, and blanks syntax that our parsers do not
//! support.
//!
//! Parsers recurse, whereas this module does not. It implements the lexical grammar of the specification (September
//! 2025, section 2.1) and leaves it to the parser to report invalid syntax.

use std::{borrow::Cow, ops::Range};

/// Maximum nesting of brackets, more than any reasonable document has; parsers recurse once for each level.
pub const MAX_NESTING: u64 = 64;

/// Size of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenCount {
    /// Number of punctuators, names, numbers and strings.
    pub tokens: u64,
    /// Maximum depth of nested brackets.
    pub nesting: u64,
}

/// Counts tokens and nesting in one pass.
pub fn count_tokens(text: &str) -> TokenCount {
    let (mut count, mut open) = (TokenCount::default(), 0_u64);
    for token in tokens(text) {
        count.tokens += 1;
        match text.as_bytes()[token.start] {
            b'{' | b'[' | b'(' => {
                open += 1;
                count.nesting = count.nesting.max(open);
            }
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    count
}

/// The document with its descriptions of operations, fragments and variables replaced by spaces. The specification
/// allows them since September 2025, but our parsers do not support them. All other tokens keep their position.
pub fn without_descriptions(text: &str) -> Cow<'_, str> {
    if !text.contains('"') {
        return Cow::Borrowed(text);
    }
    let found: Vec<Range<usize>> = tokens(text).collect();
    let word = |at: usize| found.get(at).map_or("", |token| text.get(token.clone()).unwrap_or_default());
    let (mut kept, mut from, mut open) = (String::new(), 0, Vec::new());
    for (at, token) in found.iter().enumerate() {
        match text.as_bytes()[token.start] {
            bracket @ (b'{' | b'[' | b'(') => open.push(bracket),
            b'}' | b']' | b')' => drop(open.pop()),
            b'"' if is_whole(word(at)) => {
                let describes = match open[..] {
                    [] => matches!(word(at + 1), "query" | "mutation" | "subscription" | "fragment"),
                    // After an equals sign it is the default value of the variable before.
                    [b'('] => at > 0 && word(at - 1) != "=" && word(at + 1) == "$" && word(at + 3) == ":",
                    _ => false,
                };
                if describes {
                    kept += &text[from..token.start];
                    kept.extend(word(at).chars().map(|c| if matches!(c, '\n' | '\r') { c } else { ' ' }));
                    from = token.end;
                }
            }
            _ => {}
        }
    }
    if from == 0 { Cow::Borrowed(text) } else { Cow::Owned(kept + &text[from..]) }
}

/// Whether a string literal is terminated.
fn is_whole(string: &str) -> bool {
    let quotes = if string.starts_with("\"\"\"") { "\"\"\"" } else { "\"" };
    string.len() >= 2 * quotes.len() && string.ends_with(quotes)
}

/// The byte range of each token; white space, commas and comments are skipped.
fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> {
    let text = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = &text[at..];
            let taken = match *rest.first()? {
                b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xEF | 0xBB | 0xBF => {
                    at += 1;
                    continue;
                }
                b'#' => {
                    let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                    at += end.unwrap_or(rest.len());
                    continue;
                }
                b'.' if rest.starts_with(b"...") => 3,
                b'"' => string(rest).min(rest.len()),
                b'-' | b'0'..=b'9' => {
                    rest.iter().take_while(|byte| is_word(**byte) || **byte == b'.').count()
                }
                byte if is_word(byte) => rest.iter().take_while(|byte| is_word(**byte)).count(),
                _ => 1,
            };
            at += taken;
            return Some(at - taken..at);
        }
    })
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Length of the string literal at the start of the text.
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
        assert_eq!(count_tokens("query A($n: Int = -1.5) { a(n: $n) ...F }").tokens, 21);
        assert_eq!(count_tokens("# only a comment\n, ,").tokens, 0);
        assert_eq!(count_tokens(r#"{ a(s: "x { \" y") }"#), TokenCount { tokens: 8, nesting: 2 });
        assert_eq!(
            count_tokens("{ a(s: \"\"\"x \\\"\"\" { \" y\"\"\") }"),
            TokenCount { tokens: 8, nesting: 2 }
        );
    }

    #[test]
    fn a_text_that_is_not_graphql_is_counted_to_its_end() {
        assert_eq!(count_tokens("\"open").tokens, 1);
        assert_eq!(count_tokens("\"open\\").tokens, 1);
        assert_eq!(count_tokens(&"[".repeat(500)), TokenCount { tokens: 500, nesting: 500 });
        assert!(count_tokens("é€").tokens > 0, "what is no token of the language still counts");
    }
    #[test]
    fn descriptions_are_taken_away_and_everything_else_keeps_its_place() {
        for (text, kept) in [
            ("\"d\" query A { a }", "    query A { a }"),
            ("\"\"\"two\nlinés\"\"\"\nmutation { m }", "      \n        \nmutation { m }"),
            ("{ a } \"d\" fragment F on T { a }", "{ a }     fragment F on T { a }"),
            ("query ($a: Int = 1, \"d\" $b: Int) { a }", "query ($a: Int = 1,     $b: Int) { a }"),
            (
                "query (\"d\" $s: String = \"x\" \"e\" $b: Int) { a }",
                "query (    $s: String = \"x\"     $b: Int) { a }",
            ),
        ] {
            assert_eq!(without_descriptions(text), kept);
        }
    }

    #[test]
    fn strings_that_describe_nothing_stay() {
        for text in [
            "query ($s: String = \"x\" $b: Int) { a }",
            "{ a(s: \"x\") }",
            "{ a(s: [\"x\" $b]) }",
            "{ a(s: { b: \"x\" }) query }",
            "{ a(s: \"x\" query: 1) }",
            "\"d\" { a }",
            "\"d\" type T { a: Int }",
            "\"open query { a }",
            "\"\"\"\" query { a }",
            "\"",
        ] {
            assert_eq!(without_descriptions(text), text);
        }
    }
}
