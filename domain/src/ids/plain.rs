//! Ids stored in JSON as plain UUIDs, without the prefix of their kind: for `#[serde(with = "domain::ids::plain")]`.
//!
//! Inputs and memories of runs, and messages between nodes, are written in this form, so that nodes of different
//! versions can parse each other's data.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::{Id, IdKind};

/// An id, or a container of ids, that can be converted to plain UUIDs.
pub trait PlainForm: Sized {
    /// The same type with plain UUIDs in place of ids.
    type Form: Serialize + for<'de> Deserialize<'de>;

    /// Removes the kind.
    fn to_form(&self) -> Self::Form;

    /// Converts plain UUIDs to ids of the type's kind, without checking them.
    fn from_form(form: Self::Form) -> Self;
}

impl<K: IdKind> PlainForm for Id<K> {
    type Form = Uuid;

    fn to_form(&self) -> Uuid {
        self.uuid()
    }

    fn from_form(form: Uuid) -> Self {
        Self::from_uuid(form)
    }
}

impl<T: PlainForm> PlainForm for Option<T> {
    type Form = Option<T::Form>;

    fn to_form(&self) -> Self::Form {
        self.as_ref().map(T::to_form)
    }

    fn from_form(form: Self::Form) -> Self {
        form.map(T::from_form)
    }
}

impl<T: PlainForm> PlainForm for Vec<T> {
    type Form = Vec<T::Form>;

    fn to_form(&self) -> Self::Form {
        self.iter().map(T::to_form).collect()
    }

    fn from_form(form: Self::Form) -> Self {
        form.into_iter().map(T::from_form).collect()
    }
}

/// Serialises an id, or a container of ids, as plain UUIDs.
pub fn serialize<T: PlainForm, S: Serializer>(id: &T, serializer: S) -> Result<S::Ok, S::Error> {
    id.to_form().serialize(serializer)
}

/// Deserialises plain UUIDs to an id or a container of ids.
pub fn deserialize<'de, T: PlainForm, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::Form::deserialize(deserializer).map(T::from_form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Booking, User};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Input {
        #[serde(with = "super")]
        booking: Id<Booking>,
        #[serde(with = "super", default)]
        organiser: Option<Id<User>>,
        #[serde(with = "super")]
        users: Vec<Id<User>>,
    }

    #[test]
    fn ids_are_stored_as_uuids() {
        let (booking, user) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let input = Input {
            booking: Id::from_uuid(booking),
            organiser: Some(Id::from_uuid(user)),
            users: vec![Id::from_uuid(user)],
        };
        let stored = serde_json::json!({ "booking": booking, "organiser": user, "users": [user] });
        assert_eq!(serde_json::to_value(&input).unwrap(), stored);
        assert_eq!(serde_json::from_value::<Input>(stored).unwrap(), input);
    }

    #[test]
    fn a_missing_optional_id_is_none() {
        let stored = serde_json::json!({ "booking": Uuid::nil(), "users": [] });
        assert_eq!(serde_json::from_value::<Input>(stored).unwrap().organiser, None);
    }
}
