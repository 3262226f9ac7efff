//! What the configuration makes of the server's edges: names, https, GraphiQL.

use std::{
    fs::Permissions,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::{Ids, SharedClock, SystemClock};
use muster::{app, config::Config, database, dev};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The whole answer to a GET under a name.
pub async fn get(authority: &str, path: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(authority).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_development_server_shows_its_token_under_no_name_but_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let options = dev::Options {
        data: data.clone(),
        port: Some(0),
        database_url: None,
        migration_url: None,
        queue_url: None,
        seed: false,
        allowed_hosts: Vec::new(),
    };
    let ready = dev::start(options).await.unwrap();
    let authority = ready.base.authority().to_owned();
    let mode = std::fs::metadata(&data).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "what it keeps is its owner's alone");
    let own = get(&authority, "/graphiql", &authority).await;
    assert!(own.starts_with("HTTP/1.1 200"), "{own}");
    let rebound = get(&authority, "/graphiql", "rebound.example:4000").await;
    assert!(rebound.starts_with("HTTP/1.1 421") && rebound.contains("HOST_REFUSED"), "{rebound}");
    ready.stop().await;
}

#[tokio::test]
async fn a_data_folder_is_used_by_one_development_server_of_this_version() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let options = || dev::Options {
        data: data.clone(),
        port: Some(0),
        database_url: None,
        migration_url: None,
        queue_url: None,
        seed: false,
        allowed_hosts: Vec::new(),
    };
    let first = dev::start(options()).await.unwrap();
    let refused = dev::start(options()).await.unwrap_err().to_string();
    assert!(refused.contains("is used by another `muster dev`") && refused.contains("--data"), "{refused}");
    first.stop().await;
    let again = dev::start(options()).await.unwrap();
    again.stop().await;
    let url = format!("sqlite://{}", data.join("muster.db").display());
    let database = sea_orm::Database::connect(&url).await.unwrap();
    let later = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";
    sea_orm::ConnectionTrait::execute_unprepared(&database, later).await.unwrap();
    database.close().await.unwrap();
    let refused = dev::start(options()).await.unwrap_err().to_string();
    assert!(refused.contains("by a later version of Muster") && refused.contains("--reset"), "{refused}");
    assert!(!refused.contains('\n'), "one sentence after the other, on one line: {refused}");
}

/// Everything below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let all = entries.flat_map(|path| match path.is_dir() {
        true => [below(&path), vec![path]].concat(),
        false => vec![path],
    });
    all.collect()
}

#[tokio::test]
async fn what_a_development_server_keeps_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // One that an earlier version wrote.
    let earlier = data.join("sandbox").join("journal.jsonl");
    std::fs::create_dir_all(data.join("sandbox")).unwrap();
    std::fs::write(&earlier, "").unwrap();
    for shared in [data.clone(), data.join("sandbox")] {
        std::fs::set_permissions(shared, Permissions::from_mode(0o755)).unwrap();
    }
    let options = dev::Options {
        data: data.clone(),
        port: Some(0),
        database_url: None,
        migration_url: None,
        queue_url: None,
        seed: true,
        allowed_hosts: Vec::new(),
    };
    let ready = dev::start(options).await.unwrap();
    let kept = below(&data);
    assert!(kept.len() >= 7 && kept.contains(&earlier), "{kept:?}");
    for path in kept.iter().chain([&data]) {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has {mode:o}", path.display());
    }
    ready.stop().await;
}

#[tokio::test]
async fn the_configuration_switches_graphiql_off_and_https_is_insisted_on() {
    let folder = tempfile::tempdir().unwrap();
    let clock: SharedClock = Arc::new(SystemClock);
    let ids = Ids::random(Arc::clone(&clock));
    let master_key = ids.random_secret();
    let at = |public_url: &str, graphiql: bool| {
        let file = folder.path().join("muster.toml");
        let database = folder.path().join("m.db").display().to_string();
        let text = format!(
            "database_url = \"sqlite://{database}?mode=rwc\"\npublic_url = \"{public_url}\"\nmaster_key = \"{master_key}\"\ngraphiql = {graphiql}\n"
        );
        std::fs::write(&file, text).unwrap();
        Config::read(Some(&file)).unwrap()
    };
    for (public_url, graphiql) in [("https://muster.example", false), ("http://127.0.0.1:1", true)] {
        let config = at(public_url, graphiql);
        database::migrate(&config, &ids).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let node = app::start(&config, Arc::clone(&clock), Some(listener), None).await.unwrap();
        let page = get(&authority, "/graphiql", "any.example").await;
        assert!(page.starts_with(if graphiql { "HTTP/1.1 200" } else { "HTTP/1.1 404" }), "{page}");
        let is_strict = page.to_lowercase().contains("\r\nstrict-transport-security: max-age=31536000\r\n");
        assert_eq!(is_strict, public_url.starts_with("https:"), "{page}");
        node.stop().await;
    }
}
