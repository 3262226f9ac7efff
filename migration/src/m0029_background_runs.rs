//! An index by which background runs are found when they have been kept long enough.

use sea_orm_migration::prelude::*;

use crate::ddl;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0029_background_runs"
    }
}

const INDEX: &str = "CREATE INDEX run_background_finished ON run (finished_at)
    WHERE finished_at IS NOT NULL AND lane = 'BACKGROUND'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, INDEX).await
    }
}
