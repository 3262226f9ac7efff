//! Revokes and restores the service account's access.

use std::path::PathBuf;

use super::DavClient;
use crate::error::{Error, Result, ensure, unexpected};

/// How the service account's access is revoked and restored.
#[derive(Debug, Clone)]
pub enum AccessControl {
    /// Access is controlled by a file with lines of `user:password`, which the server reads for every request.
    File(PathBuf),
    /// Access is controlled by the operator's shell commands.
    Commands {
        /// Command that revokes the access.
        revoke: String,
        /// Command that restores the access.
        restore: String,
    },
}

impl DavClient {
    /// Revokes the access: changes the password to `fresh`, or runs the operator's command.
    pub async fn revoke(&self, fresh: &str) -> Result<()> {
        match &self.lock {
            AccessControl::File(path) => {
                let file = |source| Error::File { path: path.display().to_string(), source };
                let text = std::fs::read_to_string(path).map_err(file)?;
                let changed = with_password(&text, &self.user, fresh)
                    .ok_or_else(|| unexpected(format!("the users file does not name {}", self.user)))?;
                std::fs::write(path, changed).map_err(file)
            }
            AccessControl::Commands { revoke, .. } => shell(revoke).await,
        }
    }

    /// Restores the access. Returns the current password; a changed password stays changed.
    pub async fn restore(&self, before: &str, fresh: &str) -> Result<String> {
        match &self.lock {
            AccessControl::File(_) => Ok(fresh.to_owned()),
            AccessControl::Commands { restore, .. } => shell(restore).await.map(|()| before.to_owned()),
        }
    }
}

/// The users file with a new password for one user.
fn with_password(text: &str, user: &str, password: &str) -> Option<String> {
    let is_theirs = |line: &str| line.split_once(':').is_some_and(|(name, _)| name == user);
    text.lines().any(is_theirs).then(|| {
        let lines = text
            .lines()
            .map(|line| if is_theirs(line) { format!("{user}:{password}\n") } else { format!("{line}\n") });
        lines.collect()
    })
}

async fn shell(command: &str) -> Result<()> {
    let status = tokio::process::Command::new("sh").arg("-c").arg(command).status().await;
    let status = status.map_err(|source| Error::File { path: "sh".to_owned(), source })?;
    ensure(status.success(), || format!("the command `{command}` ended with {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_password_is_changed_and_no_other() {
        let users = "ada@corp.test:x:y\nsvc:old\n";
        assert_eq!(with_password(users, "svc", "new").as_deref(), Some("ada@corp.test:x:y\nsvc:new\n"));
        assert_eq!(with_password(users, "nobody", "new"), None);
    }
}
