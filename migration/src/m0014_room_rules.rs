//! Rules that distinguish rooms from people, for calendar systems without a room directory; null if the
//! installation's own rules apply.

use crate::Statements;

pub(crate) const MIGRATION: Statements =
    Statements { name: "m0014_room_rules", sql: "ALTER TABLE integration ADD COLUMN room_rules {json}" };
