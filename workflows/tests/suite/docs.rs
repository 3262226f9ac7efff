//! What is written down about the tables: `docs/workflows/` for people, and the seal of every version that was ever
//! begun. `UPDATE=1` writes the pages anew and adds seals of new versions; it never changes a seal.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fmt::Write, path::PathBuf};

use engine::{Retry, Row, Table};
use sha2::{Digest, Sha256};
use workflows::TABLES;

fn function(name: &str, commits: bool) -> String {
    format!("`{name}`{}", if commits { " *commits*" } else { "" })
}

fn page(table: &Table) -> String {
    let mut text = format!("# {} (version {})\n\n{}\n\n", table.name, table.version, table.about.trim());
    text += "| state | does | undone by | attempts | then |\n|---|---|---|---|---|\n";
    for row in table.rows {
        let then = if row.then.is_empty() { "the end".to_owned() } else { row.then.join(", ") };
        let does = function(row.does, row.step_commits);
        let undone_by = function(row.undone_by, row.undo_commits);
        writeln!(text, "| {} | {does} | {undone_by} | {} | {then} |", row.state, row.retry.attempts).unwrap();
    }
    if table.rows.iter().any(|row| row.step_commits || row.undo_commits) {
        text += "\nWhat is marked *commits* may commit by itself; all others only return changes.\n";
    }
    write!(text, "\n```mermaid\n{}```\n", table.mermaid(None)).unwrap();
    text
}

#[test]
fn the_pages_of_the_workflows_are_as_their_tables() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/workflows");
    let update = std::env::var_os("UPDATE").is_some();
    for table in TABLES {
        let path = folder.join(format!("{}.md", table.name));
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, page(&table)).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, page(&table), "{} is out of date: run with UPDATE=1", path.display());
    }
}

/// What a run that is on its way depends on: states, steps, undos, successors. How often a step is tried may change.
fn seal(table: &Table) -> String {
    let mut rows = String::new();
    for row in table.rows {
        writeln!(rows, "{}:{}|{}|{}", row.state, row.does, row.undone_by, row.then.join(",")).unwrap();
    }
    let digest = Sha256::digest(rows.as_bytes());
    let head = digest.iter().take(8).fold(0_u64, |head, byte| head << 8 | u64::from(*byte));
    format!("{head:016x}")
}

#[test]
fn a_table_that_changes_becomes_a_new_version() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/versions.txt");
    let mut written = std::fs::read_to_string(&path).unwrap_or_default();
    for table in TABLES {
        let version = format!("{} v{} ", table.name, table.version);
        let line = format!("{version}{}", seal(&table));
        match written.lines().find(|line| line.starts_with(&version)) {
            Some(sealed) => assert_eq!(
                sealed, line,
                "runs are on their way by {version}: give the changed table a new version, and keep the old one beside it"
            ),
            None if std::env::var_os("UPDATE").is_some() => writeln!(written, "{line}").unwrap(),
            None => panic!("{version}is new: seal it with UPDATE=1"),
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, written).unwrap();
    }
}

#[test]
fn a_seal_tells_every_change_that_a_run_would_notice() {
    let table = TABLES[0];
    let changed = |change: fn(&mut Row)| {
        let mut rows = table.rows.to_vec();
        change(&mut rows[0]);
        seal(&Table { rows: rows.leak(), ..table })
    };
    let seals = [
        seal(&table),
        changed(|row| row.state = "Other"),
        changed(|row| row.does = "other"),
        changed(|row| row.undone_by = "other"),
        changed(|row| row.then = &[]),
    ];
    let different: std::collections::BTreeSet<_> = seals.iter().collect();
    assert_eq!(different.len(), seals.len());
    assert_eq!(seal(&table), changed(|row| row.retry = Retry::NEVER));
}
