//! The service account by which Muster reaches an organisation's Exchange server.

use serde::{Deserialize, Serialize};

/// A service account of an Exchange server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Technical {
    /// The user name, as it is typed.
    pub user: String,
    /// What the account logs in with, in the clear.
    pub password: String,
    /// Whether the account holds the role ApplicationImpersonation.
    pub impersonates: bool,
}
