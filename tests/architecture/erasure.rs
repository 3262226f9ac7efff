//! Every table with rows of a tenant is known to its erasure.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};

use crate::row_level_security::migrated;

/// What triggers delete with the rows to which it leads.
const BY_TRIGGERS: [&str; 1] = ["tenant_lookup"];

#[tokio::test]
async fn every_table_of_a_tenant_is_erased_with_it() {
    let database = testing::Database::sqlite();
    let owner = migrated(database.url()).await;
    let sql = "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
        WHERE m.type = 'table' AND c.name = 'tenant_id'";
    let rows = owner.query_all_raw(Statement::from_string(DatabaseBackend::Sqlite, sql)).await.unwrap();
    let tables: BTreeSet<String> = rows.iter().map(|row| row.try_get("", "name").unwrap()).collect();
    let erased = services::departure::erased_tables().chain(BY_TRIGGERS).filter(|table| *table != "tenant");
    owner.close().await.unwrap();
    assert_eq!(tables, erased.map(str::to_owned).collect());
}
