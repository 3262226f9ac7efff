//! Messages for people: the lists of the crates and the catalogue agree, and nobody writes a sentence beside them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use domain::message::MessageDeclaration;
use fluent_syntax::{
    ast::{Entry, Expression, InlineExpression, Pattern, PatternElement},
    parser,
};
use messages::Language;

/// The list of each crate, by the name of its file in the catalogue.
const LISTS: [(&str, &[MessageDeclaration]); 7] = [
    ("api", api::messages::ALL),
    ("engine", engine::messages::ALL),
    ("general", messages::general::ALL),
    ("memory", providers::memory::messages::ALL),
    ("providers", providers::messages::ALL),
    ("services", services::messages::ALL),
    ("workflows", workflows::messages::ALL),
];

/// Where no sentence for people stands: what these report is stored, as the reason of a run or of what it is about.
const FOLDERS: [&str; 13] = [
    "engine/src",
    "workflows/src",
    "providers/src",
    "runs/src",
    "services/src/change",
    "services/src/connect",
    "services/src/grants",
    "services/src/calendars.rs",
    "services/src/channels.rs",
    "services/src/gate.rs",
    "services/src/grants.rs",
    "services/src/health.rs",
    "services/src/verification.rs",
];

/// Sentences that are no reasons, and why.
const EXCEPTIONS: [(&str, &str, &str); 1] = [(
    "services/src/verification.rs",
    "Muster created this entry to check that it can write appointments, and will remove it.",
    "the text of the probe events",
)];

/// Who makes a finished sentence into a message, and why. Everybody else makes messages by the constructors of the
/// lists.
const VERBATIM: [(&str, &str); 2] = [
    ("domain/src/message.rs", "the type itself"),
    ("services/src/error.rs", "refusals that are shown at once and never stored"),
];

/// The messages of a file with the names of their arguments.
fn catalogued(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let resource = parser::parse(text).unwrap_or_else(|(_, faults)| panic!("{faults:?}"));
    let messages = resource.body.into_iter().filter_map(|entry| match entry {
        Entry::Message(message) => Some(message),
        Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => None,
        other => panic!("only messages and comments are expected: {other:?}"),
    });
    let messages = messages.map(|message| {
        let mut args = BTreeSet::new();
        assert!(message.attributes.is_empty(), "{}", message.id.name);
        of_pattern(&message.value.expect("a message has a text"), &mut args);
        (message.id.name.to_owned(), args)
    });
    messages.collect()
}

fn of_pattern(pattern: &Pattern<&str>, args: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        if let PatternElement::Placeable { expression } = element {
            of_expression(expression, args);
        }
    }
}

fn of_expression(expression: &Expression<&str>, args: &mut BTreeSet<String>) {
    match expression {
        Expression::Inline(inline) => of_inline(inline, args),
        Expression::Select { selector, variants } => {
            of_inline(selector, args);
            for variant in variants {
                of_pattern(&variant.value, args);
            }
        }
    }
}

fn of_inline(inline: &InlineExpression<&str>, args: &mut BTreeSet<String>) {
    match inline {
        InlineExpression::VariableReference { id } => {
            args.insert(id.name.to_owned());
        }
        InlineExpression::Placeable { expression } => of_expression(expression, args),
        InlineExpression::StringLiteral { .. } | InlineExpression::NumberLiteral { .. } => {}
        other => panic!("no test follows {other:?}"),
    }
}

fn listed(list: &[MessageDeclaration]) -> BTreeMap<String, BTreeSet<String>> {
    let args = |one: &MessageDeclaration| one.args.iter().map(|(name, _)| (*name).to_owned()).collect();
    list.iter().map(|one| (one.id.to_owned(), args(one))).collect()
}

#[test]
fn every_message_is_in_the_catalogue_with_exactly_its_arguments() {
    for language in Language::ALL {
        let files: BTreeMap<_, _> = language.catalogue_files().iter().copied().collect();
        let names: Vec<_> = LISTS.iter().map(|(name, _)| *name).collect();
        assert_eq!(files.keys().copied().collect::<Vec<_>>(), names, "{language:?}");
        for (name, list) in LISTS {
            assert_eq!(catalogued(files[name]), listed(list), "{language:?}: {name}.ftl");
        }
    }
}

#[test]
fn no_two_crates_have_a_message_of_the_same_name() {
    let mut seen = BTreeSet::new();
    let all = LISTS.iter().flat_map(|(_, list)| list.iter());
    let doubled: Vec<_> = all.filter(|one| !seen.insert(one.id)).map(|one| one.id).collect();
    assert_eq!(doubled, Vec::<&str>::new());
    assert!(seen.len() > 300, "only {} were found", seen.len());
}

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| sources(&path));
    let is_source = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.ends_with(".rs") && !name.ends_with("tests.rs") && name != "fuzz.rs" && name != "fuzzing.rs"
    };
    files.filter(is_source).collect()
}

/// A source without comments, attributes and the unit tests at its end.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let counts = |line: &&str| !["//", "#["].iter().any(|start| line.trim_start().starts_with(start));
    text.lines().filter(counts).collect::<Vec<_>>().join("\n")
}

/// The string literals of a source, without what continues a line.
fn literals(code: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), code.replace("'\"'", "").replace("\\\"", "”"));
    while let Some((_, after)) = rest.split_once('"') {
        let Some((literal, behind)) = after.split_once('"') else { break };
        let lines: Vec<_> = literal.split("\\\n").collect();
        let joined = lines.iter().enumerate().map(|(at, line)| if at > 0 { line.trim_start() } else { line });
        found.push(joined.collect::<String>());
        rest = behind.to_owned();
    }
    found
}

/// Literals that are sentences for people.
fn sentences(code: &str) -> Vec<String> {
    let starts = |text: &str| text.starts_with(|first: char| first.is_ascii_uppercase() || first == '{');
    let is_sentence = |text: &String| starts(text) && text.contains(' ') && text.ends_with(['.', '!', '?']);
    literals(code).into_iter().filter(is_sentence).collect()
}

#[test]
fn what_is_stored_as_a_reason_is_no_sentence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for path in FOLDERS.iter().flat_map(|folder| sources(&root.join(folder))) {
        let file = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        found.extend(sentences(&code(&path)).into_iter().map(|sentence| (file.clone(), sentence)));
    }
    let excepted = EXCEPTIONS.map(|(file, sentence, _)| (file.to_owned(), sentence.to_owned()));
    assert_eq!(found, excepted.into(), "list a message and put its sentence into the catalogue");
}

#[test]
fn nobody_makes_a_message_of_a_finished_sentence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for folder in ["domain", "runs", "engine", "providers", "services", "workflows", "api", "messages", "."] {
        for path in sources(&root.join(folder).join("src")) {
            let code = code(&path);
            if code.contains("verbatim(") || code.contains("Message::from_catalogue(") {
                let file = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.insert(file.trim_start_matches("./").to_owned());
            }
        }
    }
    assert_eq!(found, VERBATIM.map(|(file, _)| file.to_owned()).into(), "list a message instead");
}

#[test]
fn a_sentence_is_found_where_it_is_written() {
    let code = r#"
        Reason::new("NOT_FOUND", "It has been removed.");
        StepError::fail("X", format!("{name} has \"gone\" \
            away."));
        tracing::info!(code, "the round failed");
        let quote = '"'; let path = "a/b.";
    "#;
    assert_eq!(sentences(code), ["It has been removed.", "{name} has ”gone” away."]);
}

#[test]
fn arguments_are_found_in_every_part_of_a_message() {
    let text = "one = { $a ->\n    [few] { $b } rooms\n   *[other] { { $c } }\n }\n";
    let expected: BTreeSet<String> = ["a", "b", "c"].map(str::to_owned).into();
    assert_eq!(catalogued(text), BTreeMap::from([("one".to_owned(), expected)]));
}
