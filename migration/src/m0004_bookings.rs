//! Bookings, their participants, and the occupancy table, which prevents double bookings.

use sea_orm_migration::prelude::*;

use crate::{ddl, is_postgres, row_level_security};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0004_bookings"
    }
}

const TABLES: &str = "
CREATE TABLE booking (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    organiser_id {uuid} NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    start_at {time} NOT NULL,
    end_at {time} NOT NULL,
    buffer_before_minutes integer NOT NULL,
    buffer_after_minutes integer NOT NULL,
    time_zone text NOT NULL,
    state text NOT NULL,
    reason {json},
    since {time} NOT NULL,
    written_via text,
    integration_id {uuid},
    service_account_id {uuid},
    mailbox text,
    external_id text,
    event_uid text,
    generation integer NOT NULL,
    run_id {uuid} NOT NULL,
    created_by text NOT NULL,
    created_at {time} NOT NULL,
    version {bigint} NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, organiser_id) REFERENCES tenant_user (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    FOREIGN KEY (tenant_id, service_account_id) REFERENCES service_account (tenant_id, id)
);
CREATE INDEX booking_start ON booking (tenant_id, start_at, id);
CREATE TABLE booking_participant (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    booking_id {uuid} NOT NULL,
    kind text NOT NULL,
    user_id {uuid},
    room_id {uuid},
    address text NOT NULL,
    name text NOT NULL,
    answer text NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, booking_id, address),
    FOREIGN KEY (tenant_id, booking_id) REFERENCES booking (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES tenant_user (tenant_id, id),
    FOREIGN KEY (tenant_id, room_id) REFERENCES room (tenant_id, id)
);
CREATE TABLE booking_change (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    booking_id {uuid} NOT NULL,
    what text NOT NULL,
    old_start {time} NOT NULL,
    old_end {time} NOT NULL,
    by_whom text NOT NULL,
    at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, booking_id) REFERENCES booking (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE occupancy (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL,
    holder {uuid} NOT NULL,
    booking_id {uuid} NOT NULL,
    start_at {time} NOT NULL,
    end_at {time} NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, booking_id) REFERENCES booking (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX occupancy_holder ON occupancy (tenant_id, holder, start_at);
CREATE INDEX occupancy_booking ON occupancy (tenant_id, booking_id);";

/// The exclusion constraint against double bookings. Rows of the same booking may overlap, because a booking that
/// is being moved blocks both its old and its new time.
const EXCLUSION: &str = "
ALTER TABLE occupancy ADD CONSTRAINT occupancy_taken EXCLUDE USING gist (
    tenant_id WITH =, holder WITH =, tstzrange(start_at, end_at, '[)') WITH &&, booking_id WITH <>
);";

const TRIGGERS: &str = "
CREATE TRIGGER occupancy_taken BEFORE INSERT ON occupancy
WHEN EXISTS (
    SELECT 1 FROM occupancy o
    WHERE o.tenant_id = NEW.tenant_id AND o.holder = NEW.holder AND o.booking_id <> NEW.booking_id
      AND o.start_at < NEW.end_at AND NEW.start_at < o.end_at
)
BEGIN SELECT RAISE(ABORT, 'occupancy_taken'); END;
CREATE TRIGGER occupancy_taken_update BEFORE UPDATE ON occupancy
WHEN EXISTS (
    SELECT 1 FROM occupancy o
    WHERE o.tenant_id = NEW.tenant_id AND o.holder = NEW.holder AND o.booking_id <> NEW.booking_id
      AND o.start_at < NEW.end_at AND NEW.start_at < o.end_at
)
BEGIN SELECT RAISE(ABORT, 'occupancy_taken'); END;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, TABLES).await?;
        let only_here = if is_postgres(manager) { EXCLUSION } else { TRIGGERS };
        manager.get_connection().execute_unprepared(only_here).await?;
        row_level_security::restrict_to_tenant(
            manager,
            &["booking", "booking_participant", "booking_change", "occupancy"],
        )
        .await
    }
}
