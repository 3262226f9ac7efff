//! The online meeting of a booking: whether one was requested, its state, and its join URL.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0008_online_meetings",
    sql: "
ALTER TABLE booking ADD COLUMN online_meeting text;
ALTER TABLE booking ADD COLUMN online_meeting_url text;",
};
