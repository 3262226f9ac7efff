//! The output of `muster config`: the effective configuration, and the source of each value.

use config::ValueKind;
use url::Url;

use super::{Error, sources::Setting};
use crate::config::sources::{DEFAULTS, Sources};

/// Options of `muster config`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the default configuration instead: every key, what it means, and its default.
    #[arg(long)]
    defaults: bool,
}

/// The output of `muster config`. An impossible configuration is printed too.
pub fn report(args: &Args, file: Option<&std::path::Path>) -> Result<String, Error> {
    if args.defaults {
        return Ok(DEFAULTS.to_owned());
    }
    let settings = Sources::read(file, std::env::vars())?.settings();
    let lines: Vec<(String, &str)> = settings
        .iter()
        .map(|setting| (format!("{} = {}", setting.key, shown(setting)), setting.origin.as_str()))
        .collect();
    let width = lines.iter().map(|(text, _)| text.chars().count()).filter(|width| *width < 60).max();
    let width = width.unwrap_or_default();
    Ok(lines.iter().map(|(text, origin)| format!("{text:width$}  # {origin}\n")).collect::<Vec<_>>().concat())
}

/// A value in TOML, with secrets removed.
fn shown(setting: &Setting) -> String {
    match is_secret(&setting.key) {
        true => "\"***\"".to_owned(),
        false => toml(&setting.value),
    }
}

/// Whether a key's value must not appear in a terminal or log: the fields of type `SecretString`.
fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    matches!(name, "master_key" | "former_master_keys" | "vendor_key" | "client_secret" | "token_header")
}

fn toml(value: &ValueKind) -> String {
    match value {
        ValueKind::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| toml(&value.kind)).collect();
            format!("[{}]", values.join(", "))
        }
        ValueKind::String(text) => toml::Value::String(without_password(text)).to_string(),
        other => other.to_string(),
    }
}

/// Removes the password from a URL.
fn without_password(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) if url.password().is_some() => match url.set_password(Some("***")) {
            Ok(()) => url.to_string(),
            Err(()) => "***".to_owned(),
        },
        _ => text.to_owned(),
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
        let text = report(&Args { defaults: false }, Some(file.path())).unwrap();
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

    /// Compares the list of secret keys with the fields of type `SecretString`.
    #[test]
    fn every_secret_of_the_configuration_is_hidden() {
        let sources = [include_str!("../config.rs"), include_str!("google.rs"), include_str!("limits.rs")];
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
