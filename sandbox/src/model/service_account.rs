//! The service account with which Muster accesses an organisation's Exchange server.

use serde::{Deserialize, Serialize};

/// A service account of an Exchange server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeServiceAccount {
    /// User name of the account, as typed.
    pub user: String,
    /// Password of the account, in clear text.
    pub password: String,
    /// Whether the account has the role ApplicationImpersonation.
    pub impersonates: bool,
}
