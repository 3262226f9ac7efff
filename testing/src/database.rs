//! Test databases: one for each test, deleted at its end.

use std::sync::Arc;

use domain::{Ids, SystemClock};
use entity::Store;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

/// An empty database of one test, deleted when dropped, even if connections to it are still open.
#[derive(Debug)]
pub struct Database {
    url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File { folder: TempDir },
    Server { name: String },
}

impl Database {
    /// Creates a test database on PostgreSQL or SQLite.
    pub async fn create(postgres: bool) -> Self {
        if postgres { Self::postgres().await } else { Self::sqlite() }
    }

    /// Creates a SQLite database in a folder of its own.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("muster.db").display());
        Self { url, place: Place::File { folder } }
    }

    /// Creates a database on the PostgreSQL server of `MUSTER_TEST_POSTGRES`.
    pub async fn postgres() -> Self {
        Self::created("").await
    }

    async fn created(options: &str) -> Self {
        let name = format!("test_{}", Ids::random(Arc::new(SystemClock)).uuid().simple());
        execute(&format!("CREATE DATABASE {name} {options}")).await;
        let mut url: url::Url = server().parse().unwrap();
        url.set_path(&name);
        Self { url: url.into(), place: Place::Server { name } }
    }

    /// URL for the owner of the database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Creates another database with the same content. There must be no connection to this one.
    pub async fn copy(&self) -> Self {
        match &self.place {
            Place::File { folder } => {
                let copy = Self::sqlite();
                if let Place::File { folder: to } = &copy.place {
                    std::fs::copy(folder.path().join("muster.db"), to.path().join("muster.db")).unwrap();
                }
                copy
            }
            Place::Server { name } => Self::created(&format!("TEMPLATE {name}")).await,
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Place::Server { name } = &self.place else { return };
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        // A test may end inside a runtime, which must not be blocked on another one.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(execute(&statement));
        });
        // The failure of the test itself says more than that its database could not be deleted.
        let _ended = dropped.join();
    }
}

fn server() -> String {
    crate::required_env("MUSTER_TEST_POSTGRES")
}

async fn execute(statement: &str) {
    let owner = Store::connect_as_owner(&server()).await.unwrap();
    owner.execute_unprepared(statement).await.unwrap();
    owner.close().await.unwrap();
}
