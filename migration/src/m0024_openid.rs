//! Sign-in through tenants' OpenID issuers: the registrations, the users' identities, and sign-ins through the
//! page.

use sea_orm_migration::prelude::*;

use crate::{ddl, row_level_security};

/// A token's `issuer_id` has no foreign key, which SQLite cannot add to an existing table. Instead, removing an issuer
/// revokes its tokens in the same transaction.
const TABLES: &str = "
CREATE TABLE openid_issuer (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    name text NOT NULL,
    issuer text NOT NULL,
    client_id text NOT NULL,
    client_secret {bytes},
    algorithms {json} NOT NULL,
    accepts text NOT NULL,
    audience text NOT NULL,
    subject_claim text NOT NULL,
    email_claim text,
    created_at {time} NOT NULL,
    version {bigint} NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, issuer)
);
CREATE TABLE openid_identity (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    issuer_id {uuid} NOT NULL,
    user_id {uuid} NOT NULL,
    subject text NOT NULL,
    created_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, issuer_id, subject),
    UNIQUE (tenant_id, issuer_id, user_id),
    FOREIGN KEY (tenant_id, issuer_id) REFERENCES openid_issuer (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES tenant_user (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX openid_identity_user ON openid_identity (tenant_id, user_id);
CREATE TABLE sign_in (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    issuer_id {uuid} NOT NULL,
    user_id {uuid} NOT NULL,
    code_hash {bytes},
    challenge text,
    created_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    redeemed_at {time},
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, issuer_id) REFERENCES openid_issuer (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES tenant_user (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sign_in_code ON sign_in (tenant_id, code_hash);
CREATE INDEX sign_in_expiry ON sign_in (tenant_id, expires_at);
CREATE INDEX sign_in_issuer ON sign_in (tenant_id, issuer_id);
CREATE INDEX sign_in_user ON sign_in (tenant_id, user_id);
ALTER TABLE access_token ADD COLUMN issuer_id {uuid};
";

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0024_openid"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, TABLES).await?;
        row_level_security::restrict_to_tenant(manager, &["openid_issuer", "openid_identity", "sign_in"])
            .await
    }
}
