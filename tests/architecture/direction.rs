//! Which crate may know which, read from `cargo metadata`.
//!
//! A dependency for tests alone may point anywhere, with one exception: the sandbox never sees the connectors, not
//! even in its tests, so that a mistake shared by both cannot cancel itself out.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Our crates, and which of ours each may name.
const DIRECTION: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("messages", &["domain"]),
    ("http", &[]),
    ("migration", &[]),
    ("entity", &["domain"]),
    ("sandbox", &["domain"]),
    ("runs", &["domain", "entity"]),
    ("lanes", &["domain"]),
    ("testing", &["domain", "entity"]),
    ("demo", &["domain", "http"]),
    ("providers", &["domain", "http"]),
    ("services", &["domain", "entity", "runs", "lanes", "providers"]),
    ("engine", &["domain", "runs", "lanes"]),
    ("workflows", &["domain", "entity", "runs", "engine", "services", "providers"]),
    ("api", &["domain", "messages", "services"]),
    // Nothing stands on the benchmarks; they drive the engine and the lanes without the API.
    ("benches", &["domain", "migration", "entity", "runs", "lanes", "engine", "services", "workflows"]),
    (
        "muster",
        &[
            "domain",
            "messages",
            "http",
            "migration",
            "entity",
            "sandbox",
            "runs",
            "lanes",
            "engine",
            "demo",
            "providers",
            "services",
            "workflows",
            "api",
        ],
    ),
];

/// Crates of others that only these of ours may name.
///
/// The benchmarks speak to Redis without any lane, to measure the limit that the lanes are held against.
const ONLY_IN: &[(&str, &[&str])] = &[("redis", &["lanes", "benches"]), ("reqwest", &["http", "sandbox"])];

/// What the front door must not be able to do by itself, though others may.
const NOT_IN_API: &[&str] = &["sea-orm", "sqlx"];

/// One crate of ours and what it names.
struct Crate {
    name: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    for_tests: bool,
    with_defaults: bool,
}

/// Everything that is not as the table says, one sentence each.
fn faults(crates: &[Crate]) -> Vec<String> {
    let mut faults = Vec::new();
    for each in crates {
        let Some((_, may_name)) = DIRECTION.iter().find(|(name, _)| *name == each.name) else {
            faults.push(format!("{} has no line in the table of directions", each.name));
            continue;
        };
        for dependency in &each.dependencies {
            if let Some(fault) = fault(&each.name, may_name, dependency) {
                faults.push(fault);
            }
        }
    }
    faults
}

fn fault(name: &str, may_name: &[&str], dependency: &Dependency) -> Option<String> {
    let other = dependency.name.as_str();
    let ours = DIRECTION.iter().any(|(known, _)| *known == other);
    if name == "sandbox" && other == "providers" {
        return Some("sandbox names providers".to_owned());
    }
    if dependency.for_tests {
        return None;
    }
    let belongs = ONLY_IN.iter().find(|(foreign, _)| *foreign == other).map(|(_, holders)| *holders);
    let refused = (ours && !may_name.contains(&other))
        || belongs.is_some_and(|holders| !holders.contains(&name))
        || (name == "api" && NOT_IN_API.contains(&other));
    match refused {
        true => Some(format!("{name} names {other}")),
        false if other == "oauth2" && dependency.with_defaults => {
            Some(format!("{name} takes oauth2 with its own HTTP client"))
        }
        false => None,
    }
}

/// A crate's name as the others write it.
fn short(name: &str) -> String {
    name.strip_prefix("muster-").unwrap_or(name).to_owned()
}

fn read(package: &Package) -> Crate {
    let dependency = |dependency: &cargo_metadata::Dependency| Dependency {
        name: short(&dependency.name),
        for_tests: dependency.kind == DependencyKind::Development,
        with_defaults: dependency.uses_default_features,
    };
    Crate { name: short(&package.name), dependencies: package.dependencies.iter().map(dependency).collect() }
}

fn workspace() -> Vec<Crate> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .unwrap();
    metadata.workspace_packages().into_iter().map(read).collect()
}

#[test]
fn crates_know_only_what_lies_below_them() {
    let crates = workspace();
    let found: BTreeSet<_> = crates.iter().map(|each| each.name.as_str()).collect();
    let expected: BTreeSet<_> = DIRECTION.iter().map(|(name, _)| *name).collect();
    assert_eq!(found, expected, "the workspace and the table list the same crates");
    assert_eq!(faults(&crates), Vec::<String>::new());
}

#[test]
fn what_a_rule_watches_is_really_named_somewhere() {
    let crates = workspace();
    for (foreign, holders) in ONLY_IN {
        for holder in *holders {
            let holder = crates.iter().find(|each| each.name == *holder).unwrap();
            let named = holder.dependencies.iter().any(|dependency| dependency.name == *foreign);
            assert!(named, "{} should name {foreign}, or the rule is out of date", holder.name);
        }
    }
}

/// The feature is for tests: a dependency that the binary is built from never switches it on.
#[test]
fn no_shipped_crate_holds_the_provider_in_memory() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .unwrap();
    let (mut in_tests, mut shipped) = (0, Vec::new());
    for package in metadata.workspace_packages() {
        let switching = package.dependencies.iter().filter(|dependency| {
            dependency.name == "muster-providers" && dependency.features.iter().any(|name| name == "memory")
        });
        for dependency in switching {
            match dependency.kind {
                DependencyKind::Development => in_tests += 1,
                _ => shipped.push(package.name.to_string()),
            }
        }
        let defaults = package.features.get("default").into_iter().flatten();
        shipped.extend(defaults.filter(|name| *name == "memory").cloned());
    }
    assert_eq!(shipped, Vec::<String>::new());
    assert!(in_tests > 0, "nobody takes it, or this test is out of date");
}

#[test]
fn a_forbidden_edge_is_found() {
    let of = |name: &str, other: &str, for_tests: bool| {
        let dependency = Dependency { name: other.to_owned(), for_tests, with_defaults: true };
        faults(&[Crate { name: name.to_owned(), dependencies: vec![dependency] }])
    };
    for (name, other) in [
        ("domain", "entity"),
        ("entity", "runs"),
        ("runs", "lanes"),
        ("lanes", "runs"),
        ("lanes", "entity"),
        ("services", "workflows"),
        ("services", "engine"),
        ("engine", "services"),
        ("engine", "providers"),
        ("engine", "entity"),
        ("workflows", "lanes"),
        ("services", "api"),
        ("migration", "entity"),
        ("sandbox", "providers"),
        ("sandbox", "http"),
        ("demo", "providers"),
        ("providers", "sandbox"),
        ("api", "sea-orm"),
        ("api", "redis"),
        ("api", "reqwest"),
        ("api", "providers"),
        ("services", "redis"),
        ("providers", "reqwest"),
        ("muster", "reqwest"),
        ("muster", "redis"),
    ] {
        assert_eq!(of(name, other, false), [format!("{name} names {other}")]);
    }
    assert_eq!(of("providers", "oauth2", false).len(), 1, "oauth2 brings an HTTP client of its own");
    assert_eq!(of("helpers", "serde", false).len(), 1, "a crate without a line in the table");
    assert_eq!(of("sandbox", "providers", true), ["sandbox names providers"], "not even in tests");
    assert_eq!(of("providers", "sandbox", true), Vec::<String>::new(), "tests may look from above");
    assert_eq!(of("services", "domain", false), Vec::<String>::new());
    assert_eq!(of("lanes", "redis", false), Vec::<String>::new());
}
