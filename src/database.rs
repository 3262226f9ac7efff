//! Access to the configured database: the roles with which nodes log in, and `muster migrate`, which creates those
//! roles.

use domain::Ids;
use entity::{
    Logins, Store,
    store::{APP_ROLE, ENGINE_ROLE, LoginRole},
};
use percent_encoding::percent_decode_str;
use sea_orm::{DatabaseBackend, DatabaseConnection};
use services::audit::{AuditKeyProvider, maintain, with_request_id};
use url::Url;

use crate::{
    app::Error,
    audit::command_id,
    config::{self, Config},
};

mod scram;

/// Connects as the database owner; on SQLite there is no other role.
pub async fn connect_as_owner(config: &Config) -> Result<DatabaseConnection, Error> {
    let url = match &config.migration_url {
        Some(url) => url,
        None if config.database_url.starts_with("sqlite:") => &config.database_url,
        None => {
            return Err(config::Error::Impossible(
                "This command needs migration_url, which logs in as the owner of the database: database_url \
                    is for nodes, which cannot change the schema.",
            )
            .into());
        }
    };
    let owner = Store::connect_as_owner(url).await?;
    if owner.get_database_backend() == DatabaseBackend::Postgres {
        let role = LoginRole::of_connection(&owner).await?;
        if [APP_ROLE, ENGINE_ROLE].contains(&role.name.as_str()) {
            let message = "migration_url must log in as the owner of the database, not as a node's role.";
            return Err(config::Error::Impossible(message).into());
        }
    }
    Ok(owner)
}

/// Migrates the database, and sets the passwords of the nodes' roles to those in their URLs.
pub async fn migrate(config: &Config, ids: &Ids) -> Result<(), Error> {
    let owner = connect_as_owner(config).await?;
    if let Some(change) = migration::newer_change(&owner).await? {
        return Err(Error::NewerDatabase(change));
    }
    migration::up(&owner).await?;
    // What was recorded before there were chains, and by nodes of that version since.
    let sealer = AuditKeyProvider::new(config.vault(ids.clone())?, ids.clone());
    with_request_id(command_id(ids), maintain::append_unnumbered(&owner, &sealer, ids.now())).await?;
    let Logins { app, engine } = config.logins();
    for (role, url) in [(APP_ROLE, &app), (ENGINE_ROLE, &engine)] {
        keep_password(&owner, role, url, ids).await?;
    }
    owner.close().await?;
    Ok(())
}

/// Sets a role's password to the one in its URL, unless the role can already log in with it.
async fn keep_password(owner: &DatabaseConnection, role: &str, url: &str, ids: &Ids) -> Result<(), Error> {
    let Some(password) = password(url, role) else { return Ok(()) };
    if let Ok(connection) = Store::connect_as_owner(url).await {
        connection.close().await?;
        return Ok(());
    }
    let verifier = scram::password_verifier(&password, &ids.random_bytes()).ok_or(config::Error::Impossible(
        "The passwords in database_url and engine_database_url must consist of printable ASCII characters.",
    ))?;
    Ok(migration::roles::set_password(owner, role, &verifier).await?)
}

/// The password in a PostgreSQL URL that names this role.
fn password(url: &str, role: &str) -> Option<String> {
    let url = Url::parse(url).ok().filter(|url| url.scheme().starts_with("postgres"))?;
    let password = url.password().filter(|_| url.username() == role)?;
    Some(percent_decode_str(password).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_from_the_url_of_its_own_role() {
        let url = "postgres://muster_app:a%40b@db/m";
        assert_eq!(password(url, APP_ROLE), Some("a@b".to_owned()));
        assert_eq!(password(url, ENGINE_ROLE), None, "it is another's");
        assert_eq!(password("postgres://muster_app@db/m", APP_ROLE), None);
        assert_eq!(password("sqlite://m.db?mode=rwc", APP_ROLE), None);
    }
}
