//! The account by which an organisation's Exchange server is reached.

use serde::{Deserialize, Serialize};

/// A technical account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Technical {
    /// The user name, as it is typed.
    pub user: String,
    /// The password.
    pub password: String,
    /// Whether it holds the role ApplicationImpersonation.
    pub impersonates: bool,
}
