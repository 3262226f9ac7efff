//! Describes why a configuration cannot be read, without quoting its content, most of which is secret.

use config::ConfigError;

use super::Error;

/// The error with the position in the file and the value that was expected there.
pub(super) fn unreadable_config(error: ConfigError) -> Error {
    Error::Unreadable(said(&error))
}

fn said(error: &ConfigError) -> String {
    match error {
        ConfigError::NotFound(key) => format!("{key} is missing"),
        ConfigError::Type { origin, expected, key, .. } => {
            let at = key.as_deref().unwrap_or("a value");
            let from = origin.as_deref().map(|origin| format!(" (from {origin})")).unwrap_or_default();
            format!("{at} must be {expected}{from}")
        }
        ConfigError::At { error, key, .. } => match key {
            Some(key) => format!("{key}: {}", said(error)),
            None => said(error),
        },
        ConfigError::FileParse { uri, cause } => {
            format!("{}: {}", uri.as_deref().unwrap_or("the file"), without_source(&cause.to_string()))
        }
        ConfigError::Message(message) => without_texts(message),
        other => without_texts(&other.to_string()),
    }
}

/// Removes the quoted line from a parser's message; its position and description remain.
fn without_source(message: &str) -> String {
    let is_source = |line: &str| {
        line.trim_start_matches([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']).starts_with('|')
    };
    let kept: Vec<&str> =
        message.lines().filter(|line| !line.trim().is_empty() && !is_source(line)).collect();
    without_texts(&kept.join(": "))
}

/// Removes values from a message: text in quotation marks, and words that are not keys. Key names are in backticks.
fn without_texts(message: &str) -> String {
    if let Some(said) = unknown_key(message) {
        return said;
    }
    let message = match message.split_once(" does not have variant constructor ") {
        Some((what, _)) => format!("{what} knows no such word"),
        None => match message.split_once("unknown variant `").and_then(|(_, rest)| rest.split_once('`')) {
            Some((_, expected)) => format!("this is no such word{expected}"),
            None => message.to_owned(),
        },
    };
    let parts = message.split('"').enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { part } else { "..." }).collect()
}

/// The message for an unknown key, with the most similar supported key.
fn unknown_key(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("unknown field `")?;
    let (key, expected) = rest.split_once('`')?;
    let known = expected.split('`').skip(1).step_by(2);
    let nearest = known
        .map(|known| (strsim::normalized_damerau_levenshtein(key, known), known))
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    let hint = match nearest {
        Some((likeness, known)) if likeness >= LIKE => format!("Did you mean `{known}`? "),
        _ => String::new(),
    };
    let expected = expected.trim_start_matches([',', ' ']);
    Some(format!("there is no key `{key}`. {hint}Known here: {expected}"))
}

/// Minimum similarity, between 0 and 1, for a word to count as a misspelling of another.
const LIKE: f64 = 0.6;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::Config;

    fn refused(text: &str) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Config::read(Some(file.path())).unwrap_err().to_string()
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_told_without_what_stands_in_it() {
        let whole = "database_url = \"sqlite://m.db\"\npublic_url = \"http://127.0.0.1:1\"\n";
        for (text, says) in [
            ("master_key = \"canary", "line 3, column"),
            ("master_key = \"canary\" canary", "line 3, column"),
            ("master_key = canary", "line 3, column"),
            ("master_key = \"x\"\nformer_master_keys = \"canary\"", "former_master_keys"),
            ("master_key = [\"canary\"]", "master_key"),
            ("master_key = \"x\"\nmicrosoft = \"canary\"", "microsoft"),
            ("master_key = \"x\"\nvendor_key = { canary = \"canary\" }", "vendor_key"),
            ("master_key = \"canary\"", "master_key must be 64"),
            ("master_key = \"x\"\nroles = [\"canary\"]", "roles"),
            ("master_key = \"x\"\n[microsoft]\nclient_id = \"x\"\ncloud = \"canary\"", "microsoft.cloud"),
            ("master_key = \"x\"\npublic_url = \"canary\"", "public_url"),
        ] {
            let text = if text.contains("public_url") { text.to_owned() } else { format!("{whole}{text}") };
            let error = refused(&text);
            assert!(!error.contains("canary"), "{text}: {error}");
            assert!(error.contains(says), "{text}: it says where: {error}");
        }
    }
}
