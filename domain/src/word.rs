//! The trait that all enums with stored words implement.

use std::{fmt, hash::Hash};

/// An enum whose variants are stored and shown as fixed words. Implemented by the types in this crate that are
/// declared with `words!`.
pub trait WordEnum: Copy + Ord + Hash + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// The name of the type.
    const NAME: &'static str;

    /// All words, in order of declaration.
    fn all() -> &'static [Self];

    /// The spelling.
    fn word(self) -> &'static str;

    /// The variant with this word; `None` for a word that this version does not support.
    fn from_word(text: &str) -> Option<Self> {
        Self::all().iter().copied().find(|word| word.word() == text)
    }
}
