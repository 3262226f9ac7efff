//! Separates the data of a connect session: the consent for the run from the PKCE verifier, and the entered service
//! account from the account that signed in. A connect attempt in progress during the update has to be started again.

use crate::Statements;

pub(crate) const MIGRATION: Statements = Statements {
    name: "m0030_consents_of_sessions",
    sql: "
ALTER TABLE connect_session ADD COLUMN consent {bytes};
ALTER TABLE connect_session ADD COLUMN typed_account {json};",
};
