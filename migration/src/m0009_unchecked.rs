//! Removes foreign keys from the rows that every step writes: the statement that updates a run takes the tenant and run
//! of a history entry or event from the run's own row. Deleting a run still deletes its history.

use sea_orm_migration::prelude::*;

use crate::is_postgres;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0009_unchecked"
    }
}

// A check of an event locks its tenant's row, and two commits at a time make a lock of many of it. What is still
// checked, a job or a signal, asks for a run by its tenant and its id. On a table without statistics the planner takes
// any index that begins with the tenant for a way there, so the one of subjects begins with the subject.
const POSTGRES: &str = "
ALTER TABLE run_history DROP CONSTRAINT run_history_tenant_id_run_id_fkey;
ALTER TABLE event_log DROP CONSTRAINT event_log_tenant_id_fkey;
DROP INDEX run_subject;
CREATE INDEX run_subject ON run (subject, tenant_id, id);
CREATE FUNCTION forget_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM run_history WHERE tenant_id = OLD.tenant_id AND run_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_history AFTER DELETE ON run FOR EACH ROW EXECUTE FUNCTION forget_history();";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !is_postgres(manager) {
            return Ok(());
        }
        manager.get_connection().execute_unprepared(POSTGRES).await.map(|_| ())
    }
}
