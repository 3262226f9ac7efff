//! The time zone and language of a tenant; null if unknown.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0010_tenant_locale",
    sql: "
ALTER TABLE tenant ADD COLUMN time_zone text;
ALTER TABLE tenant ADD COLUMN language text;",
};
