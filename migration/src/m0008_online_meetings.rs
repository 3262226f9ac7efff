//! The online meeting of a booking: whether one was requested, its state, and its joining address.

use sea_orm_migration::prelude::*;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0008_online_meetings"
    }
}

const COLUMNS: &str = "
ALTER TABLE booking ADD COLUMN online_meeting text;
ALTER TABLE booking ADD COLUMN online_meeting_url text;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(COLUMNS).await.map(|_| ())
    }
}
