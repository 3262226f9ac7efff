//! Stores the permissions of the actor who linked an identity. Existing links are treated as created without any
//! permission: they are removed when their user is given more permissions, and a verified sign-in creates them again.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0027_linked_with",
    sql: "ALTER TABLE openid_identity ADD COLUMN linked_with {json} DEFAULT '[]'",
};
