//! What connecting without dead ends stores: which consent is in force, which calendar systems a tenant may connect, and
//! where a browser returns after a user's own consent.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0038_corrections",
    sql: "ALTER TABLE integration ADD COLUMN consent_session {uuid};
        ALTER TABLE tenant ADD COLUMN providers {json};
        ALTER TABLE connect_session ADD COLUMN return_url text",
};
