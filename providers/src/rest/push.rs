//! Push channels.

use crate::{Error, ErrorKind, Remedy, Result, messages};

/// Refuses a channel secret that is empty or longer than `max_len` bytes.
pub(crate) fn check_secret(secret: &str, max_len: usize) -> Result<()> {
    if !secret.is_empty() && secret.len() <= max_len {
        return Ok(());
    }
    let message = messages::secret_length(max_len);
    Err(Error::new(ErrorKind::Invalid, Remedy::Never, "SECRET_LENGTH", message))
}

/// Treats [`ErrorKind::Gone`] as success, because a channel that no longer exists needs no ending.
pub(crate) fn ignore_gone<T>(result: Result<T>) -> Result<()> {
    match result {
        Err(error) if error.kind != ErrorKind::Gone => Err(error),
        _ => Ok(()),
    }
}
