//! When the event of a booking was last compared with the calendar.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0043_following",
    sql: "ALTER TABLE booking ADD COLUMN followed_at {time};
        CREATE INDEX booking_mailbox ON booking (tenant_id, mailbox, end_at)",
};
