//! The roles with which a node logs in to PostgreSQL, and their database URLs.

use std::fmt;

use url::Url;

/// The database role for requests and committers: it sees the rows of its transaction's tenants.
pub const APP_ROLE: &str = "muster_app";

/// The engine's database role: it sees the engine's own tables of all tenants.
pub const ENGINE_ROLE: &str = "muster_engine";

/// The URLs of a node's database, one per role. On SQLite, which has no roles, both are the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Logins {
    /// The URL for [`APP_ROLE`].
    pub app: String,
    /// The URL for [`ENGINE_ROLE`].
    pub engine: String,
}

/// The output omits the URLs, which may contain passwords.
impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logins")
    }
}

impl Logins {
    /// Creates logins with these database URLs; the engine's URL defaults to `app` with the engine's user.
    pub fn new(app: &str, engine: Option<&str>) -> Self {
        let engine = engine.map_or_else(|| with_user(app, ENGINE_ROLE), str::to_owned);
        Self { app: app.to_owned(), engine }
    }

    /// Derives the URLs of both roles from a database URL with another user, such as the database owner.
    pub fn from_url(url: &str) -> Self {
        Self { app: with_user(url, APP_ROLE), engine: with_user(url, ENGINE_ROLE) }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        self.app.starts_with("sqlite:")
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.app.starts_with("postgres")
    }
}

/// Replaces the user in a database URL. A URL that is not PostgreSQL's is left unchanged; connecting to it reports the
/// error.
fn with_user(url: &str, user: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    if !parsed.scheme().starts_with("postgres") {
        return url.to_owned();
    }
    let named = |(key, _): &(_, _)| key != "user";
    let others: Vec<(String, String)> = parsed.query_pairs().into_owned().filter(named).collect();
    // An address without a host, as of a socket, has no place for the user but among its parameters.
    let is_set = parsed.set_username(user).is_ok();
    let own = (!is_set).then(|| ("user".to_owned(), user.to_owned()));
    parsed.set_query(None);
    for (key, value) in others.into_iter().chain(own) {
        parsed.query_pairs_mut().append_pair(&key, &value);
    }
    parsed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_address_differs_in_its_user_alone() {
        for (app, engine) in [
            (
                "postgres://muster_app:s%40@db:5432/m?sslmode=require",
                "postgres://muster_engine:s%40@db:5432/m?sslmode=require",
            ),
            ("postgresql://db/m", "postgresql://muster_engine@db/m"),
            ("postgres://db/m?user=muster_app", "postgres://muster_engine@db/m"),
            (
                "postgres:///m?host=/run/postgresql",
                "postgres:///m?host=%2Frun%2Fpostgresql&user=muster_engine",
            ),
            ("sqlite://m.db?mode=rwc", "sqlite://m.db?mode=rwc"),
        ] {
            assert_eq!(Logins::new(app, None), Logins { app: app.to_owned(), engine: engine.to_owned() });
        }
        let given = Logins::new("postgres://a@db/m", Some("postgres://b@other/m"));
        assert_eq!(given.engine, "postgres://b@other/m");
        let at = Logins::from_url("postgres://owner:p@db/m");
        assert_eq!(
            (at.app.as_str(), at.engine.as_str()),
            ("postgres://muster_app:p@db/m", "postgres://muster_engine:p@db/m")
        );
        assert_eq!(format!("{at:?}"), "Logins", "passwords are not printed");
    }
}
