//! A PostgreSQL that asks nodes for passwords, as those of production do.

use std::sync::Arc;

use domain::{Ids, SystemClock};
use entity::Store;
use muster::{config::Config, database};
use testing::Postgres;

/// A node's configuration with this password.
fn config(folder: &std::path::Path, owner: &str, password: &str) -> Config {
    let node = owner.replace("postgres@", &format!("muster_app:{password}@"));
    let file = folder.join("muster.toml");
    let key = Ids::random(Arc::new(SystemClock)).random_secret();
    let text = format!(
        "database_url = \"{node}\"\nmigration_url = \"{owner}\"\npublic_url = \"http://127.0.0.1:1\"\nmaster_key = \"{key}\"\n"
    );
    std::fs::write(&file, text).unwrap();
    Config::read(Some(&file)).unwrap()
}

#[tokio::test]
async fn migrate_gives_the_roles_of_nodes_the_passwords_of_their_urls() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let postgres = Postgres::with_passwords(folder.path(), &["muster_app", "muster_engine"]);
    let ids = Ids::random(Arc::new(SystemClock));
    let first = config(folder.path(), &postgres.url(), "one%20%40%3a%27");
    assert!(Store::connect(&first.logins(), 2).await.is_err(), "there is no such role yet");
    for _ in 0..2 {
        database::migrate(&first, &ids).await.unwrap();
        Store::connect(&first.logins(), 2).await.unwrap();
    }
    let second = config(folder.path(), &postgres.url(), "two");
    assert!(Store::connect(&second.logins(), 2).await.is_err(), "the password is another");
    database::migrate(&second, &ids).await.unwrap();
    Store::connect(&second.logins(), 2).await.unwrap();
    assert!(Store::connect(&first.logins(), 2).await.is_err(), "the first is no longer good");
    let refused = database::migrate(&config(folder.path(), &postgres.url(), "dr%C3%A9i"), &ids).await;
    assert!(refused.unwrap_err().to_string().contains("ASCII"));
}
