//! What lies on a disk is its owner's alone.

use std::{fs, os::unix::fs::PermissionsExt};

use entity::Store;
use sea_orm::ConnectionTrait;

#[tokio::test]
async fn the_database_and_its_log_are_the_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    for known in [false, true] {
        let file = folder.path().join(format!("{known}.db"));
        if known {
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        let url = format!("sqlite://{}?mode=rwc", file.display());
        let owner = Store::connect_as_owner(&url).await.unwrap();
        owner.execute_unprepared("CREATE TABLE secret (word text)").await.unwrap();
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
        assert!(files.iter().any(|file| file.file_name().to_string_lossy().ends_with("-wal")));
        for file in files {
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.path().display());
        }
        owner.close().await.unwrap();
    }
}
