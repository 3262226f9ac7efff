//! The output of `muster config`: the effective configuration, and the source of each value.

use std::collections::BTreeSet;

use config::ValueKind;

use super::{
    Error,
    database_url::{self, REDACTED},
    sources::Setting,
};
use crate::config::sources::{DEFAULTS, Sources};

/// Options of `muster config`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the default configuration instead: every key, what it means, and its default.
    #[arg(long)]
    defaults: bool,
}

/// Returns the output of `muster config`. An invalid configuration is printed too.
pub fn format_report(args: &Args, file: Option<&std::path::Path>) -> Result<String, Error> {
    if args.defaults {
        return Ok(DEFAULTS.to_owned());
    }
    let settings = Sources::read(file, std::env::vars())?.settings();
    let known = known_keys();
    let line = |setting: &Setting| format!("{} = {}", setting.key, shown(setting, &known));
    let lines: Vec<(String, &str)> =
        settings.iter().map(|setting| (line(setting), setting.origin.as_str())).collect();
    let width = lines.iter().map(|(text, _)| text.chars().count()).filter(|width| *width < 60).max();
    let width = width.unwrap_or_default();
    Ok(lines.iter().map(|(text, origin)| format!("{text:width$}  # {origin}\n")).collect::<Vec<_>>().concat())
}

/// A value in TOML, with secrets removed. The value of an unknown key is removed too, because the key may be a mistyped
/// name of a secret.
fn shown(setting: &Setting, known: &BTreeSet<String>) -> String {
    match is_secret(&setting.key) || !known.contains(&setting.key) {
        true => format!("\"{REDACTED}\""),
        false => toml(&setting.value, setting.key.ends_with("url")),
    }
}

/// The keys in [`DEFAULTS`], including keys without a default, which it contains as comments.
fn known_keys() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut table = String::new();
    for line in DEFAULTS.lines() {
        let line = line.trim_start_matches(['#', ' ']);
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            table = format!("{name}.");
        } else if let Some((name, value)) = line.split_once(" = ") {
            let inner = value.strip_prefix("{ ").into_iter().flat_map(|value| value.split(", "));
            let inner = inner.filter_map(|pair| pair.split_once(" = "));
            keys.extend(inner.map(|(inner, _)| format!("{table}{name}.{inner}")));
            keys.insert(format!("{table}{name}"));
        }
    }
    keys
}

/// Whether a key's value must not appear in a terminal or log; true for the fields of type `SecretString`.
fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    matches!(name, "master_key" | "former_master_keys" | "vendor_key" | "client_secret" | "token_header")
}

fn toml(value: &ValueKind, is_url: bool) -> String {
    match value {
        ValueKind::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| toml(&value.kind, is_url)).collect();
            format!("[{}]", values.join(", "))
        }
        // Removes the password from a URL.
        ValueKind::String(text) if is_url || text.contains("://") => {
            let shown = database_url::redact_secrets(text);
            toml::Value::String(shown.unwrap_or_else(|| REDACTED.to_owned())).to_string()
        }
        ValueKind::String(text) => toml::Value::String(text.clone()).to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force_is_printed_without_secrets() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = "database_url = \"postgres://muster_app:canary@db/muster\"\nmaster_key = \"canary\"\n\
            vendor_key = \"canary\"\nformer_master_keys = [\"canary\"]\nlisten = \"127.0.0.1:1\"\n\
            [microsoft]\nclient_secret = \"canary\"\n[google.keyless]\ntoken_header = \"canary: canary\"";
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let text = format_report(&Args { defaults: false }, Some(file.path())).unwrap();
        assert!(!text.contains("canary"), "{text}");
        let path = file.path().display();
        for line in [
            format!("listen = \"127.0.0.1:1\" # {path}"),
            "queue_url = \"memory:\" # default".to_owned(),
            "roles = [\"api\", \"worker\"] # default".to_owned(),
            format!("database_url = \"postgres://muster_app:***@db/muster\" # {path}"),
        ] {
            let is_there = text.lines().any(|one| {
                one.split_whitespace().collect::<Vec<_>>() == line.split_whitespace().collect::<Vec<_>>()
            });
            assert!(is_there, "{line}: {text}");
        }
        assert!(text.contains("rate_limits.refused.units = 60"), "{text}");
    }

    #[test]
    fn what_is_not_understood_is_not_printed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = "database_url = \"postgres://u:canary/tPw@db/m\"\nmaster_keyy = \"canary\"\n\
            queue_url = \"redis://r/?password=canary\"\n[microsoft]\nclient_secrets = \"canary\"\n\
            client_id = \"our-id\"";
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let text = format_report(&Args { defaults: false }, Some(file.path())).unwrap();
        assert!(!text.contains("canary"), "{text}");
        for known in
            ["microsoft.client_id = \"our-id\"", "requests_at_once = 128", "rate_limits.caller.units = 60000"]
        {
            assert!(text.contains(known), "{known}: {text}");
        }
    }

    /// Compares the list of secret keys with the fields of type `SecretString`.
    #[test]
    fn every_secret_of_the_configuration_is_hidden() {
        let sources = [
            include_str!("../config.rs"),
            include_str!("google.rs"),
            include_str!("limits.rs"),
            include_str!("microsoft.rs"),
        ];
        let fields = sources.iter().flat_map(|source| source.lines()).filter(|line| {
            line.trim_start().starts_with("pub ") && line.contains(": ") && line.contains("SecretString")
        });
        let names = fields.filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next());
        let names: Vec<&str> = names.filter(|name| !name.contains('(')).collect();
        assert!(names.len() >= 5, "{names:?}");
        for name in names {
            assert!(is_secret(name), "{name}");
        }
    }
}
