//! Stores the domains that a provider has verified for an organisation. The column is null until the organisation's
//! directory is read again.

use crate::Statements;

pub(crate) const MIGRATION: Statements =
    Statements { name: "m0026_domains", sql: "ALTER TABLE external_binding ADD COLUMN domains {json}" };
