//! PostgreSQL statements over batches of rows, which are passed as named columns.
//!
//! A batch is passed as one array for each column, so that the statement is planned only once, for any number of rows.
//! [`columns!`] declares each column on one line: its name, its type in PostgreSQL, and its value for a row.
//! [`build_statement`] numbers the parameters automatically.

use sea_orm::{DatabaseBackend, Statement, Value};

/// The rows of a batch, as referred to by a statement template.
pub(crate) struct BatchRows {
    /// The placeholder in the template: `{name}`.
    pub(crate) name: &'static str,
    /// The name and the type of each column.
    pub(crate) columns: &'static [(&'static str, &'static str)],
    /// The array of each column.
    pub(crate) values: Vec<Value>,
}

/// Declares a function that converts the rows of a batch to columns.
macro_rules! columns {
    ($(#[$doc:meta])* $name:ident($row:ty) { $($column:ident : $kind:literal = |$each:ident| $value:expr;)+ }) => {
        $(#[$doc])*
        fn $name(rows: &[$row]) -> $crate::unnest::BatchRows {
            $crate::unnest::BatchRows {
                name: stringify!($name),
                columns: &[$((stringify!($column), $kind)),+],
                values: vec![$(rows.iter().map(|$each| $value).collect::<Vec<_>>().into()),+],
            }
        }
    };
}
pub(crate) use columns;

/// Fills in a statement template: `{rows}` becomes `unnest($1::uuid[], ..) AS rows (id, ..)`, and `{now}` a parameter.
pub(crate) fn build_statement(
    template: &str,
    batches: impl IntoIterator<Item = BatchRows>,
    scalars: impl IntoIterator<Item = (&'static str, Value)>,
) -> Statement {
    let (mut sql, mut values) = (template.to_owned(), Vec::new());
    for BatchRows { name, columns, values: arrays } in batches {
        let first = values.len() + 1;
        let arrays_of = columns.iter().enumerate();
        let arrays_of: Vec<String> =
            arrays_of.map(|(index, (_, kind))| format!("${}::{kind}[]", first + index)).collect();
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let table = format!("unnest({}) AS {name} ({})", arrays_of.join(", "), names.join(", "));
        sql = sql.replace(&format!("{{{name}}}"), &table);
        values.extend(arrays);
    }
    for (name, value) in scalars {
        values.push(value);
        sql = sql.replace(&format!("{{{name}}}"), &format!("${}", values.len()));
    }
    Statement::from_sql_and_values(DatabaseBackend::Postgres, sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    columns! {
        people(i64) {
            id: "bigint" = |number| *number;
            name: "text" = |number| number.to_string();
        }
    }

    #[test]
    fn parameters_are_numbered_in_the_order_of_columns_and_scalars() {
        let scalars = [("now", Value::from(7_i64)), ("most", Value::from(8_i64))];
        let made = build_statement("SELECT {now} + {most} + {now} FROM {people}", [people(&[1, 2])], scalars);
        let table = "unnest($1::bigint[], $2::text[]) AS people (id, name)";
        assert_eq!(made.sql, format!("SELECT $3 + $4 + $3 FROM {table}"));
        let values = made.values.unwrap().0;
        assert_eq!(values[0], vec![1_i64, 2].into());
        assert_eq!(values[1], vec!["1".to_owned(), "2".to_owned()].into());
        assert_eq!(values[2..], [7_i64.into(), 8_i64.into()]);
    }
}
