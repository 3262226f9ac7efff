//! Stores when all tokens of a user were revoked. Muster does not record the tokens of the tenant's own issuer, so the
//! time at which they were issued is compared with this time.

use crate::Statements;

pub(crate) const MIGRATION: Statements =
    Statements { name: "m0031_tokens_since", sql: "ALTER TABLE tenant_user ADD COLUMN tokens_since {time}" };
