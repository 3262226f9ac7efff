//! Failures of mailboxes: when they began, the kind of failure, their number, and the time of the next attempt.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0012_failures",
    sql: "
ALTER TABLE connection ADD COLUMN failing_since {time};
ALTER TABLE connection ADD COLUMN failing_code text;
ALTER TABLE connection ADD COLUMN failures integer NOT NULL DEFAULT 0;
ALTER TABLE connection ADD COLUMN retry_at {time};",
};
