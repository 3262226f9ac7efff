//! Which columns of `entity` hold ids, read from its sources: each names the kind of its ids.

use std::{collections::BTreeSet, fs, path::Path};

/// Columns with ids that others gave, which are texts.
const OF_OTHERS: [&str; 2] = ["client_id", "external_id"];
/// Types of columns whose rows point at several nouns: `AnyId`, and the kind that `table.rs` is given.
const WITHOUT_A_NOUN: [&str; 2] = ["domain::AnyId", "Id<$kind>"];

/// A field's name and type, if the line declares one.
fn field(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (name, kind) = line.strip_prefix("pub ").unwrap_or(line).split_once(": ")?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_name.then(|| (name, kind.trim_end_matches([',', ';'])))
}

fn is_typed(kind: &str) -> bool {
    let kind = kind.strip_prefix("Option<").and_then(|kind| kind.strip_suffix('>')).unwrap_or(kind);
    WITHOUT_A_NOUN.contains(&kind) || (kind.starts_with("Id<ids::") && kind.ends_with('>'))
}

/// The lines with an id that has no kind.
fn bare(text: &str) -> Vec<&str> {
    let is_bare = |line: &&str| {
        let is_bare_column = field(line).is_some_and(|(name, kind)| {
            let names_an_id = (name == "id" || name.ends_with("_id")) && !OF_OTHERS.contains(&name);
            names_an_id && !is_typed(kind)
        });
        let code = line.split("//").next().unwrap_or_default();
        is_bare_column || code.split(|c: char| !c.is_alphanumeric()).any(|word| word == "Uuid")
    };
    text.lines().map(str::trim).filter(is_bare).collect()
}

fn sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("entity/src");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    files.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn every_id_of_a_row_has_its_kind() {
    let sources = sources();
    let bare: Vec<_> = sources
        .iter()
        .flat_map(|(file, text)| bare(text).into_iter().map(move |line| format!("{file}: {line}")))
        .collect();
    assert_eq!(bare, Vec::<String>::new());
    let typed: BTreeSet<_> = sources
        .iter()
        .flat_map(|(_, text)| text.lines().filter_map(field))
        .filter(|(_, kind)| is_typed(kind))
        .map(|(name, _)| name)
        .collect();
    for column in ["id", "tenant_id", "run_id", "subject", "holder", "entity"] {
        assert!(typed.contains(column), "the columns are read: {typed:?}");
    }
}

#[test]
fn a_bare_id_is_found() {
    let text = "pub id: Uuid,\nuser_id: Option<Uuid>,\nrun_id: String,\nholder: uuid::Uuid;\n\
                room_id: Option<Id<ids::Room>>,\n/// Not a Uuid.\nexternal_id: String,\nsubject: domain::AnyId,";
    assert_eq!(
        bare(text),
        ["pub id: Uuid,", "user_id: Option<Uuid>,", "run_id: String,", "holder: uuid::Uuid;"]
    );
}
