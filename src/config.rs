//! The operator's configuration: a file, overridden by environment variables.
//!
//! Every key can be set as `MUSTER_<KEY>`; nested keys have two underscores (`MUSTER_MICROSOFT__CLIENT_ID`). The
//! defaults, with a description of each key, are in `config/default.toml` and nowhere else. There are no "modes": the
//! URLs determine which stores a node uses. Invalid combinations are rejected at startup with one sentence.

mod check;
mod database_url;
mod google;
mod keys;
mod limits;
mod microsoft;
pub mod report;
mod sources;
mod unreadable;

use std::{net::SocketAddr, path::Path, path::PathBuf, time::Duration};

pub use self::microsoft::Microsoft;
use self::sources::Sources;
use api::persisted_documents::PersistedDocuments;
use domain::Ids;
pub use google::{Google, KeylessSigning};
use ipnet::IpNet;
pub use limits::{RateLimit, RateLimits};
pub use providers::microsoft::Cloud;
use secrecy::SecretString;
use serde::Deserialize;
use services::Vault;
use url::Url;

/// A role of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Serves the API and the pages.
    Api,
    /// Executes runs and reconciles state.
    Worker,
}

/// The complete configuration of a node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The URL of the database: `sqlite://muster.db?mode=rwc` or `postgres://muster_app@host/database`.
    pub database_url: String,
    /// The URL of PostgreSQL for the engine's role, `muster_engine`; by default `database_url` with that user.
    pub engine_database_url: Option<String>,
    /// The URL of PostgreSQL for the database's owner; only `migrate` and `audit` use it.
    pub migration_url: Option<String>,
    /// The URL of the queue: `memory:` or `redis://host/`.
    pub queue_url: String,
    /// Prefix of every key in Redis, so that several installations can share a server.
    pub queue_prefix: String,
    /// The socket address on which the server accepts connections.
    pub listen: SocketAddr,
    /// The base URL by which browsers and providers reach this server.
    pub public_url: Url,
    /// The key-encryption key, 64 hexadecimal digits. It is never stored in the database.
    pub master_key: SecretString,
    /// Earlier master keys, with which stored values may still be sealed.
    pub former_master_keys: Vec<SecretString>,
    /// Roles of this node.
    pub roles: Vec<Role>,
    /// A vendor key that exists from the first start: `muster_` and 64 hexadecimal digits.
    pub vendor_key: Option<SecretString>,
    /// The application registration at Microsoft; without one, Microsoft 365 is not offered.
    pub microsoft: Option<Microsoft>,
    /// Google's endpoints and the operator's registration; without this table Google Workspace is not offered. An empty
    /// table stands for Google's own endpoints.
    pub google: Option<Google>,
    /// Whether CalDAV servers are offered.
    pub caldav: bool,
    /// Whether Exchange servers on-premises are offered.
    pub exchange: bool,
    /// The Autodiscover URLs for Exchange servers, with `{domain}` for the account's domain; empty for the usual ones.
    pub exchange_autodiscover: Vec<String>,
    /// Hosts that may be called although they are private or use plain http.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may call the API and open a WebSocket.
    pub allowed_origins: Vec<String>,
    /// The host names, besides `localhost` and loopback addresses, for which this server responds and whose pages may
    /// call it; empty for any.
    pub hosts: Vec<String>,
    /// The networks of the operator's own proxies (`10.0.0.0/8`), whose `X-Forwarded-For` header specifies the client's
    /// IP address. By default the client is the peer that opened the connection.
    pub trusted_proxies: Vec<IpNet>,
    /// The rate limits for callers.
    pub rate_limits: RateLimits,
    /// Number of requests that a node processes concurrently; further requests wait for a second before they are
    /// refused.
    pub requests_at_once: usize,
    /// Number of connections that one IP address may have to a node, WebSockets not counted.
    pub connections_per_address: usize,
    /// File of persisted documents: a JSON object that maps ids to documents, or a manifest of operations.
    pub documents_file: Option<PathBuf>,
    /// Whether to execute only persisted documents. GraphiQL is unusable then.
    pub only_documents: bool,
    /// Whether GraphiQL is served.
    pub graphiql: bool,
    /// Connections per database pool.
    pub connections: u32,
    /// Number of steps executed concurrently.
    pub steps_at_once: usize,
    /// Maximum time in seconds that a stopping node spends on finishing its work; the process supervisor must wait a
    /// little longer.
    pub stop_within_seconds: u64,
    /// Seconds between two checks of a consent.
    pub health_every_seconds: u64,
    /// The age in seconds from which a calendar's stored copy is read again.
    pub reread_after_seconds: u64,
    /// Seconds until an access token expires.
    pub token_lifetime_seconds: u64,
    /// Days until a vendor key created without an expiry expires.
    pub key_lifetime_days: u64,
    /// Days until a key that signs access tokens is replaced.
    pub signing_key_lifetime_days: u64,
    /// Days for which a successful run is kept.
    pub keep_runs_days: u64,
    /// Days for which a failed or quarantined run is kept.
    pub keep_failed_runs_days: u64,
    /// Days for which change events are kept.
    pub keep_events_days: u64,
    /// Number of runs of one tenant executed concurrently over all nodes; interactive runs do not count.
    pub tenant_runs_at_once: usize,
    /// Whether providers can reach `public_url` and push changes to it.
    pub push: bool,
    /// Whether everybody may introspect the schema; for development.
    pub open_introspection: bool,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or a variable cannot be read.
    #[error("The configuration cannot be read: {0}")]
    Unreadable(String),
    /// The settings contradict each other; contains an explanation.
    #[error("{0}")]
    Impossible(&'static str),
    /// A database URL has an unsupported parameter.
    #[error(
        "{key} has a parameter that is not known: {name}. See the database's documentation for parameters."
    )]
    UnknownParameter {
        /// The key of the URL.
        key: &'static str,
        /// Name of the parameter, or `***` if it may contain a secret.
        name: String,
    },
    /// The format of the file of persisted documents is unknown.
    #[error("The file {path} cannot be used: {source}")]
    Documents {
        /// The path from `documents_file`.
        path: PathBuf,
        /// Why the content of the file is invalid.
        source: api::persisted_documents::InvalidManifest,
    },
    /// A file named in the configuration cannot be read.
    #[error("The file {path} cannot be read: {source}")]
    File {
        /// The path as configured.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

impl Config {
    /// Reads the configuration: the defaults, overridden by a file, if one is specified, and by the environment.
    pub fn read(file: Option<&Path>) -> Result<Self, Error> {
        let config = Sources::read(file, std::env::vars())?.config()?;
        config.check()?;
        Ok(config)
    }

    /// The default configuration with values for the keys that have no default.
    pub fn new(database_url: &str, public_url: &Url, master_key: &str) -> Result<Self, Error> {
        let required =
            [("DATABASE_URL", database_url), ("PUBLIC_URL", public_url.as_str()), ("MASTER_KEY", master_key)];
        let variables = required.map(|(key, value)| (format!("MUSTER_{key}"), value.to_owned()));
        Sources::read(None, variables.into_iter())?.config()
    }

    /// The URLs with which the node logs in to the database, one per role.
    pub fn logins(&self) -> entity::Logins {
        entity::Logins::new(&self.database_url, self.engine_database_url.as_deref())
    }

    /// Creates the vault with the current and former master keys.
    pub fn vault(&self, ids: Ids) -> Result<Vault, Error> {
        keys::vault(&self.master_key, &self.former_master_keys, ids).map_err(Error::Impossible)
    }

    /// The persisted documents; empty without `documents_file`.
    pub fn load_documents(&self) -> Result<PersistedDocuments, Error> {
        let Some(path) = &self.documents_file else { return Ok(PersistedDocuments::default()) };
        let manifest = std::fs::read(path).map_err(|source| Error::File { path: path.clone(), source })?;
        let known = PersistedDocuments::from_manifest(&manifest)
            .map_err(|source| Error::Documents { path: path.clone(), source })?;
        Ok(known.require_persisted(self.only_documents))
    }

    /// The settings for the use cases, from the configuration.
    pub fn settings(&self) -> services::Settings {
        let days = |days: u64| Duration::from_hours(24 * days);
        let mut settings = services::Settings::for_url(self.public_url.clone());
        settings.health_every = Duration::from_secs(self.health_every_seconds);
        settings.reread_after = Duration::from_secs(self.reread_after_seconds);
        settings.token_lifetime = Duration::from_secs(self.token_lifetime_seconds);
        settings.key_lifetime = days(self.key_lifetime_days);
        settings.signing_key_lifetime = days(self.signing_key_lifetime_days);
        settings.keep_runs = days(self.keep_runs_days);
        settings.keep_failed_runs = days(self.keep_failed_runs_days);
        settings.keep_events = days(self.keep_events_days);
        settings.tenant_runs_at_once = self.tenant_runs_at_once.max(1);
        settings.foreign_calls = (self.requests_at_once / 8).max(1);
        settings.quotas = self.rate_limits.settings();
        settings.push = self.push;
        settings
    }
}

#[cfg(test)]
mod tests {
    use providers::microsoft::ClientCredential;
    use secrecy::ExposeSecret;

    use super::*;

    fn config(text: &str) -> Result<Config, Error> {
        let ids = domain::Ids::random(std::sync::Arc::new(domain::SystemClock));
        let sound = [
            "database_url = \"sqlite://x.db?mode=rwc\"".to_owned(),
            "public_url = \"http://127.0.0.1:1\"".to_owned(),
            format!("master_key = \"{}\"", ids.random_secret()),
        ];
        // What is given takes the place of what is sound.
        let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let kept = sound.into_iter().filter(|line| name(line) != name(text));
        let base = kept.chain([text.to_owned()]).collect::<Vec<_>>().join("\n");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, base.as_bytes()).unwrap();
        let config = Sources::read(Some(file.path()), std::iter::empty())?.config()?;
        config.check().map(|()| config)
    }

    /// The names of a type's fields, extracted from the parser's message about an unknown key.
    fn fields(table: &str) -> Vec<String> {
        let error = config(&format!("{table}\nno_such_key_at_all = 1")).unwrap_err();
        let Error::Unreadable(said) = error else { panic!("{error}") };
        let (_, expected) = said.split_once("expected").unwrap_or_else(|| panic!("{said}"));
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_default_file_has_every_key_and_no_other() {
        let defaults = sources::DEFAULTS;
        // What is commented out is read like the rest.
        let is_toml = |line: &str| {
            line.starts_with('[')
                || line.split(" = ").next().is_some_and(|key| {
                    key.len() < line.len() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                })
        };
        let lines = defaults.lines().map(|line| match line.strip_prefix("# ") {
            Some(commented) if is_toml(commented) => commented,
            _ => line,
        });
        let whole: toml::Table = toml::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap();
        for (table, path) in [
            ("", vec![]),
            ("[microsoft]", vec!["microsoft"]),
            ("[google]", vec!["google"]),
            ("[google.keyless]", vec!["google", "keyless"]),
            ("[rate_limits]", vec!["rate_limits"]),
            ("[rate_limits.caller]", vec!["rate_limits", "caller"]),
        ] {
            let entries = path.iter().fold(&whole, |table, name| table[*name].as_table().unwrap());
            let (mut listed, mut known) = (entries.keys().cloned().collect::<Vec<_>>(), fields(table));
            listed.sort();
            known.sort();
            assert_eq!(listed, known, "{table}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_use_cases() {
        let config = config("").unwrap();
        let (given, own) = (config.settings(), services::Settings::for_url(config.public_url.clone()));
        assert_eq!(format!("{given:?}"), format!("{own:?}"));
        let usual = api::Config::default();
        assert_eq!(config.requests_at_once, usual.admission.at_once);
        assert_eq!(config.connections_per_address, usual.connections_each);
    }

    fn keyless(text: &str) -> String {
        format!("[google]\nclient_id = \"x\"\nclient_secret = \"y\"\n[google.keyless]\n{text}")
    }

    #[test]
    fn impossible_combinations_are_refused_with_one_sentence() {
        for (text, word) in [
            ("queue_url = \"redis://127.0.0.1/\"", "SQLite"),
            ("roles = [\"api\"]", "both roles"),
            ("roles = []", "at least one role"),
            ("keep_runs_days = 0", "two days"),
            ("allowed_hosts = [\"127.0.0.1:8080\"]", "or a port"),
            ("allowed_hosts = [\"https://calendar.example\"]", "without a scheme"),
            ("allowed_hosts = [\"[::1]\"]", "usual form"),
            ("allowed_hosts = [\"127.1\"]", "usual form"),
            ("allowed_origins = [\"*\"]", "allowed_origins takes origins"),
            ("allowed_origins = [\"https://app.example.com/\"]", "without a path"),
            ("allowed_origins = [\"app.example.com\"]", "scheme, host and port"),
            ("allowed_origins = [\"null\"]", "scheme, host and port"),
            ("public_url = \"http://calendars.example.com\"", "https://"),
            ("public_url = \"http://10.0.0.1\"", "https://"),
            ("public_url = \"ftp://127.0.0.1\"", "https://"),
            (&format!("master_key = \"{}\"", "00".repeat(32)), "not random"),
            (&format!("master_key = \"{}\"", "0a1b".repeat(16)), "not random"),
            ("former_master_keys = [\"abc\"]", "former_master_keys must be"),
            (&format!("former_master_keys = [\"{}\"]", "0a1b".repeat(16)), "not random"),
            (
                "master_key = \"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"",
                "not random",
            ),
            ("master_key = \"abc\"", "64 hexadecimal"),
            ("[microsoft]\nclient_id = \"x\"", "credential"),
            ("[google]\nclient_id = \"x\"", "belong together"),
            ("[google.keyless]\ntoken_file = \"t\"", "signing in"),
        ] {
            let error = config(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        for (text, word) in [
            ("", "one source"),
            ("token_file = \"t\"\ntoken_url = \"http://m/\"", "one source"),
            ("token_file = \"t\"\ntoken_header = \"A: b\"", "one header"),
            ("token_url = \"http://m/\"\ntoken_header = \"b\"", "one header"),
            ("token_url = \"http://m/\"\ntoken_header = \"A b: c\"", "one header"),
            ("token_url = \"file:///t\"", "https://"),
            ("token_file = \"t\"\niam_url = \"ftp://iam/\"", "https://"),
        ] {
            let error = config(&keyless(text)).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        assert!(config("").is_ok_and(|config| config.google.is_none()));
        let google = config("[google]").unwrap().google.unwrap();
        assert_eq!(google.token_url.as_str(), "https://oauth2.googleapis.com/token");
        let text = keyless("token_url = \"http://m/\"\ntoken_header = \"Metadata-Flavor: Google\"");
        let keyless = config(&text).unwrap().google.unwrap().keyless.unwrap();
        assert_eq!(keyless.iam_url.as_str(), "https://iamcredentials.googleapis.com/v1");
        let (name, value) = keyless.token_header().unwrap();
        assert_eq!((name.as_str(), value.expose_secret()), ("metadata-flavor", "Google"));
        assert!(config("").is_ok_and(|config| config.graphiql && config.hosts.is_empty()));
        assert!(config("graphiql = false").is_ok_and(|config| !config.graphiql));
        assert!(config("colour = \"red\"").is_err(), "an unknown key is refused");
    }

    #[test]
    fn a_cloud_names_its_hosts_and_addresses_that_are_given_override_them() {
        let registration = |text: &str| {
            let text = format!("[microsoft]\nclient_id = \"x\"\nclient_secret = \"y\"\n{text}");
            let microsoft = config(&text)?.microsoft.unwrap();
            let at = microsoft.registration(ClientCredential::Secret("y".into()));
            Ok::<_, Error>([at.login.to_string(), at.graph.to_string(), at.resource])
        };
        let china = "https://login.partner.microsoftonline.cn/";
        let (world, us) = ("https://login.microsoftonline.com/", "https://login.microsoftonline.us/");
        for (cloud, login, graph) in [
            ("", world, "https://graph.microsoft.com"),
            ("cloud = \"us-gov\"", us, "https://graph.microsoft.us"),
            ("cloud = \"us-dod\"", us, "https://dod-graph.microsoft.us"),
            ("cloud = \"china\"", china, "https://microsoftgraph.chinacloudapi.cn"),
        ] {
            let expected = [login.to_owned(), format!("{graph}/v1.0"), graph.to_owned()];
            assert_eq!(registration(cloud).unwrap(), expected, "{cloud}");
        }
        let given = "cloud = \"us-gov\"\ngraph_url = \"https://relay.example.com/graph/v1.0\"";
        let [login, graph, resource] = registration(given).unwrap();
        assert_eq!((login.as_str(), graph.as_str()), (us, "https://relay.example.com/graph/v1.0"));
        assert_eq!(resource, "https://graph.microsoft.us", "permissions are the cloud's all the same");
        let error = registration("cloud = \"moon\"").unwrap_err().to_string();
        assert!(error.contains("microsoft.cloud"), "it names where: {error}");
    }
}
