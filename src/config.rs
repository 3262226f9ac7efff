//! What the operator sets: a file, and environment variables over it.
//!
//! Every key of the file can be given as `MUSTER_<KEY>`; a nested key has two underscores
//! (`MUSTER_MICROSOFT__CLIENT_ID`). There is no "mode": the URLs decide what a node stands on. Combinations that
//! cannot work are refused at start with one sentence.

mod google;
mod keys;
mod limits;
mod unreadable;

use std::{net::SocketAddr, path::Path, path::PathBuf, time::Duration};

use self::unreadable::unreadable;
use api::documents::Documents;
use domain::Ids;
pub use google::{Google, Keyless};
use ipnet::IpNet;
pub use limits::{RateLimit, RateLimits};
pub use providers::microsoft::Cloud;
use providers::microsoft::{self, ClientCredential};
use secrecy::SecretString;
use serde::Deserialize;
use services::Vault;
use url::Url;

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Serves the API and the pages.
    Api,
    /// Works on runs and keeps things true.
    Worker,
}

/// Our registration at Microsoft.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Microsoft {
    /// The application's id.
    pub client_id: String,
    /// The client secret, if that is the credential.
    pub client_secret: Option<SecretString>,
    /// The certificate (DER), if that is the credential.
    pub certificate_file: Option<PathBuf>,
    /// The certificate's RSA private key (PEM).
    pub private_key_file: Option<PathBuf>,
    /// The cloud that we are registered in: it has its own customers, its own sign-in and its own Graph.
    #[serde(default)]
    pub cloud: Cloud,
    /// The identity platform, if it is not the cloud's.
    pub login_url: Option<Url>,
    /// Graph, if it is not the cloud's.
    pub graph_url: Option<Url>,
}

impl Microsoft {
    /// Our registration, proven by `credential`.
    pub fn registration(&self, credential: ClientCredential) -> microsoft::Config {
        let cloud = microsoft::Config::of(self.cloud, self.client_id.clone(), credential);
        microsoft::Config {
            login: self.login_url.clone().unwrap_or(cloud.login),
            graph: self.graph_url.clone().unwrap_or(cloud.graph),
            ..cloud
        }
    }
}

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sqlite://muster.db?mode=rwc` or `postgres://muster_app@host/database`.
    pub database_url: String,
    /// PostgreSQL for the engine, as `muster_engine`; without it `database_url` with that user.
    pub engine_database_url: Option<String>,
    /// PostgreSQL as the owner of the database, for `migrate` and `audit`; no other command uses it.
    pub migration_url: Option<String>,
    /// `memory:` or `redis://host/`.
    #[serde(default = "memory")]
    pub queue_url: String,
    /// Begins every key in Redis, so that several installations share a server.
    #[serde(default = "queue_prefix")]
    pub queue_prefix: String,
    /// Where to listen.
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// Under which address browsers and providers reach this server.
    pub public_url: Url,
    /// The key-encryption key, 64 hexadecimal digits. It never enters the database.
    pub master_key: SecretString,
    /// Master keys that may still seal something.
    #[serde(default)]
    pub former_master_keys: Vec<SecretString>,
    /// What this node does.
    #[serde(default = "both_roles")]
    pub roles: Vec<Role>,
    /// A vendor key to begin with: `muster_` and 64 hexadecimal digits.
    pub vendor_key: Option<SecretString>,
    /// Our registration at Microsoft; without it Microsoft 365 is not offered.
    pub microsoft: Option<Microsoft>,
    /// Where Google is; without it Google Workspace is not offered. An empty table means Google itself.
    pub google: Option<Google>,
    /// Whether CalDAV servers are offered.
    #[serde(default = "yes")]
    pub caldav: bool,
    /// Whether Exchange servers on-premises are offered.
    #[serde(default = "yes")]
    pub exchange: bool,
    /// Where Autodiscover is asked for an Exchange server; `{domain}` stands for the account's domain. Empty: at the
    /// usual places.
    #[serde(default)]
    pub exchange_autodiscover: Vec<String>,
    /// Hosts that may be called although they are private or speak plain http.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may open a socket.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// The names, besides `localhost` and loopback addresses, under which alone this server answers, and whose pages
    /// may call it. Empty: any.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The networks of our own proxies (`10.0.0.0/8`), whose `X-Forwarded-For` says where a request comes from. Without
    /// them a request comes from whoever opened the connection.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// How much callers may ask for.
    #[serde(default)]
    pub rate_limits: RateLimits,
    /// How many requests a node works on at a time; the others wait for a second, and are refused then.
    pub requests_at_once: Option<usize>,
    /// How many connections an address may have on a node, sockets not counted; 1,000 if absent.
    pub connections_per_address: Option<usize>,
    /// A file of documents that are known by their ids: a JSON object of texts by id, or a manifest of operations.
    pub documents_file: Option<PathBuf>,
    /// Whether these documents run and no others. GraphiQL is of no use then.
    #[serde(default)]
    pub only_documents: bool,
    /// Whether GraphiQL is served.
    #[serde(default = "yes")]
    pub graphiql: bool,
    /// Connections per database pool.
    #[serde(default = "connections")]
    pub connections: u32,
    /// Steps worked on at a time.
    #[serde(default = "steps")]
    pub steps_at_once: usize,
    /// How long a node that is asked to stop goes on with what it is doing, in seconds. Give the process a little more.
    #[serde(default = "stop_within")]
    pub stop_within_seconds: u64,
    /// How often consents are checked, in seconds.
    pub health_every_seconds: Option<u64>,
    /// How old a calendar's copy may be before it is read again, in seconds.
    pub reread_after_seconds: Option<u64>,
    /// How long an access token lasts, in seconds.
    pub token_lifetime_seconds: Option<u64>,
    /// How long a vendor key lasts that was made without an end, in days.
    pub key_lifetime_days: Option<u64>,
    /// How long a key signs access tokens before another one takes its place, in days.
    pub signing_key_lifetime_days: Option<u64>,
    /// How long a run that ended well is kept, in days.
    pub keep_runs_days: Option<u64>,
    /// How long a run that failed or was quarantined is kept, in days.
    pub keep_failed_runs_days: Option<u64>,
    /// How long events are kept, in days.
    pub keep_events_days: Option<u64>,
    /// How many runs of one tenant are worked on at a time, over all nodes; interactive ones are not counted.
    pub tenant_runs_at_once: Option<usize>,
    /// Whether providers can reach `public_url` and push changes to it.
    #[serde(default)]
    pub push: bool,
    /// Whether everybody may look at the schema: for development.
    #[serde(default)]
    pub open_introspection: bool,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or a variable cannot be read.
    #[error("The configuration cannot be read: {0}")]
    Unreadable(String),
    /// A combination that cannot work.
    #[error("{0}")]
    Impossible(&'static str),
    /// The file of documents is none.
    #[error("The file {path} cannot be used: {source}")]
    Documents {
        /// The file.
        path: PathBuf,
        /// Why.
        source: api::documents::ManifestInvalid,
    },
    /// A file that the configuration names cannot be read.
    #[error("The file {path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Config {
    /// Reads a file, if one is named, and the environment over it.
    pub fn read(file: Option<&Path>) -> Result<Self, Error> {
        let mut sources = config::Config::builder();
        if let Some(file) = file {
            sources = sources.add_source(config::File::from(file).format(config::FileFormat::Toml));
        }
        let environment = config::Environment::with_prefix("MUSTER")
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("roles")
            .with_list_parse_key("former_master_keys")
            .with_list_parse_key("allowed_hosts")
            .with_list_parse_key("exchange_autodiscover")
            .with_list_parse_key("allowed_origins")
            .with_list_parse_key("hosts")
            .with_list_parse_key("trusted_proxies")
            .ignore_empty(true)
            .source(Some(known_variables(std::env::vars())));
        let sources = sources.add_source(environment).build().map_err(unreadable)?;
        let config: Self = sources.try_deserialize().map_err(unreadable)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses combinations that cannot work.
    pub fn check(&self) -> Result<(), Error> {
        let sqlite = self.database_url.starts_with("sqlite:");
        let memory = self.queue_url == "memory:";
        let whole = self.roles.contains(&Role::Api) && self.roles.contains(&Role::Worker);
        if self.roles.is_empty() {
            return Err(Error::Impossible("Give the node at least one role: api, worker, or both."));
        }
        if sqlite && !memory {
            return Err(Error::Impossible(
                "An SQLite database belongs to one process: use queue_url = \"memory:\" with it, or PostgreSQL with Redis.",
            ));
        }
        if memory && !whole {
            return Err(Error::Impossible(
                "Without Redis a node must have both roles, api and worker: nobody else hears its hints.",
            ));
        }
        keys::check(&self.master_key, &self.former_master_keys).map_err(Error::Impossible)?;
        let kept = [self.keep_runs_days, self.keep_failed_runs_days, self.keep_events_days];
        if kept.iter().flatten().any(|days| *days < 2) {
            return Err(Error::Impossible(
                "Keep runs and events for two days at least: repeated requests are answered with them for one.",
            ));
        }
        let none = [self.requests_at_once, self.connections_per_address].contains(&Some(0));
        if !self.rate_limits.is_possible() || none {
            return Err(Error::Impossible(
                "A rate limit needs at least one second, requests_at_once at least one request, and \
                 connections_per_address at least one connection.",
            ));
        }
        if self.only_documents && self.documents_file.is_none() {
            return Err(Error::Impossible("only_documents needs a documents_file: nothing would run."));
        }
        let is_loopback = match self.public_url.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if self.public_url.scheme() != "https" && !(self.public_url.scheme() == "http" && is_loopback) {
            return Err(Error::Impossible("public_url must begin with https:// (or http:// on loopback)."));
        }
        if let Some(google) = &self.google {
            google.check().map_err(Error::Impossible)?;
        }
        match &self.microsoft {
            Some(Microsoft { client_secret: None, certificate_file: None, .. }) => Err(Error::Impossible(
                "Microsoft needs a credential: microsoft.client_secret, or certificate_file and private_key_file.",
            )),
            _ => Ok(()),
        }
    }

    /// Under which roles a node logs in to the database, and where.
    pub fn logins(&self) -> entity::Logins {
        entity::Logins::new(&self.database_url, self.engine_database_url.as_deref())
    }

    /// The master keys.
    pub fn vault(&self, ids: Ids) -> Result<Vault, Error> {
        keys::vault(&self.master_key, &self.former_master_keys, ids).map_err(Error::Impossible)
    }

    /// The documents that are known by their ids.
    pub fn documents(&self) -> Result<Documents, Error> {
        let Some(path) = &self.documents_file else { return Ok(Documents::default()) };
        let manifest = std::fs::read(path).map_err(|source| Error::File { path: path.clone(), source })?;
        let known =
            Documents::read(&manifest).map_err(|source| Error::Documents { path: path.clone(), source })?;
        Ok(known.only(self.only_documents))
    }

    /// The settings of the use cases.
    pub fn settings(&self) -> services::Settings {
        let mut settings = services::Settings::at(self.public_url.clone());
        let seconds = |seconds: Option<u64>, or: Duration| seconds.map_or(or, Duration::from_secs);
        settings.health_every = seconds(self.health_every_seconds, settings.health_every);
        settings.reread_after = seconds(self.reread_after_seconds, settings.reread_after);
        let days = |days: Option<u64>, or: Duration| days.map_or(or, |days| Duration::from_hours(24 * days));
        settings.key_lifetime = days(self.key_lifetime_days, settings.key_lifetime);
        settings.signing_key_lifetime = days(self.signing_key_lifetime_days, settings.signing_key_lifetime);
        settings.keep_runs = days(self.keep_runs_days, settings.keep_runs);
        settings.keep_failed_runs = days(self.keep_failed_runs_days, settings.keep_failed_runs);
        settings.keep_events = days(self.keep_events_days, settings.keep_events);
        settings.tenant_runs_at_once =
            self.tenant_runs_at_once.unwrap_or(settings.tenant_runs_at_once).max(1);
        settings.quotas = self.rate_limits.settings();
        settings.push = self.push;
        settings.token_lifetime = seconds(self.token_lifetime_seconds, settings.token_lifetime);
        settings
    }
}

/// Only what is configuration: tests and scripts have variables of their own under the same prefix.
fn known_variables(all: impl Iterator<Item = (String, String)>) -> config::Map<String, String> {
    let foreign = [
        "MUSTER_TEST_",
        "MUSTER_PYTHON",
        "MUSTER_NODE_DIR",
        "MUSTER_CHROMIUM",
        "MUSTER_CONFIG",
        "MUSTER_LOG",
    ];
    all.filter(|(name, _)| !foreign.iter().any(|prefix| name.starts_with(prefix))).collect()
}

fn memory() -> String {
    "memory:".to_owned()
}

fn queue_prefix() -> String {
    "muster".to_owned()
}

fn listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 8080))
}

fn both_roles() -> Vec<Role> {
    vec![Role::Api, Role::Worker]
}

const fn yes() -> bool {
    true
}

const fn connections() -> u32 {
    10
}

const fn steps() -> usize {
    16
}

const fn stop_within() -> u64 {
    20
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn config(text: &str) -> Result<Config, Error> {
        let ids = domain::Ids::random(std::sync::Arc::new(domain::SystemClock));
        let sound = [
            "database_url = \"sqlite://x.db?mode=rwc\"".to_owned(),
            "public_url = \"http://127.0.0.1:1\"".to_owned(),
            format!("master_key = \"{}\"", ids.secret()),
        ];
        // What is given takes the place of what is sound.
        let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let kept = sound.into_iter().filter(|line| name(line) != name(text));
        let base = kept.chain([text.to_owned()]).collect::<Vec<_>>().join("\n");
        let source = config::File::from_str(&base, config::FileFormat::Toml);
        let config: Config = config::Config::builder()
            .add_source(source)
            .build()
            .map_err(unreadable)?
            .try_deserialize()
            .map_err(unreadable)?;
        config.check().map(|()| config)
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
        let (name, value) = keyless.header().unwrap();
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
