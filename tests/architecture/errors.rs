//! What errors tell. An error of the database as the mapper has it holds values, and what is printed of it shows them. Only those who turn it
//! into [`entity::DatabaseError`], or look at what it is, name it; whoever passes it on passes the other on.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Who names the mapper's error, and why.
const NAMED: [&str; 9] = [
    // Conversions.
    "runs/src/changes.rs",
    "services/src/bookings/mod.rs",
    "services/src/error.rs",
    "src/app.rs",
    "workflows/src/step.rs",
    // It is only asked what was violated.
    "services/src/issuers/mod.rs",
    "services/src/roles.rs",
    "services/src/users/check.rs",
    // The owner's own command, whose caller converts.
    "src/audit.rs",
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

#[test]
fn errors_of_the_database_are_passed_on_without_values() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["api/src", "runs/src", "lanes/src", "engine/src", "services/src", "workflows/src", "src"] {
        collect(&root.join(folder), &mut files);
    }
    let naming = files.iter().filter(|path| fs::read_to_string(path).unwrap().contains("DbErr"));
    let naming: BTreeSet<String> =
        naming.map(|path| path.strip_prefix(root).unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(naming, NAMED.map(str::to_owned).into(), "pass entity::DatabaseError on");
}

/// The sentences of refusals that name a limit, each with what follows it in the source.
fn limits(source: &str) -> Vec<(String, String)> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let names_one = |line: &&str| {
        line.contains('"')
            && ["at most {", "At most {", "up to {", "1 to {", "0 to {", "1 to 100 "]
                .iter()
                .any(|words| line.contains(words))
    };
    let found = lines.iter().enumerate().filter(|(_, line)| names_one(line));
    found
        .map(|(at, line)| ((*line).trim().to_owned(), lines[at..lines.len().min(at + 9)].join("\n")))
        .collect()
}

#[test]
fn every_refusal_that_names_a_limit_carries_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["api/src/graphql", "services/src"] {
        collect(&root.join(folder), &mut files);
    }
    let sentences: Vec<_> =
        files.iter().flat_map(|path| limits(&fs::read_to_string(path).unwrap())).collect();
    assert!(sentences.len() >= 15, "only {} were found", sentences.len());
    let silent = sentences.iter().filter(|(_, after)| !after.contains(".exceeding(")).map(|(line, _)| line);
    let silent: Vec<_> = silent.collect();
    assert_eq!(silent, Vec::<&String>::new(), "say `limit` and `actual` too: Refusal::exceeding");
}
