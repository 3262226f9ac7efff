//! An index for finding background runs whose retention period has ended.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0029_background_runs",
    sql: "CREATE INDEX run_background_finished ON run (finished_at)
    WHERE finished_at IS NOT NULL AND lane = 'BACKGROUND'",
};
