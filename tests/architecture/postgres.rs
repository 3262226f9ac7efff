//! A database of one test on the PostgreSQL of `MUSTER_TEST_POSTGRES`, dropped however the test ends.

use std::sync::Arc;

use domain::{Ids, SystemClock};
use entity::Store;
use sea_orm::ConnectionTrait;

/// The URL of the server where databases may be made.
fn server() -> url::Url {
    let url = std::env::var("MUSTER_TEST_POSTGRES")
        .expect("MUSTER_TEST_POSTGRES must be the URL of a PostgreSQL server; scripts/test starts one");
    url.parse().unwrap()
}

/// Runs a test with the URL of an empty database.
pub async fn on_a_database<F: Future<Output = ()>>(test: impl FnOnce(String) -> F) {
    let name = format!("muster_{}", Ids::random(Arc::new(SystemClock)).uuid().simple());
    let mut url = server();
    run(&format!("CREATE DATABASE {name}")).await;
    url.set_path(&name);
    let ended = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(test(url.into()))).await;
    run(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

async fn run(sql: &str) {
    let owner = Store::owner(server().as_str()).await.unwrap();
    owner.execute_unprepared(sql).await.unwrap();
    owner.close().await.unwrap();
}
