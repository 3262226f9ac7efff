//! Unreadable items of a calendar at the time of its last read: their number, the number that block no time, and some
//! examples.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0011_unreadable",
    sql: "
ALTER TABLE connection ADD COLUMN unreadable_count integer NOT NULL DEFAULT 0;
ALTER TABLE connection ADD COLUMN unknown_count integer NOT NULL DEFAULT 0;
ALTER TABLE connection ADD COLUMN unreadable {json} NOT NULL DEFAULT '[]';",
};
