//! Tenants, their users and roles, and the tables of the installation.

use sea_orm_migration::prelude::*;

use crate::{ddl, is_postgres, row_level_security};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0001_tenants"
    }
}

/// Grants privileges to the roles, which [`crate::roles`] has created before.
const POSTGRES: &str = "
CREATE EXTENSION IF NOT EXISTS btree_gist;
GRANT USAGE ON SCHEMA public TO muster_app, muster_engine;";

const TABLES: &str = "
CREATE TABLE tenant (
    id {uuid} PRIMARY KEY,
    name text NOT NULL,
    plan text NOT NULL,
    return_urls {json} NOT NULL,
    data_key {bytes} NOT NULL,
    version {bigint} NOT NULL,
    created_at {time} NOT NULL
);
CREATE TABLE tenant_feature (
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    feature text NOT NULL,
    enabled_by text NOT NULL,
    enabled_at {time} NOT NULL,
    PRIMARY KEY (tenant_id, feature)
);
CREATE TABLE tenant_user (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    email text NOT NULL,
    name text NOT NULL,
    calendar_address text,
    time_zone text,
    version {bigint} NOT NULL,
    created_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, email)
);
CREATE UNIQUE INDEX tenant_user_address ON tenant_user (tenant_id, calendar_address);
CREATE TABLE role (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    name text NOT NULL,
    standard boolean NOT NULL,
    permissions {json} NOT NULL,
    created_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, name)
);
CREATE TABLE user_role (
    tenant_id {uuid} NOT NULL,
    user_id {uuid} NOT NULL,
    role_id {uuid} NOT NULL,
    PRIMARY KEY (tenant_id, user_id, role_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES tenant_user (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, role_id) REFERENCES role (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE api_key (
    id {uuid} PRIMARY KEY,
    name text NOT NULL,
    prefix text NOT NULL,
    hash {bytes} NOT NULL UNIQUE,
    created_at {time} NOT NULL,
    expires_at {time},
    revoked_at {time}
);
CREATE TABLE signing_key (
    id {uuid} PRIMARY KEY,
    public_key {bytes} NOT NULL,
    private_key {bytes} NOT NULL,
    created_at {time} NOT NULL
);
CREATE TABLE audit (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    details {json} NOT NULL,
    at {time} NOT NULL,
    UNIQUE (tenant_id, id)
);
CREATE TABLE idempotency (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    field text NOT NULL,
    caller text NOT NULL,
    key text NOT NULL,
    parameters {bytes} NOT NULL,
    entity {uuid} NOT NULL,
    expires_at {time} NOT NULL,
    UNIQUE (tenant_id, field, caller, key)
);
CREATE TABLE event_log (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    topic text NOT NULL,
    subject {uuid} NOT NULL,
    payload {json} NOT NULL,
    at {time} NOT NULL,
    UNIQUE (tenant_id, id)
);";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if is_postgres(manager) {
            manager.get_connection().execute_unprepared(POSTGRES).await?;
        }
        ddl(manager, TABLES).await?;
        row_level_security::allow_app_role(manager, &["tenant", "tenant_feature", "api_key", "signing_key"])
            .await?;
        row_level_security::restrict_to_tenant(
            manager,
            &["tenant_user", "role", "user_role", "audit", "idempotency", "event_log"],
        )
        .await
    }
}
