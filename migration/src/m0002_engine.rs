//! Runs, their history, their jobs and their signals.

use sea_orm_migration::prelude::*;

use crate::{ddl, row_level_security};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0002_engine"
    }
}

const TABLES: &str = "
CREATE TABLE run (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    workflow text NOT NULL,
    version integer,
    state text,
    memory {json} NOT NULL,
    trail {json} NOT NULL,
    revision {bigint} NOT NULL,
    status text NOT NULL,
    lane text NOT NULL,
    business_key text NOT NULL,
    subject {uuid} NOT NULL,
    asked_by text NOT NULL,
    wait_signal text,
    cancel_requested boolean NOT NULL,
    undoing boolean NOT NULL,
    reason {json},
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    finished_at {time},
    UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX run_one_live_per_key ON run (tenant_id, workflow, business_key) WHERE finished_at IS NULL;
CREATE INDEX run_subject ON run (tenant_id, subject, id);
CREATE INDEX run_finished ON run (finished_at) WHERE finished_at IS NOT NULL;
CREATE TABLE run_history (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    run_id {uuid} NOT NULL,
    revision {bigint} NOT NULL,
    state text NOT NULL,
    outcome text NOT NULL,
    next_state text,
    attempt integer NOT NULL,
    reason {json},
    node text NOT NULL,
    at {time} NOT NULL,
    UNIQUE (tenant_id, run_id, revision),
    FOREIGN KEY (tenant_id, run_id) REFERENCES run (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE job (
    run_id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    lane text NOT NULL,
    due_at {time} NOT NULL,
    lease_until {time},
    leased_by text,
    epoch {bigint} NOT NULL,
    attempt integer NOT NULL,
    crashes integer NOT NULL,
    first_crash_at {time},
    wakes {bigint} NOT NULL,
    offered_at {time},
    FOREIGN KEY (tenant_id, run_id) REFERENCES run (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX job_due ON job (due_at) WHERE offered_at IS NULL;
CREATE INDEX job_fresh ON job (tenant_id, due_at) WHERE offered_at IS NULL;
CREATE INDEX job_offered ON job (tenant_id, offered_at) WHERE offered_at IS NOT NULL;
CREATE TABLE signal (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    run_id {uuid} NOT NULL,
    name text NOT NULL,
    payload {json} NOT NULL,
    created_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES run (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX signal_run ON signal (run_id);
CREATE TABLE schedule (
    name text PRIMARY KEY,
    due_at {time} NOT NULL,
    lease_until {time},
    leased_by text
);";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, TABLES).await?;
        let tables = ["run", "run_history", "job", "signal"];
        row_level_security::restrict_to_tenant(manager, &tables).await?;
        row_level_security::allow_engine_role(manager, &tables).await?;
        row_level_security::allow_app_role(manager, &["schedule"]).await?;
        row_level_security::allow_engine_role(manager, &["schedule"]).await
    }
}
