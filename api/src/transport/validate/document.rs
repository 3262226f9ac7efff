//! Checks the source text of a document: size, tokens, syntax and the rules of the schema.

use apollo_compiler::{
    ExecutableDocument, Node, Schema,
    ast::{self, Definition},
    executable::Operation,
    introspection::check_max_depth,
    parser::Parser,
    validation::{DiagnosticList, Valid},
};

use super::{
    limits::{self, Limits},
    measure::SelectionMeasurer,
    rules,
    tokens::{self, MAX_NESTING},
};
use crate::error::{Error, Location, ValidationError};

/// Maximum number of validation errors of a document that are reported.
const TOLD: usize = 10;
const NAME_MISSING: &str = "The document has several operations: name one in \"operationName\".";
const NAME_UNKNOWN: &str = "The document has no operation with the name in \"operationName\".";
const NO_OPERATION: &str = "The document has no operation.";

/// Whether an operation reads, writes or streams events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// A query, which only reads.
    Query,
    /// A mutation, which writes.
    Mutation,
    /// A subscription, which streams events.
    Subscription,
}

impl From<ast::OperationType> for OperationKind {
    fn from(kind: ast::OperationType) -> Self {
        match kind {
            ast::OperationType::Query => Self::Query,
            ast::OperationType::Mutation => Self::Mutation,
            ast::OperationType::Subscription => Self::Subscription,
        }
    }
}

/// Properties of an operation that do not depend on its variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationFacts {
    /// Query, mutation or subscription.
    pub kind: OperationKind,
    /// Whether the operation introspects the schema.
    pub introspects: bool,
}

/// A document that passed all checks.
#[derive(Debug)]
pub struct CheckedDocument {
    pub(crate) document: Valid<ExecutableDocument>,
    /// The document as parsed by the engine, so that a repeated query is not parsed again.
    pub(crate) parsed: async_graphql::parser::types::ExecutableDocument,
    /// Size of the document in bytes.
    pub(crate) bytes: usize,
}

impl CheckedDocument {
    /// The properties of the selected operation.
    pub fn operation_facts(&self, name: Option<&str>) -> Result<OperationFacts, Error> {
        let operation = self.find_operation(name)?;
        let introspects = operation
            .root_fields(&self.document)
            .any(|field| matches!(field.name.as_str(), "__schema" | "__type"));
        Ok(OperationFacts { kind: operation.operation_type.into(), introspects })
    }

    pub(crate) fn find_operation(&self, name: Option<&str>) -> Result<&Node<Operation>, Error> {
        self.document
            .operations
            .get(name)
            .map_err(|_| Error::OperationUnknown(if name.is_some() { NAME_UNKNOWN } else { NAME_MISSING }))
    }
}

/// Checks a document; calls `gate` with the kind of the selected operation as soon as it is known.
pub fn check_document(
    schema: &Valid<Schema>,
    limits: &Limits,
    text: &str,
    name: Option<&str>,
    gate: impl Fn(OperationKind) -> Result<(), Error>,
) -> Result<CheckedDocument, Error> {
    limits::check_limit("bytes", text.len() as u64, limits.text_bytes as u64)?;
    let count = tokens::count_tokens(text);
    limits::check_limit("tokens", count.tokens, limits.tokens as u64)?;
    limits::check_limit("brackets within each other", count.nesting, MAX_NESTING)?;
    let text = &*tokens::without_descriptions(text);
    let syntax = Parser::new()
        .parse_ast(text, "document")
        .map_err(|faulty| Error::Unparsable(validation_errors(&faulty.errors)))?;
    gate(chosen(&syntax, name)?)?;
    let twice = SelectionMeasurer::check_limits(&syntax, limits)?;
    if let Some(field) = twice {
        let message = format!("An input object has the field `{field}` twice.");
        return Err(Error::Invalid(vec![ValidationError::new(&message, None)]));
    }
    let document = syntax
        .to_executable_validate(schema)
        .map_err(|faulty| Error::Invalid(validation_errors(&faulty.errors)))?;
    let more = rules::check_rules(schema, &document);
    if !more.is_empty() {
        return Err(Error::Invalid(more));
    }
    for operation in document.operations.iter() {
        check_max_depth(&document, operation).map_err(|_| {
            Error::Invalid(vec![ValidationError::new(
                "The lists of the introspection query are nested too deeply.",
                None,
            )])
        })?;
    }
    // The engine's parser is asked here and not when the document runs, so that a difference between the
    // two is a refusal and not a failure.
    let parsed = async_graphql::parser::parse_query(text).map_err(|_| Error::Unparsable(Vec::new()))?;
    Ok(CheckedDocument { document, parsed, bytes: text.len() })
}

/// Kind of the operation that would be executed, read from the syntax alone.
fn chosen(syntax: &ast::Document, name: Option<&str>) -> Result<OperationKind, Error> {
    let operations = || {
        syntax.definitions.iter().filter_map(|definition| match definition {
            Definition::OperationDefinition(operation) => Some(operation),
            _ => None,
        })
    };
    let found = match name {
        Some(name) => operations()
            .find(|operation| operation.name.as_ref().is_some_and(|own| own == name))
            .ok_or(Error::OperationUnknown(NAME_UNKNOWN)),
        None if operations().count() > 1 => Err(Error::OperationUnknown(NAME_MISSING)),
        None => operations().next().ok_or(Error::OperationUnknown(NO_OPERATION)),
    };
    found.map(|operation| operation.operation_type.into())
}

/// The first validation errors as sentences, without the validator's source excerpts.
fn validation_errors(faults: &DiagnosticList) -> Vec<ValidationError> {
    faults
        .iter()
        .take(TOLD)
        .map(|fault| {
            let location = fault
                .line_column_range()
                .map(|range| Location { line: range.start.line, column: range.start.column });
            ValidationError::new(&fault.error.to_string(), location)
        })
        .collect()
}
