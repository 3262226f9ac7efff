//! Push channels.

use crate::{Error, ErrorKind, Remedy, Result, messages};

/// Refuses a channel secret that is empty or longer than `most` bytes.
pub(crate) fn check_secret(secret: &str, most: usize) -> Result<()> {
    if !secret.is_empty() && secret.len() <= most {
        return Ok(());
    }
    let message = messages::secret_length(most);
    Err(Error::new(ErrorKind::Invalid, Remedy::Never, "SECRET_LENGTH", message))
}

/// Treats [`ErrorKind::Gone`] as success, because a channel that no longer exists needs no ending.
pub(crate) fn ended<T>(answer: Result<T>) -> Result<()> {
    match answer {
        Err(error) if error.kind != ErrorKind::Gone => Err(error),
        _ => Ok(()),
    }
}
