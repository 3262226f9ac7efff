//! The canonical JSON of an audit entry, over which its hash is computed.
//!
//! It is JSON according to RFC 8785 (JCS): members sorted, no white space. All member names are ASCII and all numbers
//! integers, so every JSON library that sorts members by code point produces the same string. A third party needs
//! nothing else to verify an export; `docs/audit.md` explains how.

use std::{collections::BTreeMap, fmt::Write};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{SecondsFormat, SubsecRound};
use domain::Timestamp;
use entity::audit::Model;
use sea_orm::prelude::Json;
use serde_json::{Map, json};

use super::{CHANGED, chain_name};

/// The hash that precedes the first entry of an audit chain.
pub(super) const GENESIS_HASH: [u8; 32] = [0; 32];

/// Suffixes of JSON member names whose values are secret and not recorded.
const SECRETS: [&str; 6] = ["secret", "password", "privatekey", "refreshtoken", "accesstoken", "masterkey"];

/// Formats an audit entry as one line of an export, with the hash of the previous entry.
pub fn export_line(row: &Model, previous: &[u8]) -> String {
    let mut members = members(row, previous);
    members.insert("hash", json!(hex(row.hash.as_deref().unwrap_or_default())));
    to_canonical_json(&json!(members))
}

/// Computes the hash of an audit entry, given the hash of the previous entry.
pub(super) fn entry_hash(row: &Model, previous: &[u8]) -> Vec<u8> {
    digest(&SHA256, to_canonical_json(&json!(members(row, previous))).as_bytes()).as_ref().to_vec()
}

fn members(row: &Model, previous: &[u8]) -> BTreeMap<&'static str, Json> {
    BTreeMap::from([
        ("v", json!(1)),
        ("chain", json!(chain_name(row.tenant_id))),
        ("seq", json!(row.seq)),
        ("previous", json!(hex(previous))),
        ("id", json!(row.id)),
        ("at", json!(row.at.to_rfc3339_opts(SecondsFormat::Micros, true))),
        ("actor", json!(row.actor)),
        ("action", json!(row.action)),
        ("subject", json!(row.subject)),
        ("request", json!(row.request)),
        ("old", json!(row.old_value)),
        ("new", json!(row.new_value)),
        ("details", row.details.clone()),
    ])
}

/// Truncates a time to microseconds, the precision of both databases.
pub(super) fn truncate_to_micros(at: Timestamp) -> Timestamp {
    at.trunc_subsecs(6)
}

/// Prepares a JSON value for recording: removes secrets, and fractional numbers, which the two databases return
/// differently.
pub(super) fn sanitize(value: Json) -> Json {
    match value {
        Json::Object(members) => {
            let member = |(name, value): (String, Json)| {
                let kept =
                    if is_secret(&name) && !value.is_null() { json!(CHANGED) } else { sanitize(value) };
                (name, kept)
            };
            Json::Object(members.into_iter().map(member).collect::<Map<_, _>>())
        }
        Json::Array(values) => values.into_iter().map(sanitize).collect(),
        Json::Number(number) if !(number.is_i64() || number.is_u64()) => json!(number.to_string()),
        other => other,
    }
}

fn is_secret(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    SECRETS.iter().any(|secret| name.ends_with(secret))
}

/// Serialises JSON with sorted members and no white space.
pub(super) fn to_canonical_json(value: &Json) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &Json) {
    match value {
        Json::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            for (index, (name, value)) in sorted.into_iter().enumerate() {
                out.push(if index == 0 { '{' } else { ',' });
                out.push_str(&json!(name).to_string());
                out.push(':');
                write(out, value);
            }
            out.push_str(if members.is_empty() { "{}" } else { "}" });
        }
        Json::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                out.push(if index == 0 { '[' } else { ',' });
                write(out, value);
            }
            out.push_str(if values.is_empty() { "[]" } else { "]" });
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_sorted_members_and_no_white_space() {
        let value = json!({ "b": [1, { "z": null, "a": "\u{1f}\"é" }], "a": {}, "c": [] });
        assert_eq!(
            to_canonical_json(&value),
            "{\"a\":{},\"b\":[1,{\"a\":\"\\u001f\\\"é\",\"z\":null}],\"c\":[]}"
        );
    }

    #[test]
    fn secrets_and_fractions_are_not_recorded_as_they_are() {
        let value =
            json!({ "client_secret": "s", "deep": [{ "newPassword": "p" }], "refreshToken": null, "n": 1.5 });
        let kept = json!({
            "client_secret": "changed", "deep": [{ "newPassword": "changed" }], "refreshToken": null, "n": "1.5",
        });
        assert_eq!(sanitize(value), kept);
    }
}
