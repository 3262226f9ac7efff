//! Columns that contain a variant of a domain enum as a word.
//!
//! During a rolling upgrade a row may contain a word that only a newer binary supports. Reading such a row never fails:
//! [`Stored`] keeps the word unchanged, and code that acts on the word obtains it with [`Stored::require`].

use std::fmt;

use domain::WordEnum;
use sea_orm::{
    ColIdx, ColumnTrait, ColumnType, DbErr, QueryResult, TryFromU64, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, Expr, Nullable, ValueType, ValueTypeErr},
};
use serde::{Serialize, Serializer};

/// An enum variant as stored: either one that this version supports, or the unchanged text of an unknown one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Stored<W>(Content<W>);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Content<W> {
    Known(W),
    /// A word that this version does not support.
    Unknown(String),
}

/// Error: only a newer version of Muster supports the stored word, so this version must not act on the row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "A newer version of Muster stored the word \"{word}\", which this version does not support. Try again when all \
     servers run the newer version."
)]
pub struct UnknownWord {
    /// The name of the enum to which the column's words belong.
    pub kind: &'static str,
    /// The text of the column.
    pub word: String,
}

impl<W: WordEnum> Stored<W> {
    /// Parses the text of a column.
    pub fn from_text(text: String) -> Self {
        Self(W::from_word(&text).map_or(Content::Unknown(text), Content::Known))
    }

    /// The variant; `None` if this version does not support the stored word.
    pub fn known(&self) -> Option<W> {
        match &self.0 {
            Content::Known(word) => Some(*word),
            Content::Unknown(_) => None,
        }
    }

    /// The variant, for code that acts on it.
    ///
    /// # Errors
    /// [`UnknownWord`] if this version does not support the stored word.
    pub fn require(&self) -> Result<W, UnknownWord> {
        self.known().ok_or_else(|| UnknownWord { kind: W::NAME, word: self.as_str().to_owned() })
    }

    /// The text of the column, whether or not this version supports the word.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Content::Known(word) => word.word(),
            Content::Unknown(text) => text,
        }
    }
}

/// Filters rows whose column contains this word or, with `None`, any word that this version does not support.
pub fn column_equals<W: WordEnum>(column: impl ColumnTrait, word: Option<W>) -> Expr {
    match word {
        Some(word) => column.eq(word.word()),
        None => column.is_not_in(W::all().iter().map(|word| word.word())),
    }
}

impl<W: WordEnum> From<W> for Stored<W> {
    fn from(word: W) -> Self {
        Self(Content::Known(word))
    }
}

impl<W: WordEnum> PartialEq<W> for Stored<W> {
    fn eq(&self, word: &W) -> bool {
        self.known() == Some(*word)
    }
}

impl<W: WordEnum> fmt::Display for Stored<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<W: WordEnum> fmt::Debug for Stored<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Known(word) => fmt::Debug::fmt(word, f),
            Content::Unknown(text) => write!(f, "Unknown({text:?})"),
        }
    }
}

impl<W: WordEnum> Serialize for Stored<W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<W: WordEnum> From<Stored<W>> for Value {
    fn from(stored: Stored<W>) -> Self {
        match stored.0 {
            Content::Known(word) => word.word().into(),
            Content::Unknown(text) => text.into(),
        }
    }
}

impl<W: WordEnum> TryGetable for Stored<W> {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        String::try_get_by(row, index).map(Self::from_text)
    }
}

impl<W: WordEnum> ValueType for Stored<W> {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <String as ValueType>::try_from(value).map(Self::from_text)
    }

    fn type_name() -> String {
        format!("Stored<{}>", W::NAME)
    }

    fn array_type() -> ArrayType {
        String::array_type()
    }

    fn column_type() -> ColumnType {
        String::column_type()
    }
}

impl<W: WordEnum> Nullable for Stored<W> {
    fn null() -> Value {
        String::null()
    }
}

/// Required for primary keys; always fails, because words are not numbers.
impl<W: WordEnum> TryFromU64 for Stored<W> {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("a word"))
    }
}

#[cfg(test)]
mod tests {
    use domain::state::BookingState;
    use sea_orm::{DbBackend, QueryFilter, QueryTrait};

    use super::*;

    type State = Stored<BookingState>;

    #[test]
    fn every_word_and_every_other_text_survive_the_way_into_a_value_and_back() {
        for word in BookingState::ALL {
            let stored = State::from_text(word.to_string());
            assert_eq!((stored.known(), stored.as_str()), (Some(*word), word.as_str()));
            assert_eq!(stored, *word);
            assert_eq!(stored, State::from(*word));
            assert_eq!(<State as ValueType>::unwrap(Value::from(stored)), *word);
        }
        for text in ["PAUSED", "held", "", "HELD "] {
            let stored = State::from_text(text.to_owned());
            assert_eq!((stored.known(), stored.as_str()), (None, text));
            assert_eq!(<State as ValueType>::unwrap(Value::from(stored.clone())), stored);
            assert_eq!(serde_json::to_value(&stored).unwrap(), text);
            assert!(BookingState::ALL.iter().all(|word| stored != *word));
        }
    }

    #[test]
    fn whoever_acts_on_an_unknown_word_is_told_what_it_is() {
        let unknown = State::from_text("PAUSED".to_owned()).require().unwrap_err();
        assert_eq!(unknown, UnknownWord { kind: "BookingState", word: "PAUSED".to_owned() });
        assert!(unknown.to_string().contains("\"PAUSED\""), "{unknown}");
        assert_eq!(State::from(BookingState::Held).require(), Ok(BookingState::Held));
    }

    #[test]
    fn a_filter_takes_a_stored_word() {
        let rows = crate::booking::all_tenants()
            .filter(crate::booking::Column::State.eq(Stored::from(BookingState::Held)));
        let sql = rows.build(DbBackend::Postgres).to_string();
        assert!(sql.ends_with(r#""booking"."state" = 'HELD'"#), "{sql}");
    }
}
