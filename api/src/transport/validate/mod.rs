//! Decides whether a document may run, before the engine sees it.
//!
//! The engine accepts what the specification forbids (a string for an `Int!` variable runs) and does not limit tokens,
//! aliases or root fields. So documents are measured, parsed and validated against the schema here, and their
//! variables are checked. Documents that passed are cached by the hash of their source text: for a repeated query,
//! only the variables are checked.

mod coerce;
mod cost;
mod document;
mod limits;
mod measure;
mod rules;
mod texts;
mod tokens;

use std::sync::Arc;

use apollo_compiler::{Schema, validation::Valid};
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

pub use document::{CheckedDocument, OperationFacts, OperationKind};
pub use limits::Limits;

use crate::{error::Error, state::InvalidSchema, transport::params::RequestParams};

/// Maximum total size of the cached documents, in bytes of source text; parsed, they need about a hundred times as
/// much memory.
const KEPT: u64 = 1_024 * 1_024;

/// A document that may run with these variables.
#[derive(Debug, Clone)]
pub struct ValidatedOperation {
    /// Parsed and checked against the schema; shared with later requests for the same text.
    pub document: Arc<CheckedDocument>,
    /// Maximum cost of the request, see [`Limits::cost`].
    pub cost: u64,
}

/// Validates documents against one schema.
pub struct Validator {
    schema: Valid<Schema>,
    limits: Limits,
    kept: Cache<[u8; 32], Arc<CheckedDocument>>,
}

impl Validator {
    /// Parses the schema.
    pub fn new(sdl: &str, limits: Limits) -> Result<Self, InvalidSchema> {
        let schema = Schema::parse_and_validate(sdl, "schema.graphql")
            .map_err(|invalid| InvalidSchema(invalid.errors.to_string()))?;
        let weight =
            |_: &[u8; 32], checked: &Arc<CheckedDocument>| u32::try_from(checked.bytes).unwrap_or(u32::MAX);
        let kept = Cache::builder().weigher(weight).max_capacity(KEPT).build();
        Ok(Self { schema, limits, kept })
    }

    /// Checks a document and the values of its variables.
    ///
    /// With `only_queries` (a GET) the selected operation must be a query. This is checked after parsing and before
    /// validation, so that the error for a mutation recommends POST even if the document has other errors.
    pub fn validate(&self, params: &RequestParams, only_queries: bool) -> Result<ValidatedOperation, Error> {
        let checked = self.check_document(params, only_queries)?;
        let operation = checked.find_operation(params.operation_name.as_deref())?;
        let findings = coerce::check_variables(&self.schema, operation, &params.variables);
        if !findings.is_empty() {
            return Err(Error::BadVariables(findings));
        }
        texts::check_strings(&self.schema, &checked.document, operation, &params.variables)?;
        let page = self.limits.default_page;
        let cost = cost::operation_cost(&self.schema, &checked.document, operation, &params.variables, page);
        limits::check_limit("units of cost", cost, self.limits.cost)?;
        Ok(ValidatedOperation { document: checked, cost })
    }

    /// Whether the document is cached, so that checking it costs nothing.
    pub fn is_cached(&self, text: &str) -> bool {
        self.kept.contains_key(&digest(text))
    }

    /// Checks a document without its variables.
    pub(crate) fn check_document(
        &self,
        params: &RequestParams,
        only_queries: bool,
    ) -> Result<Arc<CheckedDocument>, Error> {
        let gate = |kind: OperationKind| match (only_queries, kind) {
            (false, _) | (true, OperationKind::Query) => Ok(()),
            (true, OperationKind::Mutation | OperationKind::Subscription) => Err(Error::OnlyQueriesByGet),
        };
        let name = params.operation_name.as_deref();
        let key = digest(&params.query);
        if let Some(known) = self.kept.get(&key) {
            gate(known.operation_facts(name)?.kind)?;
            return Ok(known);
        }
        let checked =
            Arc::new(document::check_document(&self.schema, &self.limits, &params.query, name, gate)?);
        self.kept.insert(key, checked.clone());
        Ok(checked)
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests;
