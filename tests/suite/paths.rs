//! Every route has one spelling, so that a check of the path and the router cannot disagree.

use std::path::{Path, PathBuf};

use muster::dev;

use crate::edges::get;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The paths of all routes, with `x1` in place of each variable segment.
fn routes() -> Vec<String> {
    let texts = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("api/src"));
    let mut routes = Vec::new();
    for text in texts.iter().map(|path| std::fs::read_to_string(path).unwrap()) {
        for rest in text.split("web::resource(").skip(1) {
            let name = rest.split(')').next().unwrap();
            let path =
                name.strip_prefix('"').expect("the path of a route is spelt out").trim_end_matches('"');
            let segments =
                path.split('/').map(|segment| if segment.starts_with('{') { "x1" } else { segment });
            routes.push(segments.collect::<Vec<_>>().join("/"));
        }
    }
    routes
}

/// Alternative spellings of a path.
fn spellings(path: &str) -> Vec<String> {
    let mut found: Vec<String> =
        ["/", "/.", "/x/..", "/%2e", "/x/%2E%2e", "/%5c"].map(|before| format!("{before}{path}")).into();
    found
        .extend(["%00", "%0a", "%", "%zz", "/.", "//", "%2f", "%5C.."].map(|after| format!("{path}{after}")));
    for (at, char) in path.char_indices().skip(1) {
        let (before, after) = (&path[..at], &path[at + 1..]);
        if char == '/' {
            found.extend(
                ["//", "/./", "%2f", "%2F", "\\", "/x/../"].map(|slash| format!("{before}{slash}{after}")),
            );
        } else {
            found.push(format!("{before}%{:02x}{after}", u32::from(char)));
            found.push(format!("{before}%{:02X}{after}", u32::from(char)));
        }
    }
    found
}

#[tokio::test]
async fn every_route_has_one_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let options = dev::Options {
        data: folder.path().join("data"),
        port: Some(0),
        database_url: None,
        migration_url: None,
        queue_url: None,
        seed: false,
        allowed_hosts: Vec::new(),
    };
    let ready = dev::start(options).await.unwrap();
    let authority = ready.base.authority().to_owned();
    let routes = routes();
    assert!(routes.len() > 20, "{routes:?}");
    for route in &routes {
        let known = get(&authority, route, &authority).await;
        assert!(!known.contains("PATH_MALFORMED"), "{route}: {known}");
        for path in spellings(route) {
            let answer = get(&authority, &path, &authority).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
        }
        // Paths are case-sensitive, in the router and in every check.
        let fixed = !route.contains("x1");
        if fixed {
            let answer = get(&authority, &route.to_uppercase(), &authority).await;
            assert!(answer.starts_with("HTTP/1.1 404"), "{route}: {answer}");
        }
    }
    ready.stop().await;
}
