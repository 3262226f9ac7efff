//! Stores the permissions on which access is based: those of the actor who had a token issued or set a user's email
//! address. Also stores the key that created a key, and the accounts that an administrator has unlinked. Existing rows
//! are treated as created without any permission: tokens are revoked when their user is given more permissions, and a
//! user with permissions who has never signed in needs an administrator to confirm the email address.

use sea_orm_migration::prelude::*;

use crate::{ddl, row_level_security};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0028_who_vouched"
    }
}

const TABLES: &str = "
ALTER TABLE access_token ADD COLUMN issued_with {json} DEFAULT '[]';
ALTER TABLE tenant_user ADD COLUMN email_set_with {json} NOT NULL DEFAULT '[]';
ALTER TABLE api_key ADD COLUMN created_by {uuid};
CREATE TABLE openid_unlinked (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    issuer_id {uuid} NOT NULL,
    user_id {uuid} NOT NULL,
    subject text NOT NULL,
    unlinked_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, issuer_id, subject),
    FOREIGN KEY (tenant_id, issuer_id) REFERENCES openid_issuer (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES tenant_user (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX openid_unlinked_user ON openid_unlinked (tenant_id, user_id);";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, TABLES).await?;
        row_level_security::restrict_to_tenant(manager, &["openid_unlinked"]).await
    }
}
