//! Stores what whoever linked an identity was allowed to do. Links that exist already count as made without any
//! permission: they end when their user is given more, and a verified sign-in makes them again.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0027_linked_with",
    sql: "ALTER TABLE openid_identity ADD COLUMN linked_with {json} DEFAULT '[]'",
};
