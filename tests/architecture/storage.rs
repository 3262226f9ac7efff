//! Which crate writes runs, jobs, signals and histories: `runs`, and no other.
//!
//! No statement on these tables stands in the sources of another crate, and none of their entities is written there.
//! Reading through finders is allowed: lists and pages of runs are parts of larger queries.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The tables whose statements stand in `runs`.
const TABLES: [&str; 4] = ["run", "job", "signal", "run_history"];

/// What comes before the name of a table in a statement.
const BEFORE: [&str; 7] = ["INSERT INTO", "UPDATE", "DELETE FROM", "FROM", "JOIN", "USING", "TABLE"];

/// What an entity is written with.
const WRITES: [&str; 5] = ["ActiveModel", "Entity", "update", "delete", "all_tenants"];

/// The sources of the product outside `runs`. `entity` declares the tables, `migration` makes them.
const SOURCES: [&str; 10] = [
    "api/src",
    "domain/src",
    "engine/src",
    "http/src",
    "lanes/src",
    "providers/src",
    "sandbox/src",
    "services/src",
    "src",
    "workflows/src",
];

/// Files that may, each with what it does.
const EXCEPT: [(&str, &str); 2] = [
    // Deletes runs that ended long ago, among the other rows that it prunes.
    ("workflows/src/reconcile/retention.rs", "FROM run"),
    // Reads runs of all tenants, for the operator's commands.
    ("services/src/runs.rs", "run::all_tenants"),
];

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// A source without comments, with single spaces.
fn tidy(source: &str) -> String {
    let code = source.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    code.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a text has these words, and no longer ones.
fn has(text: &str, words: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(words)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + words.len()..].starts_with(is_part))
}

/// What is imported from the module of an entity: `x` and `y` in `run::{x, y}`.
fn imported<'a>(source: &'a str, table: &str) -> Vec<&'a str> {
    let opening = format!("{table}::{{");
    let lists = source.match_indices(&opening).map(|(at, _)| &source[at + opening.len()..]);
    lists.flat_map(|list| list.split('}').next().unwrap_or_default().split(',')).map(str::trim).collect()
}

/// The statements and writes on the tables in a source.
fn found(source: &str) -> Vec<String> {
    let source = tidy(source);
    let mut found = Vec::new();
    for table in TABLES {
        let statements = BEFORE.iter().map(|before| format!("{before} {table}"));
        let writes = WRITES.iter().map(|write| format!("{table}::{write}"));
        found.extend(statements.chain(writes).filter(|words| has(&source, words)));
        if source.contains("entity::") {
            let imports = imported(&source, table).into_iter().filter(|name| WRITES.contains(name));
            found.extend(imports.map(|name| format!("{table}::{{{name}}}")));
        }
    }
    found
}

#[test]
fn only_one_crate_writes_runs_jobs_signals_and_histories() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in SOURCES {
        collect(&root.join(folder), &mut files);
    }
    let mut faults = Vec::new();
    for path in files {
        let file = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let found = found(&fs::read_to_string(&path).unwrap());
        let may = |words: &str| EXCEPT.iter().any(|(known, what)| *known == file && words.contains(what));
        faults.extend(found.into_iter().filter(|words| !may(words)).map(|words| format!("{file}: {words}")));
    }
    assert_eq!(faults, Vec::<String>::new(), "statements on these tables belong to `runs`");
}

#[test]
fn the_exceptions_are_needed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, what) in EXCEPT {
        let found = found(&fs::read_to_string(root.join(file)).unwrap());
        assert!(found.iter().any(|words| words.contains(what)), "{file} no longer has {what}: {found:?}");
    }
}

#[test]
fn a_statement_or_a_write_elsewhere_is_found() {
    let planted = [
        ("let sql = \"UPDATE job SET due_at = $1\";", "UPDATE job"),
        ("let sql = \"DELETE\n  FROM run_history WHERE id = $1\";", "FROM run_history"),
        ("\"SELECT 1 FROM booking b JOIN run ON true\"", "JOIN run"),
        ("entity::run::update(tenant).exec(txn)", "run::update"),
        ("entity::signal::ActiveModel { id }", "signal::ActiveModel"),
        ("use entity::run::{Column, update};", "run::{update}"),
    ];
    for (source, expected) in planted {
        assert!(found(source).iter().any(|words| words == expected), "{source}: {:?}", found(source));
    }
    for harmless in [
        "// UPDATE job",
        "\"UPDATE jobs SET x = 1\"",
        "entity::run::of(tenant)",
        "use entity::run::{Column, of};",
        "let by = \"FROM runner\";",
    ] {
        assert_eq!(found(harmless), Vec::<String>::new(), "{harmless}");
    }
}
