//! The watermark of a calendar copy, with which changes are requested from the provider.

use crate::Statements;

pub(crate) const MIGRATION: Statements =
    Statements { name: "m0007_cursors", sql: "ALTER TABLE connection ADD COLUMN watermark text" };
