//! Stores when all tokens of a user were revoked. Tokens of the tenant's own issuer are not recorded by Muster, so
//! they are compared by the time of issue.

use crate::Statements;

pub(crate) const MIGRATION: Statements =
    Statements { name: "m0031_tokens_since", sql: "ALTER TABLE tenant_user ADD COLUMN tokens_since {time}" };
