//! What the documents say exists: files that they link to, tests that they name, the query to paste.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder with this extension, except what is built or fetched.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir()
            && !["target", "node_modules", "data"].contains(&name.as_str())
            && !name.starts_with('.')
        {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

/// The pages that people write.
fn pages() -> Vec<(PathBuf, String)> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    let pages: Vec<_> = files(root(), "md").into_iter().map(read).collect();
    assert!(pages.len() > 5, "the pages are looked for in the right place");
    pages
}

/// Where a page's links point to, without those that leave the repository.
fn targets(text: &str) -> Vec<String> {
    let ends = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let inside = ends.map(|(target, _)| target.split('#').next().unwrap_or_default().to_owned());
    inside.filter(|target| !target.is_empty() && !target.contains(':')).collect()
}

/// Names of tests in a text: at least four words joined by underscores, between backticks.
fn test_names(text: &str) -> BTreeSet<String> {
    let outside_blocks: String = text.split("```").step_by(2).collect();
    let quoted = outside_blocks.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let is_name = |name: &String| {
        name.split('_').count() >= 4
            && name.chars().all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '_')
    };
    quoted.into_iter().filter(is_name).collect()
}

/// The query that the README gives to paste.
pub fn first_query() -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, after) = readme.split_once("```graphql\n").expect("the README has a query to paste");
    after.split_once("```").unwrap().0.to_owned()
}

#[test]
fn every_link_of_the_documents_leads_to_a_file() {
    for (page, text) in pages() {
        for target in targets(&text) {
            let path = page.parent().unwrap().join(&target);
            assert!(path.exists(), "{} links to {target}", page.display());
        }
    }
}

#[test]
fn every_test_that_the_documents_name_exists() {
    let code: String = files(root(), "rs").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut named = 0;
    for (page, text) in pages() {
        for name in test_names(&text) {
            assert!(code.contains(&format!("fn {name}(")), "{} names the test {name}", page.display());
            named += 1;
        }
    }
    assert!(named > 10, "promises name the tests that prove them: {named}");
}

#[test]
fn links_and_names_are_found_in_a_text() {
    let text = "See [a](docs/a.md#part) and [b](https://b.test/). Proved by `a_test_of_this` and `run_jobs`.\n\
                ```\n`not_a_test_name_here`\n```\n";
    assert_eq!(targets(text), ["docs/a.md"]);
    assert_eq!(test_names(text), BTreeSet::from(["a_test_of_this".to_owned()]));
}
