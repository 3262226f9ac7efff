//! The watermark of a calendar's copy, from which changes are requested.

use crate::Statements;

pub(crate) const MIGRATION: Statements =
    Statements { name: "m0007_cursors", sql: "ALTER TABLE connection ADD COLUMN watermark text" };
