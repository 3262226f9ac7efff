//! How much a document may ask for.

use crate::error::Error;

/// The limits of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the text.
    pub text_bytes: usize,
    /// Tokens of the text, comments and commas not counted.
    pub tokens: usize,
    /// Levels of fields.
    pub depth: usize,
    /// Levels of fields below `__schema` and `__type`, which GraphiQL needs more of.
    pub introspection_depth: usize,
    /// Aliases in the text.
    pub aliases: usize,
    /// Directives in the text.
    pub directives: usize,
    /// Fields of the operation itself, fragments unfolded.
    pub root_fields: usize,
    /// Fields that would be answered, each as often as `first` or `last` above it says.
    pub cost: u64,
    /// What a connection is taken to answer when neither `first` nor `last` is given.
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
            default_page: 20,
        }
    }
}

/// Refuses what exceeds its limit.
pub(crate) fn allow(what: &'static str, found: u64, limit: u64) -> Result<(), Error> {
    if found > limit { Err(Error::LimitExceeded { what, found, limit }) } else { Ok(()) }
}
