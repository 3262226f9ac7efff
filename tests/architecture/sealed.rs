//! Every column of bytes is listed with what is in it, so that whoever adds a secret has to say who seals it; and
//! whatever is sealed is among the columns that a rotation of keys goes through.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use sea_orm::Iterable;
use services::vault::Column;

/// What is in a column of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bytes {
    /// Something sealed: one of [`Column`].
    Sealed,
    /// A keyed digest, of which nothing can be learnt without the installation's own secret.
    Digest,
    /// Nothing that is secret.
    Plain,
}

use Bytes::{Digest, Plain, Sealed};

const BYTES: &[(&str, &str, Bytes)] = &[
    ("api_key", "hash", Digest),
    ("audit", "hash", Plain),
    ("audit_chain", "base_hash", Plain),
    ("audit_chain", "hash", Plain),
    ("audit_chain", "seal", Digest),
    ("audit_key", "seed", Sealed),
    ("busy_bitmap", "bits", Plain),
    ("channel", "secret", Sealed),
    ("connect_link", "token_hash", Digest),
    ("connect_session", "cookie_hash", Digest),
    ("connect_session", "state_hash", Digest),
    ("connect_session", "verifier", Sealed),
    ("connect_session", "consent", Sealed),
    ("consent_grant", "access_token", Sealed),
    ("consent_grant", "secret", Sealed),
    ("erasure_receipt", "audit_hash", Plain),
    ("former_data_key", "sealed", Sealed),
    // A plain digest of what was asked for: no secret is in it.
    ("idempotency", "parameters", Plain),
    ("installation_secret", "sealed", Sealed),
    ("openid_issuer", "client_secret", Sealed),
    ("sign_in", "code_hash", Digest),
    ("signing_key", "private_key", Sealed),
    ("signing_key", "public_key", Plain),
    ("tenant", "data_key", Sealed),
    ("tenant_lookup", "key", Digest),
];

/// The columns of bytes that the entities declare.
fn declared() -> BTreeSet<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("entity/src");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let table = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            found.extend(columns(&text).into_iter().map(|column| (table.clone(), column)));
        }
    }
    found
}

fn columns(text: &str) -> Vec<String> {
    let is_bytes = |line: &&str| line.ends_with(": Vec<u8>,") || line.ends_with(": Option<Vec<u8>>,");
    let name = |line: &str| line.trim_start_matches("pub ").split(':').next().unwrap().to_owned();
    text.lines().map(str::trim).filter(is_bytes).map(name).collect()
}

#[test]
fn every_column_of_bytes_is_listed_and_what_is_sealed_is_rotated() {
    let listed: BTreeMap<(String, String), Bytes> = BYTES
        .iter()
        .map(|(table, column, bytes)| (((*table).to_owned(), (*column).to_owned()), *bytes))
        .collect();
    assert_eq!(declared(), listed.keys().cloned().collect(), "list the column with what is in it");
    let sealed: BTreeSet<_> =
        BYTES.iter().filter(|row| row.2 == Sealed).map(|(table, column, _)| (*table, *column)).collect();
    let rotated: BTreeSet<_> = Column::iter().map(Column::table_and_column).collect();
    assert_eq!(sealed, rotated, "services/src/vault/column.rs names what is sealed");
}

#[test]
fn a_column_of_bytes_is_found() {
    assert_eq!(columns("pub a: Vec<u8>,\n  b: Option<Vec<u8>>,\n  c: String,"), ["a", "b"]);
}
