//! Permissions of vendor keys, records of access tokens, and retirement of signing keys.

use sea_orm_migration::prelude::*;

use crate::{ddl, row_level_security};

/// Permissions of keys that were created before keys had permissions. Such keys keep their unrestricted access.
const EVERYTHING: &str = r#"["USER_VIEW","USER_EDIT","USER_CREATE","USER_DELETE","ROLE_EDIT","CALENDAR_CONNECT","PLATFORM_ADMINISTRATION","SERVICE_ACCOUNT_EDIT","CONNECTION_VIEW","AVAILABILITY_VIEW","BOOKING_VIEW","BOOKING_EDIT","RUN_VIEW","RUN_EDIT","STAFF"]"#;

/// A token signed before tokens were recorded has no record and is therefore refused; such tokens are valid for hours
/// only.
const TABLES: &str = "
ALTER TABLE api_key ADD COLUMN tenant_id {uuid} REFERENCES tenant (id);
ALTER TABLE api_key ADD COLUMN last_used_at {time};
ALTER TABLE api_key ADD COLUMN replaced_by {uuid} REFERENCES api_key (id);
ALTER TABLE signing_key ADD COLUMN retires_at {time};
CREATE TABLE access_token (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    user_id {uuid} NOT NULL,
    issued_by text NOT NULL,
    created_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    revoked_at {time},
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES tenant_user (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX access_token_user ON access_token (tenant_id, user_id, id);
CREATE INDEX access_token_expiry ON access_token (tenant_id, expires_at);
";

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0015_access"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let permissions =
            format!("ALTER TABLE api_key ADD COLUMN permissions {{json}} NOT NULL DEFAULT '{EVERYTHING}';");
        ddl(manager, &permissions).await?;
        ddl(manager, TABLES).await?;
        row_level_security::restrict_to_tenant(manager, &["access_token"]).await
    }
}
