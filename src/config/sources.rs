//! Sources of the configuration: the defaults, a file, and environment variables, each overriding the previous one.

use std::path::Path;

use config::{Environment, File, FileFormat, Map, Value, ValueKind};
use serde::Deserialize as _;

use super::{Config, Error, unreadable::unreadable_config};

/// The default configuration, with a description of every key.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Name of the source of values from [`DEFAULTS`].
const DEFAULT: &str = "default";

/// Environment variables with the prefix `MUSTER_` that are not configuration: those of tests, scripts and other
/// commands, which Muster's documentation mentions.
const FOREIGN: [&str; 7] = [
    "MUSTER_TEST_",
    "MUSTER_PYTHON",
    "MUSTER_NODE_DIR",
    "MUSTER_CHROMIUM",
    "MUSTER_CONFIG",
    "MUSTER_LOG",
    "MUSTER_SANDBOX_URL",
];

/// The configuration values that were read, before they are validated.
#[derive(Debug)]
pub struct Sources {
    merged: config::Config,
    /// The configuration file, as specified by the operator.
    file: String,
}

/// An effective configuration value with its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The key, with dots between nested names.
    pub key: String,
    /// The value as read.
    pub value: ValueKind,
    /// Source of the value: `default`, the file, or the environment variable.
    pub origin: String,
}

impl Sources {
    /// Reads the defaults, a file, if one is specified, and these environment variables.
    pub fn read(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let defaults = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        let defaults = defaults.build().map_err(unreadable_config)?;
        let mut environment = Environment::with_prefix("MUSTER")
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .ignore_empty(true)
            .source(Some(variables.filter(|(name, value)| is_ours(name, value)).collect()));
        for setting in flat(&defaults.cache, "") {
            if matches!(setting.value, ValueKind::Array(_)) {
                environment = environment.with_list_parse_key(&setting.key);
            }
        }
        let mut sources = config::Config::builder().add_source(defaults);
        if let Some(file) = file {
            sources = sources.add_source(File::from(file).format(FileFormat::Toml));
        }
        let merged = sources.add_source(environment).build().map_err(unreadable_config)?;
        Ok(Self { merged, file: file.map(|file| file.display().to_string()).unwrap_or_default() })
    }

    /// Parses the configuration; fails if a key is unknown or a value has the wrong type. Does not check combinations
    /// of values.
    pub fn config(&self) -> Result<Config, Error> {
        Config::deserialize(self.merged.clone()).map_err(unreadable_config)
    }

    /// All values, in the order of the keys.
    pub fn settings(&self) -> Vec<Setting> {
        flat(&self.merged.cache, &self.file)
    }
}

/// Whether an environment variable is meant as configuration. Kubernetes sets variables for the services beside a
/// container: those for a service called `muster` have the same prefix.
fn is_ours(name: &str, value: &str) -> bool {
    let is_foreign = FOREIGN.iter().any(|foreign| name.starts_with(foreign));
    let is_service = name.starts_with("MUSTER_SERVICE_")
        || name.starts_with("MUSTER_PORT_")
        || (name == "MUSTER_PORT" && value.starts_with("tcp://"));
    !is_foreign && !is_service
}

/// The values of a table and its nested tables. `file` is the source of values from the file, which the parser reports
/// only relative to the working directory.
fn flat(table: &Value, file: &str) -> Vec<Setting> {
    let mut settings = Vec::new();
    walk("", table, file, &mut settings);
    settings.sort_by(|one, other| one.key.cmp(&other.key));
    settings
}

fn walk(key: &str, value: &Value, file: &str, settings: &mut Vec<Setting>) {
    if let ValueKind::Table(entries) = &value.kind {
        let entries: &Map<String, Value> = entries;
        for (name, inner) in entries {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            walk(&key, inner, file, settings);
        }
        return;
    }
    let origin = match value.origin() {
        None => DEFAULT.to_owned(),
        Some("the environment") => format!("MUSTER_{}", key.to_uppercase().replace('.', "__")),
        Some(_) => file.to_owned(),
    };
    settings.push(Setting { key: key.to_owned(), value: value.kind.clone(), origin });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Sources {
        let sound = [
            ("MUSTER_DATABASE_URL", "sqlite://x.db"),
            ("MUSTER_PUBLIC_URL", "http://127.0.0.1:1"),
            ("MUSTER_MASTER_KEY", "x"),
        ];
        let variables = sound.iter().chain(variables).map(|(name, value)| ((*name).into(), (*value).into()));
        Sources::read(None, variables).unwrap()
    }

    #[test]
    fn variables_of_others_with_our_prefix_are_no_configuration() {
        for (name, value) in [
            ("MUSTER_SANDBOX_URL", "http://127.0.0.1:8089/"),
            ("MUSTER_LOG", "muster=debug"),
            ("MUSTER_SERVICE_HOST", "10.0.0.1"),
            ("MUSTER_SERVICE_PORT_HTTP", "8080"),
            ("MUSTER_PORT", "tcp://10.0.0.1:8080"),
            ("MUSTER_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ] {
            assert!(read(&[(name, value)]).config().is_ok(), "{name}");
        }
    }

    #[test]
    fn an_unknown_key_names_the_nearest_one() {
        for (name, nearest) in [
            ("MUSTER_LISTENS", "`listen`"),
            ("MUSTER_PUBLICURL", "`public_url`"),
            ("MUSTER_GOOGLE__CLIENTID", "`client_id`"),
            ("MUSTER_RATE_LIMITS__CALLERS__UNITS", "`caller`"),
        ] {
            let error = read(&[(name, "canary")]).config().unwrap_err().to_string();
            assert!(error.contains(&format!("Did you mean {nearest}?")), "{name}: {error}");
            assert!(!error.contains("canary"), "{error}");
        }
        let error = read(&[("MUSTER_COLOUR_OF_THE_SKY", "blue")]).config().unwrap_err().to_string();
        assert!(error.contains("`colour_of_the_sky`") && !error.contains("Did you mean"), "{error}");
    }

    #[test]
    fn each_value_has_its_origin() {
        let read = read(&[("MUSTER_HOSTS", "a.example,b.example"), ("MUSTER_MICROSOFT__CLIENT_ID", "x")]);
        let origin = |key: &str| {
            let settings = read.settings();
            settings.into_iter().find(|setting| setting.key == key).map(|setting| setting.origin)
        };
        assert_eq!(origin("listen").unwrap(), "default");
        assert_eq!(origin("hosts").unwrap(), "MUSTER_HOSTS");
        assert_eq!(origin("microsoft.client_id").unwrap(), "MUSTER_MICROSOFT__CLIENT_ID");
        assert_eq!(origin("rate_limits.caller.units").unwrap(), "default");
        assert_eq!(read.config().unwrap().hosts, ["a.example", "b.example"]);
    }
}
