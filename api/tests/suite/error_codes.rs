//! Every stable code has its heading in `docs/errors.md`, with cause and cure, and every heading has its code.
//!
//! Codes are found where they are written: as what the makers of refusals and reasons are called with, as what the
//! `code` functions of errors answer, and as any other literal that looks like a code. A literal that looks like one
//! and is none is named in [`NOT_CODES`].

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources fails")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What is called with a code first.
const MAKERS: [&str; 7] = [
    "refuse(",
    "refusal(",
    "Refusal::new(",
    "Reason::new(",
    "Trouble::fail(",
    "Self::failed(",
    "UnsupportedServer::new(",
];

/// Words that look like codes: of the database, of documents, of outcomes, of the environment.
const NOT_CODES: [&str; 9] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_VERSION",
    "EFFECT_KEY",
    "GOOGLE_USER",
    "MICROSOFT_APP",
    "MICROSOFT_USER",
    "OWN_OPEN",
    "SCREAMING_SNAKE_CASE",
    "SERVICE_MAILBOX",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The sources of a crate without tests and comments, by path.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !name.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.push((path, lines.collect::<Vec<_>>().join("\n")));
        }
    }
    found
}

/// The literal with which a text begins, if it looks like a code.
fn leading(text: &str) -> Option<&str> {
    let literal = text.trim_start().strip_prefix('"')?.split('"').next()?;
    let is_code = literal.len() > 2
        && literal.starts_with(|c: char| c.is_ascii_uppercase())
        && literal.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    is_code.then_some(literal)
}

/// All literals that look like codes, each with what stands before and behind it.
fn literals(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.match_indices('"').filter_map(move |(at, _)| {
        let literal = leading(&text[at..])?;
        Some((&text[..at], literal, &text[at + literal.len() + 2..]))
    })
}

/// What the makers are called with.
fn made(text: &str) -> BTreeSet<String> {
    let calls = MAKERS.iter().flat_map(|maker| text.match_indices(maker).map(|(at, found)| at + found.len()));
    calls.filter_map(|at| leading(&text[at..])).map(str::to_owned).collect()
}

/// What `code` functions answer.
fn answered(text: &str) -> BTreeSet<String> {
    let heads = ["fn code(", "fn kind_code("];
    let functions = heads.iter().flat_map(|head| text.match_indices(head)).map(|(at, _)| &text[at..]);
    let bodies = functions.filter(|function| function.split('{').next().unwrap_or_default().contains("str"));
    let bodies = bodies.map(|function| function.split("\n    }").next().unwrap_or_default());
    bodies.flat_map(|body| literals(body).map(|(_, code, _)| code.to_owned()).collect::<Vec<_>>()).collect()
}

/// Any other literal that looks like a code and is no word of the domain (`Variant = "WORD",`).
fn loose(text: &str) -> BTreeSet<String> {
    let is_word = |before: &str, behind: &str| before.trim_end().ends_with('=') && behind.starts_with(',');
    let loose =
        literals(text).filter(|(before, literal, behind)| literal.contains('_') && !is_word(before, behind));
    loose
        .map(|(_, literal, _)| literal.to_owned())
        .filter(|word| !NOT_CODES.contains(&word.as_str()))
        .collect()
}

/// A failed check of the ladder is `CHECK_<name>_FAILED`.
fn checks(text: &str) -> BTreeSet<String> {
    let calls = ["note(", "fail("]
        .iter()
        .flat_map(|call| text.match_indices(call).map(|(at, found)| at + found.len()));
    calls.filter_map(|at| leading(&text[at..])).map(|name| format!("CHECK_{name}_FAILED")).collect()
}

fn codes() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for name in ["domain", "entity", "migration", "runs", "engine", "services", "workflows", "api"] {
        for (path, text) in sources(&root().join(name).join("src")) {
            let is_ladder = path.ends_with("services/src/verification.rs");
            let is_list_of_words = path.ends_with("enums.rs") || path.ends_with("ical/tree.rs");
            codes.extend(made(&text));
            codes.extend(answered(&text));
            codes.extend(if is_ladder { checks(&text) } else { BTreeSet::new() });
            codes.extend(if is_ladder || is_list_of_words { BTreeSet::new() } else { loose(&text) });
        }
    }
    // Of a provider's failure only its kind reaches a client, see `providers::Error::kind_code`.
    let providers = fs::read_to_string(root().join("providers/src/error.rs")).unwrap();
    codes.extend(answered(&providers));
    // What a connector has against a server that was entered reaches a client as it is.
    for (_, text) in sources(&root().join("providers/src")) {
        codes.extend(made(&text));
    }
    let words = domain_words();
    codes.retain(|code| !words.contains(code.as_str()));
    codes
}

/// Words of the domain that also stand in matches and filters. Those that are codes as well are kept.
fn domain_words() -> BTreeSet<&'static str> {
    use domain::{AccessLevel, IntegrationKind, Permission, ProviderKind, Route, WrittenVia, state};
    let mut words = BTreeSet::new();
    words.extend(AccessLevel::ALL.iter().map(|word| word.as_str()));
    words.extend(IntegrationKind::ALL.iter().map(|word| word.as_str()));
    words.extend(Permission::ALL.iter().map(|word| word.as_str()));
    words.extend(ProviderKind::ALL.iter().map(|word| word.as_str()));
    words.extend(Route::ALL.iter().map(|word| word.as_str()));
    words.extend(WrittenVia::ALL.iter().map(|word| word.as_str()));
    words.extend(state::IntegrationState::ALL.iter().map(|word| word.as_str()));
    words.extend(state::ConnectionState::ALL.iter().map(|word| word.as_str()));
    words.extend(state::BookingState::ALL.iter().map(|word| word.as_str()));
    words.extend(state::BookingChangeKind::ALL.iter().map(|word| word.as_str()));
    words.extend(state::StepOutcome::ALL.iter().map(|word| word.as_str()));
    words.extend(state::TermsDocument::ALL.iter().map(|word| word.as_str()));
    words.extend(state::RunStatus::ALL.iter().map(|word| word.as_str()));
    for code in ["EXCLUDED", "ROOM_DECLINED"] {
        words.remove(code);
    }
    words
}

/// The headings of `docs/errors.md` with what stands below each.
fn documented() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let entry = |entry: &str| {
        let (heading, below) = entry.split_once('\n').unwrap_or((entry, ""));
        let below = below.split("\n## ").next().unwrap_or_default();
        (heading.trim().to_owned(), below.trim().to_owned())
    };
    text.split("\n### ").skip(1).map(entry).collect()
}

#[test]
fn every_code_has_its_heading_and_every_heading_its_code() {
    let codes = codes();
    assert!(codes.len() > 120, "{} codes", codes.len());
    let headings: BTreeSet<_> = documented().into_iter().map(|(heading, _)| heading).collect();
    let missing: Vec<_> = codes.difference(&headings).collect();
    let idle: Vec<_> = headings.difference(&codes).collect();
    assert!(
        missing.is_empty() && idle.is_empty(),
        "without a heading: {missing:?}; without a code: {idle:?}"
    );
}

#[test]
fn every_heading_says_cause_and_cure_once() {
    let documented = documented();
    let headings: Vec<_> = documented.iter().map(|(heading, _)| heading.clone()).collect();
    let distinct: BTreeSet<_> = headings.iter().collect();
    assert_eq!(distinct.len(), headings.len(), "no code is explained twice");
    for (heading, below) in documented {
        let lines: Vec<_> = below.lines().filter(|line| !line.trim().is_empty()).collect();
        let says = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count() == 1;
        assert!(says("**Cause.** ") && says("**Cure.** "), "{heading}: {lines:?}");
    }
}

#[test]
fn codes_are_found_where_they_are_written() {
    let text = "
        fn code(&self) -> &'static str {
            match self { Self::A => \"FORBIDDEN\", Self::B => \"NOT_YET\" }
        }
    ";
    assert_eq!(
        answered(&text.replace("        ", "    ")),
        ["FORBIDDEN", "NOT_YET"].map(str::to_owned).into()
    );
    let text =
        "Error::refuse(\n  \"ROLE_STANDARD\", message); Reason::new(\"EXCLUDED\", x); Reason::new(code, x)";
    assert_eq!(made(text), ["EXCLUDED", "ROLE_STANDARD"].map(str::to_owned).into());
    let text =
        "words! { A = \"A_WORD\", } no_longer(x, \"TITLE_TOO_LONG\", \"title\"); const C: &str = \"C_D\";";
    assert_eq!(loose(text), ["C_D", "TITLE_TOO_LONG"].map(str::to_owned).into());
    assert_eq!(
        checks("self.fail(\"WRITE\", x); self.note(name, y)"),
        ["CHECK_WRITE_FAILED".to_owned()].into()
    );
}
