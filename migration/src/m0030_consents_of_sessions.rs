//! Separates what a connect session stores: the consent that it hands over from the PKCE verifier, and the service
//! account that was typed from the account that signed in. A connect attempt in progress during the update has to be
//! started again.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0030_consents_of_sessions",
    sql: "
ALTER TABLE connect_session ADD COLUMN consent {bytes};
ALTER TABLE connect_session ADD COLUMN typed_account {json};",
};
