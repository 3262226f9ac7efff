//! Personal integrations: a kind of integration that holds people's own consents only. A session in which a user
//! connects their own calendar has no integration until this succeeds.

use sea_orm_migration::prelude::*;

use crate::{ddl, is_postgres, m0022_lookups};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0041_personal"
    }
}

/// A personal integration that was disconnected stays for the records; the next own connection makes another one.
const TABLES: &str = "
ALTER TABLE integration ADD COLUMN kind text NOT NULL DEFAULT 'ORGANISATION_WIDE';
CREATE UNIQUE INDEX integration_personal ON integration (tenant_id, provider)
    WHERE kind = 'PERSONAL' AND state <> 'REMOVED';
ALTER TABLE consent_grant ADD COLUMN server_url text;";

const POSTGRES: &str = "
ALTER TABLE connect_session ALTER COLUMN integration_id DROP NOT NULL;
ALTER TABLE connect_session ADD COLUMN provider text;";

/// SQLite cannot drop the constraint of a column, so the table is created anew.
const SQLITE: &str = "
CREATE TABLE connect_session_anew (
    id blob PRIMARY KEY,
    tenant_id blob NOT NULL,
    link_id blob,
    user_id blob,
    integration_id blob,
    cookie_hash blob NOT NULL UNIQUE,
    purpose text NOT NULL,
    step text NOT NULL,
    state_hash blob,
    nonce text,
    verifier blob,
    signed_in text,
    created_at text NOT NULL,
    expires_at text NOT NULL,
    consent blob,
    typed_account text,
    return_url text,
    provider text,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, link_id) REFERENCES connect_link (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id) ON DELETE CASCADE
);
INSERT INTO connect_session_anew (id, tenant_id, link_id, user_id, integration_id, cookie_hash, purpose, step,
        state_hash, nonce, verifier, signed_in, created_at, expires_at, consent, typed_account, return_url)
    SELECT id, tenant_id, link_id, user_id, integration_id, cookie_hash, purpose, step,
        state_hash, nonce, verifier, signed_in, created_at, expires_at, consent, typed_account, return_url
    FROM connect_session;
DROP TABLE connect_session;
ALTER TABLE connect_session_anew RENAME TO connect_session;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, TABLES).await?;
        let connection = manager.get_connection();
        if is_postgres(manager) {
            return connection.execute_unprepared(POSTGRES).await.map(|_| ());
        }
        let triggers = m0022_lookups::sqlite_triggers("connect_session");
        connection.execute_unprepared(SQLITE).await?;
        connection.execute_unprepared(&triggers).await.map(|_| ())
    }
}
