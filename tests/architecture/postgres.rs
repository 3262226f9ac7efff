//! A database of one test on PostgreSQL.

use testing::Database;

/// Runs a test with the URL of an empty database.
pub async fn on_a_database<F: Future<Output = ()>>(test: impl FnOnce(String) -> F) {
    let database = Database::postgres().await;
    test(database.url().to_owned()).await;
}
