//! How long a source file may be, unit tests included. What outgrows it is two nouns, in two files.

use std::fs;

use crate::links::{files, root};

/// Maximum number of lines of a file.
const LIMIT: usize = 400;

/// Files that are longer because they are one thing, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Files longer than `limit` among sources with their texts, each with its number of lines.
fn long(sources: &[(String, String)], limit: usize) -> Vec<(&str, usize)> {
    let lines = sources.iter().map(|(file, text)| (file.as_str(), text.lines().count()));
    lines.filter(|(_, lines)| *lines > limit).collect()
}

/// Every source of the repository with its text, those outside the workspace included.
fn sources() -> Vec<(String, String)> {
    let read = |path: std::path::PathBuf| {
        let file = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        (file, fs::read_to_string(&path).unwrap())
    };
    files(root(), "rs").into_iter().map(read).collect()
}

#[test]
fn no_file_is_above_400_lines_without_a_reason() {
    let sources = sources();
    assert!(sources.len() > 1000, "the sources are found");
    let is_excepted = |file: &str| EXCEPTIONS.iter().any(|(excepted, _)| *excepted == file);
    let faults: Vec<_> = long(&sources, LIMIT).into_iter().filter(|(file, _)| !is_excepted(file)).collect();
    assert_eq!(faults, [], "split them into two nouns each");
}

#[test]
fn every_exception_is_still_above_400_lines() {
    let sources = sources();
    let long = long(&sources, LIMIT);
    for (file, reason) in EXCEPTIONS {
        assert!(
            long.iter().any(|(found, _)| found == file),
            "{file} ({reason}) is no longer above {LIMIT} lines"
        );
    }
}

#[test]
fn a_long_file_is_found() {
    let sources =
        [("short.rs", 3), ("long.rs", 4)].map(|(file, lines)| (file.to_owned(), "\n".repeat(lines)));
    assert_eq!(long(&sources, 3), [("long.rs", 4)]);
}
