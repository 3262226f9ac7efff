//! Stores the state to which a suspended integration returns.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0032_suspension",
    sql: "ALTER TABLE integration ADD COLUMN suspended_state text;
        ALTER TABLE integration ADD COLUMN suspended_reason {json}",
};
