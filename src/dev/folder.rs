//! The data folder of a development server: who uses it, and what is kept in it. Only its owner can read it.

use std::{
    fs::{File, TryLockError},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use crate::{app::Error, seed};

/// The file by which a running server keeps others out of its folder.
const LOCK_FILE: &str = "in-use";

/// Keeps other development servers out of a data folder until dropped.
#[derive(Debug)]
pub(super) struct InUse(#[expect(dead_code, reason = "the lock ends with the file")] File);

/// Creates a data folder, or takes an existing one. Refused while another server uses it: they would share a database that
/// belongs to one process.
pub(super) fn take(path: &Path) -> Result<InUse, Error> {
    own(path)?;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path.join(LOCK_FILE))?;
    match file.try_lock() {
        Ok(()) => Ok(InUse(file)),
        Err(TryLockError::WouldBlock) => Err(Error::Dev(format!(
            "The data folder {} is used by another `muster dev`. Stop it, or choose another folder with --data.",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Creates a folder that only its owner can read, or restricts an existing one.
pub(super) fn own(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// Deletes the files that `muster dev` creates, and no others.
pub(super) fn reset(data: &Path) -> Result<(), Error> {
    let files = [
        "muster.db",
        "muster.db-wal",
        "muster.db-shm",
        "master.key",
        "vendor.key",
        "sandbox-client.key",
        seed::SEED_FILE,
    ];
    for file in files {
        match std::fs::remove_file(data.join(file)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    match std::fs::remove_dir_all(data.join("sandbox")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Reads a secret from a file that only its owner can read, or creates the file with a new secret.
pub(super) fn kept_secret(path: &Path, make: impl FnOnce() -> String) -> Result<String, Error> {
    match std::fs::read_to_string(path) {
        Ok(secret) => return Ok(secret.trim().to_owned()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        Err(_) => {}
    }
    let secret = make();
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()?;
    Ok(secret)
}
