//! The calendars of a mailbox, and which of them make its owner busy.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0013_counted_calendars",
    sql: "
ALTER TABLE connection ADD COLUMN calendars {json};
ALTER TABLE connection ADD COLUMN counted_calendars {json};",
};
