//! Integrations, their consents, their service accounts, and the mailboxes that they can access.

use sea_orm_migration::prelude::*;

use crate::{ddl, row_level_security};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_integrations"
    }
}

const TABLES: &str = "
CREATE TABLE integration (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    provider text NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    reason {json},
    since {time} NOT NULL,
    access_level text NOT NULL,
    scope_group text,
    external_tenant text,
    external_name text,
    server_url text,
    service_mailbox text,
    known_good text,
    consented_by text,
    return_url text,
    created_by text NOT NULL,
    created_at {time} NOT NULL,
    version {bigint} NOT NULL,
    UNIQUE (tenant_id, id)
);
CREATE TABLE external_binding (
    provider text NOT NULL,
    external_tenant text NOT NULL,
    tenant_id {uuid} NOT NULL,
    integration_id {uuid} NOT NULL,
    bound_at {time} NOT NULL,
    PRIMARY KEY (provider, external_tenant),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE terms_acceptance (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    integration_id {uuid} NOT NULL,
    document text NOT NULL,
    document_version text NOT NULL,
    accepted_by text NOT NULL,
    accepted_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE connect_link (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    token_hash {bytes} NOT NULL UNIQUE,
    email text NOT NULL,
    user_id {uuid},
    integration_id {uuid},
    return_url text,
    created_by text NOT NULL,
    created_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES tenant_user (tenant_id, id)
);
CREATE TABLE connect_session (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    link_id {uuid},
    user_id {uuid},
    integration_id {uuid} NOT NULL,
    cookie_hash {bytes} NOT NULL UNIQUE,
    purpose text NOT NULL,
    step text NOT NULL,
    state_hash {bytes},
    nonce text,
    verifier {bytes},
    signed_in {json},
    created_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, link_id) REFERENCES connect_link (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE consent_grant (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    integration_id {uuid} NOT NULL,
    user_id {uuid},
    kind text NOT NULL,
    account text NOT NULL,
    secret {bytes} NOT NULL,
    access_token {bytes},
    expires_at {time},
    lost boolean NOT NULL,
    created_at {time} NOT NULL,
    version {bigint} NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX consent_grant_integration ON consent_grant (tenant_id, integration_id);
CREATE TABLE service_account (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    integration_id {uuid} NOT NULL,
    address text NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    position integer NOT NULL,
    verified_at {time},
    created_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, integration_id, address),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE verification (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    integration_id {uuid} NOT NULL,
    verdict text NOT NULL,
    checks {json} NOT NULL,
    at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX verification_integration ON verification (tenant_id, integration_id, id);
CREATE TABLE room (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    integration_id {uuid} NOT NULL,
    address text NOT NULL,
    name text NOT NULL,
    capacity integer,
    building text,
    floor text,
    equipment {json} NOT NULL,
    created_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, integration_id, address),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE connection (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    integration_id {uuid} NOT NULL,
    user_id {uuid},
    room_id {uuid},
    address text NOT NULL,
    state text NOT NULL,
    reason {json},
    since {time} NOT NULL,
    route text NOT NULL,
    capabilities {json} NOT NULL,
    time_zone text,
    as_of {time},
    read_from {time},
    read_until {time},
    version {bigint} NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, integration_id, address),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES tenant_user (tenant_id, id),
    FOREIGN KEY (tenant_id, room_id) REFERENCES room (tenant_id, id)
);
CREATE INDEX connection_user ON connection (tenant_id, user_id);
CREATE INDEX connection_room ON connection (tenant_id, room_id);
CREATE TABLE calendar_event (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    connection_id {uuid} NOT NULL,
    external_id text NOT NULL,
    uid text NOT NULL,
    title text NOT NULL,
    private boolean NOT NULL,
    start_at {time} NOT NULL,
    end_at {time} NOT NULL,
    all_day boolean NOT NULL,
    busy text,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX calendar_event_window ON calendar_event (tenant_id, connection_id, start_at);
CREATE TABLE busy_bitmap (
    tenant_id {uuid} NOT NULL,
    connection_id {uuid} NOT NULL,
    plane text NOT NULL,
    bits {bytes} NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, plane),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE campaign (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    integration_id {uuid} NOT NULL,
    state text NOT NULL,
    total integer NOT NULL,
    asked_by text NOT NULL,
    started_at {time} NOT NULL,
    finished_at {time},
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE campaign_item (
    tenant_id {uuid} NOT NULL,
    campaign_id {uuid} NOT NULL,
    connection_id {uuid} NOT NULL,
    result text,
    reason {json},
    finished_at {time},
    PRIMARY KEY (tenant_id, campaign_id, connection_id),
    FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaign (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE channel (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    connection_id {uuid} NOT NULL,
    external_id text NOT NULL UNIQUE,
    secret {bytes} NOT NULL,
    expires_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, TABLES).await?;
        // Found by a hash or by the provider's id, before the tenant is known.
        row_level_security::allow_app_role(
            manager,
            &["external_binding", "connect_link", "connect_session", "channel"],
        )
        .await?;
        let walled = [
            "integration",
            "terms_acceptance",
            "consent_grant",
            "service_account",
            "verification",
            "room",
            "connection",
            "calendar_event",
            "busy_bitmap",
            "campaign",
            "campaign_item",
        ];
        row_level_security::restrict_to_tenant(manager, &walled).await
    }
}
