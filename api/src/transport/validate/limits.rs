//! Limits on the size and cost of a document.

use crate::error::Error;

/// The limits of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum size of the document in bytes.
    pub text_bytes: usize,
    /// Maximum number of tokens, not counting comments and commas.
    pub tokens: usize,
    /// Maximum depth of nested fields.
    pub depth: usize,
    /// Maximum depth below `__schema` and `__type`; GraphiQL needs more there.
    pub introspection_depth: usize,
    /// Maximum number of aliases.
    pub aliases: usize,
    /// Maximum number of directives.
    pub directives: usize,
    /// Maximum number of root fields of the operation, with fragments expanded.
    pub root_fields: usize,
    /// Maximum number of fields in the response, each multiplied by the `first` or `last` of the lists that contain
    /// it.
    pub cost: u64,
    /// Number of items that a connection is assumed to return if neither `first` nor `last` is given.
    pub default_page: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes: 16 * 1024,
            tokens: 2_000,
            depth: 10,
            introspection_depth: 20,
            aliases: 30,
            directives: 10,
            root_fields: 20,
            cost: 20_000,
            default_page: services::page::DEFAULT_PAGE_SIZE,
        }
    }
}

/// Returns an error if an amount exceeds its limit.
pub(crate) fn check_limit(what: &'static str, found: u64, limit: u64) -> Result<(), Error> {
    if found > limit { Err(Error::LimitExceeded { what, found, limit }) } else { Ok(()) }
}
