//! Formats lists as tables.

use serde_json::Value;

/// Formats JSON objects as a table with headings. Columns select fields by name, nested fields by `outer.inner`; a
/// list is represented by its length.
pub(super) fn format_table(rows: &Value, columns: &[(&str, &str)]) -> String {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return "Nothing.\n".to_owned();
    }
    let heads = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
    let cells = |row| columns.iter().map(|(_, member)| cell(row, member)).collect();
    let lines: Vec<Vec<String>> = std::iter::once(heads).chain(rows.iter().map(cells)).collect();
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}

fn cell(row: &Value, member: &str) -> String {
    let mut value = row;
    for part in member.split('.') {
        value = &value[part];
    }
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.len().to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let rows =
            json!([{ "a": "long text", "b": { "c": 1 } }, { "a": "x", "b": { "c": [1, 2] } }, { "b": {} }]);
        let text = format_table(&rows, &[("WHAT", "a"), ("N", "b.c")]);
        assert_eq!(text, "WHAT       N\nlong text  1\nx          2\n-          -\n");
        assert_eq!(format_table(&json!([]), &[("WHAT", "a")]), "Nothing.\n");
    }
}
