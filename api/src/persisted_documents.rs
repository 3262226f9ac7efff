//! Persisted documents: a client sends an id in place of a document, and an installation may allow only documents with
//! ids.
//!
//! <https://github.com/graphql/graphql-over-http/blob/main/spec/Appendix%20A%20--%20Persisted%20Documents.md>

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::{error::Error, transport::params::RequestParams};

/// Prefix of a document id that is the digest of the document.
const DIGEST: &str = "sha256:";

/// The persisted documents of an installation.
#[derive(Debug, Clone, Default)]
pub struct PersistedDocuments {
    texts: HashMap<String, String>,
    digests: HashSet<[u8; 32]>,
    is_closed: bool,
}

/// The manifest of persisted documents cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("the documents are neither an object of texts by id nor a manifest of operations: {0}")]
pub struct InvalidManifest(serde_json::Error);

#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    /// The manifest format of Apollo's tools.
    Operations { operations: Vec<Operation> },
    /// The manifest format of Relay's compiler and other tools.
    Texts(HashMap<String, String>),
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

impl PersistedDocuments {
    /// Parses a manifest: a JSON object that maps ids to documents, or one with `operations` that have `id` and
    /// `body`.
    pub fn from_manifest(manifest: &[u8]) -> Result<Self, InvalidManifest> {
        let by_id: Vec<(String, String)> = match serde_json::from_slice(manifest).map_err(InvalidManifest)? {
            Manifest::Operations { operations } => {
                operations.into_iter().map(|operation| (operation.id, operation.body)).collect()
            }
            Manifest::Texts(texts) => texts.into_iter().collect(),
        };
        let mut documents = Self::default();
        for (id, text) in by_id {
            let digest = digest(&text);
            documents.digests.insert(digest);
            documents.texts.insert(format!("{DIGEST}{}", hex(&digest)), text.clone());
            documents.texts.insert(id, text);
        }
        Ok(documents)
    }

    /// Sets whether only persisted documents are accepted.
    #[must_use]
    pub fn require_persisted(mut self, only: bool) -> Self {
        self.is_closed = only;
        self
    }

    /// The ids and source texts of all persisted documents.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(id, text)| (id.as_str(), text.as_str()))
    }

    /// Replaces an id by its document. If only persisted documents are allowed, a request with any other document is
    /// refused.
    pub(crate) fn resolve_document(&self, mut params: RequestParams) -> Result<RequestParams, Error> {
        match params.document_id.take() {
            Some(id) => params.query.clone_from(self.texts.get(&id).ok_or(Error::DocumentUnknown)?),
            None if self.is_closed && !self.digests.contains(&digest(&params.query)) => {
                return Err(Error::DocumentRequired);
            }
            None => {}
        }
        Ok(params)
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(id: Option<&str>, query: &str) -> RequestParams {
        RequestParams {
            query: query.to_owned(),
            document_id: id.map(str::to_owned),
            ..RequestParams::default()
        }
    }

    #[test]
    fn both_forms_of_a_manifest_are_read() {
        let apollo = br#"{"format":"apollo-persisted-query-manifest","version":1,
            "operations":[{"id":"a1","name":"A","type":"query","body":"{ a }"}]}"#;
        for manifest in [&br#"{"a1":"{ a }"}"#[..], apollo] {
            let documents = PersistedDocuments::from_manifest(manifest).unwrap();
            let digest = format!("{DIGEST}{}", hex(&digest("{ a }")));
            for id in ["a1", digest.as_str()] {
                assert_eq!(documents.resolve_document(asking(Some(id), "")).unwrap().query, "{ a }", "{id}");
            }
            assert_eq!(documents.resolve_document(asking(Some("b1"), "")), Err(Error::DocumentUnknown));
        }
        for manifest in ["[]", "{\"a\":1}", "{\"operations\":[{\"id\":\"x\"}]}", ""] {
            assert!(PersistedDocuments::from_manifest(manifest.as_bytes()).is_err(), "{manifest}");
        }
    }

    #[test]
    fn texts_of_others_are_refused_only_where_that_is_asked_for() {
        let documents = PersistedDocuments::from_manifest(br#"{"a1":"{ a }"}"#).unwrap();
        assert!(documents.resolve_document(asking(None, "{ b }")).is_ok());
        let documents = documents.require_persisted(true);
        assert_eq!(documents.resolve_document(asking(None, "{ b }")), Err(Error::DocumentRequired));
        assert!(
            documents.resolve_document(asking(None, "{ a }")).is_ok(),
            "a known text is known without its id"
        );
        let none = PersistedDocuments::default().require_persisted(true);
        assert_eq!(none.resolve_document(asking(None, "{ a }")), Err(Error::DocumentRequired));
    }
}
