//! Stores when all tokens of a user were revoked. Those of the tenant's own issuer are not Muster's, so they are told
//! by when they were issued.

use crate::Statements;

pub(crate) const MIGRATION: Statements =
    Statements { name: "m0031_tokens_since", sql: "ALTER TABLE tenant_user ADD COLUMN tokens_since {time}" };
