//! The subset of OData that clients of Graph use: pages, `$select`, literals in filters.

use serde_json::{Map, Value};

use super::failure::Failure;
use crate::wire::Request;

/// Parses the page size `$top`, 1 to `max`.
pub fn parse_top(request: &Request, default: usize, max: usize) -> Result<usize, Failure> {
    match request.query("$top") {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|top| (1..=max).contains(top)).ok_or_else(|| {
            Failure::new(
                400,
                "ErrorInvalidUrlQuery",
                format!("The value '{text}' of the query option '$top' must be between 1 and {max}."),
            )
        }),
    }
}

/// Parses the position at which a page begins.
pub fn parse_skip(request: &Request, name: &str) -> Result<usize, Failure> {
    match request.query(name) {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| {
            Failure::new(400, "BadRequest", format!("Invalid value '{text}' of the query option '{name}'."))
        }),
    }
}

/// One page of `all` as a collection, with a link to the next page.
pub fn collection_page(
    request: &Request,
    context: &str,
    all: &[Value],
    (skip, top): (usize, usize),
    cursor: &str,
) -> Value {
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), self::odata_context(context));
    if request.query("$count") == Some("true") {
        body.insert("@odata.count".to_owned(), all.len().into());
    }
    let end = skip.saturating_add(top).min(all.len());
    body.insert("value".to_owned(), all.get(skip..end).unwrap_or_default().into());
    if end < all.len() {
        body.insert("@odata.nextLink".to_owned(), next(request, cursor, end).into());
    }
    body.into()
}

fn next(request: &Request, cursor: &str, at: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(request.query_pairs().iter().filter(|(name, _)| name != cursor));
    query.append_pair(cursor, &at.to_string());
    format!("{}{}?{}", request.origin, request.path, query.finish())
}

/// The value of `@odata.context`.
pub fn odata_context(of: &str) -> Value {
    format!("https://graph.microsoft.com/v1.0/$metadata#{of}").into()
}

/// Keeps the selected fields, the id and annotations.
pub fn apply_select(request: &Request, value: Value) -> Value {
    let Some(selected) = request.query("$select") else { return value };
    let names: Vec<&str> = selected.split(',').map(str::trim).collect();
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(name, _)| name.starts_with('@') || name == "id" || names.contains(&name.as_str()))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

/// The string literals of an expression, in order; a doubled quote stands for one quote.
pub fn string_literals(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut characters = expression.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\'' {
            continue;
        }
        let mut literal = String::new();
        while let Some(inner) = characters.next() {
            match inner {
                '\'' if characters.peek() == Some(&'\'') => {
                    characters.next();
                    literal.push('\'');
                }
                '\'' => break,
                other => literal.push(other),
            }
        }
        found.push(literal);
    }
    found
}

/// Normalises a filter expression for comparison: lower case, without blanks, every literal replaced by `''`.
pub fn normalise_expression(expression: &str) -> String {
    let mut shape = String::new();
    let mut inside = false;
    for character in expression.chars() {
        match character {
            '\'' => {
                inside = !inside;
                shape.push('\'');
            }
            _ if inside || character.is_whitespace() => {}
            other => shape.extend(other.to_lowercase()),
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_shape_take_a_filter_apart() {
        let filter =
            "singleValueExtendedProperties/Any(ep: ep/id eq 'String {x} Name k' and ep/value eq 'O''Hara')";
        assert_eq!(string_literals(filter), ["String {x} Name k", "O'Hara"]);
        assert_eq!(
            normalise_expression(filter),
            "singlevalueextendedproperties/any(ep:ep/ideq''andep/valueeq'''')"
        );
    }
}
