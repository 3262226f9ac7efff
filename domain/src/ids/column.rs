//! Ids as column values and statement parameters. The database stores only the UUID; the Rust type specifies the kind.

use sea_orm::{
    ActiveValue, ColIdx, DbErr, IntoActiveValue, QueryResult, TryFromU64, TryGetError, TryGetable,
    sea_query::{ArrayType, ColumnType, Nullable, Value, ValueType, ValueTypeErr, postgres_array::NotU8},
};
use uuid::Uuid;

use super::{AnyId, Id, IdKind};

macro_rules! uuid_column {
    ([$($generics:tt)*] $id:ty) => {
        impl<$($generics)*> From<$id> for Value {
            fn from(id: $id) -> Self {
                id.uuid().into()
            }
        }

        impl<$($generics)*> TryGetable for $id {
            fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
                Uuid::try_get_by(row, index).map(Self::from_uuid)
            }
        }

        impl<$($generics)*> ValueType for $id {
            fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
                <Uuid as ValueType>::try_from(value).map(Self::from_uuid)
            }

            fn type_name() -> String {
                Uuid::type_name()
            }

            fn array_type() -> ArrayType {
                Uuid::array_type()
            }

            fn column_type() -> ColumnType {
                Uuid::column_type()
            }
        }

        impl<$($generics)*> Nullable for $id {
            fn null() -> Value {
                Uuid::null()
            }
        }

        impl<$($generics)*> NotU8 for $id {}

        impl<$($generics)*> IntoActiveValue<$id> for $id {
            fn into_active_value(self) -> ActiveValue<$id> {
                ActiveValue::Set(self)
            }
        }

        /// Required for primary keys; always fails, because the database never generates ids.
        impl<$($generics)*> TryFromU64 for $id {
            fn try_from_u64(number: u64) -> Result<Self, DbErr> {
                Uuid::try_from_u64(number).map(Self::from_uuid)
            }
        }
    };
}

uuid_column!([K: IdKind] Id<K>);
uuid_column!([] AnyId);
