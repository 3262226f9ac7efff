//! Checks the parameters of database URLs. The database's client logs an unsupported parameter with its value, which
//! may be a password; so such a URL is rejected before.

use url::Url;

use super::Error;

/// Parameters of PostgreSQL URLs, besides `options[...]`.
const POSTGRES: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    PASSWORD,
    "application_name",
    "options",
];
/// Parameters of SQLite URLs.
const SQLITE: [&str; 4] = ["mode", "cache", "immutable", "vfs"];
/// The parameter whose value is a secret.
const PASSWORD: &str = "password";
/// Placeholder for values in output that may be secret.
pub(super) const REDACTED: &str = "***";

fn is_known(url: &Url, name: &str) -> bool {
    match url.scheme() {
        "sqlite" => SQLITE.contains(&name),
        "postgres" | "postgresql" => POSTGRES.contains(&name) || is_option(name),
        _ => false,
    }
}

fn is_option(name: &str) -> bool {
    let option = name.strip_prefix("options[").and_then(|rest| rest.strip_suffix(']'));
    option.is_some_and(is_plain)
}

/// Whether a parameter name is a plain word and not part of an unencoded password.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Rejects a URL with a parameter that the database client does not support.
pub(super) fn check(key: &'static str, url: &str) -> Result<(), Error> {
    let Ok(url) = Url::parse(url) else { return Ok(()) };
    let unknown = url.query_pairs().map(|(name, _)| name).find(|name| !is_known(&url, name));
    match unknown {
        None => Ok(()),
        Some(name) if is_plain(&name) => Err(Error::UnknownParameter { key, name: name.into_owned() }),
        Some(_) => Err(Error::UnknownParameter { key, name: REDACTED.to_owned() }),
    }
}

/// The database URL with its secrets replaced; `None` if it cannot be parsed completely, because any part of it may
/// then be a password.
pub(super) fn redact_secrets(text: &str) -> Option<String> {
    let mut url = Url::parse(&text.replace("{domain}", "domain")).ok()?;
    let is_understood = url.fragment().is_none()
        && !url.path().contains('@')
        && url.query_pairs().all(|(name, _)| is_known(&url, &name));
    if !is_understood {
        return None;
    }
    let has_secret = url.password().is_some() || url.query_pairs().any(|(name, _)| name == PASSWORD);
    if !has_secret {
        return Some(text.to_owned());
    }
    if url.password().is_some() {
        url.set_password(Some(REDACTED)).ok()?;
    }
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    url.set_query(None);
    for (name, value) in &pairs {
        let value = if name == PASSWORD { REDACTED } else { value };
        url.query_pairs_mut().append_pair(name, value);
    }
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_of_a_url_is_not_shown() {
        for url in [
            "postgres://u:canary/tPw@db/m",
            "postgres://u:canary#tPw@db/m",
            "postgres://u:canary?tPw@db/m",
            "postgres://u:12/canary@db/m",
            "postgres://u:12#canary@db/m",
            "postgres://u:12?canary@db/m",
            "postgres://u:p@db/m?sslpassword=canary",
            "postgres:u:canary@db",
            "redis://:canary/tPw@r/",
            "redis://r/?canary",
            "canary",
        ] {
            assert_eq!(redact_secrets(url), None, "{url}");
        }
        for (url, shown) in [
            ("postgres://u:canary@db/m?sslmode=require", "postgres://u:***@db/m?sslmode=require"),
            ("postgres://db/m?user=u&password=canary", "postgres://db/m?user=u&password=***"),
            ("sqlite://m.db?mode=rwc", "sqlite://m.db?mode=rwc"),
            ("memory:", "memory:"),
            ("https://autodiscover.{domain}/x", "https://autodiscover.{domain}/x"),
        ] {
            assert_eq!(redact_secrets(url).as_deref(), Some(shown));
        }
    }

    #[test]
    fn a_parameter_that_the_client_does_not_know_is_refused_by_its_name() {
        for fine in ["postgres://db/m?sslmode=require&options[search_path]=a", "sqlite://m.db?mode=rwc"] {
            assert!(check("database_url", fine).is_ok(), "{fine}");
        }
        let refused = |url: &str| check("database_url", url).unwrap_err().to_string();
        let said = refused("postgres://db/m?sslpassword=canary");
        assert!(said.contains("sslpassword") && said.contains("database_url"), "{said}");
        for url in ["postgres://db/m?sslpassword=canary", "postgres://u:12?canary@db/m"] {
            assert!(!refused(url).contains("canary"), "{url}");
        }
        assert!(refused("sqlite://m.db?mode=rwc&colour=red").contains("colour"));
    }
}
