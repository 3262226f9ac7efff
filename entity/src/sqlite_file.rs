//! Restricts the file permissions of the SQLite database: only the server's own operating-system user may read or write
//! it.

use std::{fs::OpenOptions, io, path::Path};

use sea_orm::DbErr;

/// Creates the database file if the URL requests it, and restricts access to the file's owner. SQLite applies the same
/// permissions to its write-ahead log and its shared index.
pub(crate) fn restrict_file_access(url: &str) -> Result<(), DbErr> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let path = path.trim_start_matches("sqlite:").trim_start_matches("//");
    if path.is_empty() || path == ":memory:" {
        return Ok(());
    }
    let kept = keep(Path::new(path), query.split('&').any(|one| one == "mode=rwc"));
    kept.map_err(|error| DbErr::Custom(format!("the database's file cannot be kept private: {error}")))
}

#[cfg(unix)]
fn keep(path: &Path, create: bool) -> io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let opened =
        OpenOptions::new().read(true).write(true).create(create).truncate(false).mode(0o600).open(path);
    let file = match opened {
        // Whether it has to be there is for SQLite to say.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(permissions.mode() & !0o077);
        file.set_permissions(permissions)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep(_: &Path, _: bool) -> io::Result<()> {
    Ok(())
}
