//! Doc comments add information to the name of their item.
//!
//! `/// The written via.` on `written_via` is worse than nothing, because it looks like documentation. A comment counts
//! as empty if all its words, without stop words, occur in the name of its item or of the type around it. Sources are
//! scanned line by line: many columns and enum values are declared inside macros, which a Rust parser does not
//! look into.

use std::{collections::BTreeSet, fs};

use crate::links::{files, root};

/// Words that carry no information.
const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "had", "has", "have", "her", "his",
    "how", "if", "in", "is", "it", "its", "of", "on", "or", "s", "that", "the", "their", "this", "to", "was",
    "were", "what", "when", "where", "which", "who", "whom", "whose", "with",
];

/// Keywords that may precede the name of an item, after its visibility.
const KEYWORDS: &[&str] =
    &["async", "const", "enum", "fn", "mod", "static", "struct", "trait", "type", "union", "unsafe"];

/// A doc comment with the names of its item and of the enclosing item.
struct Documented<'a> {
    /// The line of the item, not of its comment, counted from 1.
    line: usize,
    name: &'a str,
    /// The type, module, variant or table whose braces enclose the item; `None` at the top level.
    parent: Option<&'a str>,
    comment: String,
}

impl Documented<'_> {
    fn is_empty(&self) -> bool {
        let mut known = words(self.name);
        known.extend(self.parent.map(words).unwrap_or_default());
        words(&self.comment).is_subset(&known)
    }
}

/// The words of a text or a name in snake or camel case: lower case, singular, without stop words.
fn words(text: &str) -> BTreeSet<String> {
    let mut spaced = String::new();
    let mut before = ' ';
    for each in text.chars() {
        if each.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            spaced.push(' ');
        }
        spaced.push(each.to_ascii_lowercase());
        before = each;
    }
    let words = spaced.split(|each: char| !each.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty() && !STOP_WORDS.contains(word)).map(singular).collect()
}

fn singular(word: &str) -> String {
    match (word.strip_suffix("ies"), word.strip_suffix('s')) {
        (Some(stem), _) if stem.len() > 1 => format!("{stem}y"),
        (_, Some(stem)) if stem.len() > 2 && !stem.ends_with('s') => stem.to_owned(),
        _ => word.to_owned(),
    }
}

fn without_visibility(code: &str) -> &str {
    match code.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')').map_or("", |(_, rest)| rest.trim_start()),
        Some(rest) if rest.starts_with(' ') => rest.trim_start(),
        _ => code,
    }
}

/// The name of the item that a line declares: a function, type, field or variant, or an entry in a macro's table.
fn name(code: &str) -> Option<&str> {
    let mut rest = without_visibility(code).trim_start_matches("r#").trim_start_matches('"');
    loop {
        let end = rest.find(|each: char| !each.is_alphanumeric() && each != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if !KEYWORDS.contains(&word) || !after.starts_with(' ') {
            return (!word.is_empty() && word != "impl").then_some(word);
        }
        rest = after.trim_start();
    }
}

/// The name of the type, module, variant or table whose braces a line opens.
fn opened(code: &str) -> Option<&str> {
    let head = without_visibility(code.strip_suffix('{')?.trim_end());
    if let Some(target) = head.strip_prefix("impl") {
        let target =
            target.split_once("> ").filter(|_| target.starts_with('<')).map_or(target, |(_, rest)| rest);
        let target = target.rsplit(" for ").next()?.trim_start();
        return target.split(['<', ' ']).next()?.rsplit("::").next();
    }
    let is_type = ["struct ", "enum ", "trait ", "mod ", "union "].iter().any(|kind| head.starts_with(kind));
    if is_type || !head.contains(' ') { name(head) } else { None }
}

/// All items of a source that have a doc comment.
fn documented(source: &str) -> Vec<Documented<'_>> {
    let (mut found, mut comment, mut parents) = (Vec::new(), Vec::new(), Vec::<(usize, &str)>::new());
    let mut unclosed = 0;
    for (number, line) in source.lines().enumerate() {
        let code = line.trim();
        if unclosed > 0 || code.starts_with("#[") {
            // An attribute, which may span several lines.
            unclosed += code.matches(['[', '(']).count().cast_signed();
            unclosed -= code.matches([']', ')']).count().cast_signed();
            continue;
        }
        if let Some(text) = code.strip_prefix("///") {
            comment.push(text.trim());
            continue;
        }
        if code.is_empty() || code.starts_with("//") {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        parents.retain(|(outer, _)| *outer < indent);
        if let (false, Some(name)) = (comment.is_empty(), name(code)) {
            let parent = parents.last().map(|(_, parent)| *parent);
            found.push(Documented { line: number + 1, name, parent, comment: comment.join(" ") });
        }
        comment.clear();
        parents.extend(opened(code).map(|parent| (indent, parent)));
    }
    found
}

#[test]
fn no_doc_comment_only_repeats_names() {
    let (mut all, mut faults) = (0, Vec::new());
    for path in files(root(), "rs") {
        let source = fs::read_to_string(&path).unwrap();
        let items = documented(&source);
        all += items.len();
        let file = path.strip_prefix(root()).unwrap().display();
        let empty = items.iter().filter(|item| item.is_empty());
        faults.extend(empty.map(|item| format!("{file}:{}: {}: {}", item.line, item.name, item.comment)));
    }
    assert!(all > 5000, "the sources are found");
    assert!(faults.is_empty(), "{} doc comments only repeat names:\n{}", faults.len(), faults.join("\n"));
}

/// The names of the items whose comments add no information.
fn empty(source: &str) -> Vec<&str> {
    documented(source).into_iter().filter(Documented::is_empty).map(|item| item.name).collect()
}

#[test]
fn a_comment_that_repeats_the_name_is_found() {
    assert_eq!(empty("/// The written via.\nwritten_via: Option<String>,"), ["written_via"]);
    assert_eq!(empty("/// The policies.\n#[serde(\n    default\n)]\npub(super) fn policy() {"), ["policy"]);
    assert_eq!(empty("/// When it is.\npub at: Timestamp,"), ["at"], "stop words alone add no information");
    assert_eq!(
        empty("/// A signing key.\n#[derive(Debug)]\npub const unsafe fn SigningKey() {"),
        ["SigningKey"]
    );
    assert_eq!(empty("/// The table.\n\"table\" {\n    /// The name.\n    name: String,"), ["table", "name"]);
}

#[test]
fn a_comment_that_repeats_the_names_around_it_is_found() {
    assert_eq!(
        empty("pub struct Booking {\n    /// The booking's title.\n    pub title: String,"),
        ["title"]
    );
    assert_eq!(empty("impl<'a> Is<'a> for model::Room<'a> {\n    /// A room.\n    fn new() {"), ["new"]);
    assert_eq!(empty("Cancel {\n    /// The run to cancel.\n    run: Id<Run>,"), ["run"]);
    let after =
        "struct Booking {\n    x: u8,\n}\n\nstruct Room {\n    /// The booking's title.\n    title: String,";
    assert_eq!(empty(after), [""; 0], "the name of another type adds information");
}

#[test]
fn a_comment_that_says_something_passes() {
    let fields = concat!(
        "struct Booking {\n    /// The subject line, as attendees see it.\n    title: String,\n",
        "    /// When the booking was accepted.\n    created_at: Timestamp,\n    without: u8,",
    );
    assert_eq!(documented(fields).len(), 2, "items without a comment are ignored");
    assert_eq!(empty(fields), [""; 0]);
}
