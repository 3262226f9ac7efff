//! What a provider is like is asked of its connector: nobody else branches on its kind.

use std::path::{Path, PathBuf};

/// Folders in which no code may name a kind of provider.
const FOLDERS: [&str; 4] = ["services/src", "workflows/src", "api/src", "src"];

/// How code names a kind, or what only one provider has.
const MARKS: [&str; 11] = [
    "Kind::Microsoft365",
    "Kind::GoogleWorkspace",
    "Kind::Exchange",
    "Kind::CalDav",
    "P::Microsoft365",
    "Secret::Microsoft",
    "Secret::Google",
    "microsoft::",
    "google::",
    "exchange::",
    "caldav::",
];

/// Files that may, and why.
const EXCEPTIONS: [(&str, &str); 7] = [
    ("services/src/connect/mod.rs", "the names of calendar systems, for people"),
    ("api/src/graphql/integration/prerequisites.rs", "sentences about calendar systems, for people"),
    ("api/src/guides.rs", "guides to calendar systems, for people"),
    ("src/app.rs", "the list of connectors"),
    ("src/config.rs", "the keys of each connector"),
    ("src/config/microsoft.rs", "the registration of Muster at Microsoft"),
    ("src/seed.rs", "the registration of Muster at the sandbox, which imitates each provider"),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
}

/// The marks in a source text. Comments and the unit tests at its end may name what they like.
fn marks(text: &str) -> Vec<&'static str> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let names = |mark: &str| lines.iter().any(|line| line.contains(mark));
    MARKS.into_iter().filter(|mark| names(mark)).collect()
}

#[test]
fn nobody_but_a_connector_asks_which_kind_of_provider_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for path in FOLDERS.iter().flat_map(|folder| sources(&root.join(folder))) {
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let marks = marks(&std::fs::read_to_string(&path).unwrap());
        let is_excepted = EXCEPTIONS.iter().any(|(file, _)| *file == name);
        if !marks.is_empty() && !is_excepted {
            found.push(format!("{name}: {marks:?}"));
        }
    }
    assert_eq!(found, Vec::<String>::new(), "ask the connector instead");
}

#[test]
fn every_exception_is_still_needed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, reason) in EXCEPTIONS {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        assert!(!marks(&text).is_empty(), "{file} ({reason}) names no kind any more");
    }
}

#[test]
fn a_branch_is_found() {
    assert_eq!(marks("match kind { ProviderKind::CalDav => 1, _ => 2 }"), ["Kind::CalDav"]);
    assert_eq!(marks("if let Secret::MicrosoftApp { external } = secret {"), ["Secret::Microsoft"]);
    assert_eq!(marks("// as with ProviderKind::CalDav\nlet a = 1;"), Vec::<&str>::new());
}
