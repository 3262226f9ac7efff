//! Sizes in the arguments of a field: elements of lists, bounds of lists in the response, candidates of a search.

use apollo_compiler::{ast::Value, executable::Field, schema::ExtendedType};
use chrono::{DateTime, FixedOffset};

use super::Pricing;

impl<'a> Pricing<'a> {
    /// Total of the numbers in the field's arguments that limit lists in its response: input fields named `max...`.
    pub(super) fn maxima(&self, field: &Field) -> u64 {
        let of_argument = |argument: &apollo_compiler::ast::InputValueDefinition| {
            let Some(ExtendedType::InputObject(object)) =
                self.schema.types.get(argument.ty.inner_named_type())
            else {
                return 0;
            };
            let given = field.argument_by_name(&argument.name).ok();
            let bounds = object.fields.iter().filter(|(name, _)| name.starts_with("max"));
            bounds
                .filter_map(|(name, definition)| {
                    let default = definition.default_value.as_deref().and_then(|value| self.number(value));
                    given.and_then(|value| self.member(value, name)).or(default)
                })
                .fold(0, u64::saturating_add)
        };
        field.definition.arguments.iter().map(|argument| of_argument(argument)).fold(0, u64::saturating_add)
    }

    /// The price of searching a window (`from`, `until`) in steps of minutes (`stepMinutes`): each candidate is compared with
    /// each of the `elements`, whether or not it is returned.
    pub(super) fn candidates(&self, field: &Field, elements: u64) -> u64 {
        let of_argument = |argument: &apollo_compiler::ast::InputValueDefinition| {
            let Some(ExtendedType::InputObject(object)) =
                self.schema.types.get(argument.ty.inner_named_type())
            else {
                return None;
            };
            let step = object.fields.get("stepMinutes")?;
            let given = field.argument_by_name(&argument.name).ok()?;
            let default = step.default_value.as_deref().and_then(|value| self.number(value));
            let step = self.member(given, "stepMinutes").or(default).unwrap_or(1).max(1);
            let [from, until] = ["from", "until"].map(|name| self.time(given, name));
            Some((until? - from?).num_minutes().max(0).unsigned_abs() / step)
        };
        let candidates: u64 = field.definition.arguments.iter().filter_map(|one| of_argument(one)).sum();
        candidates.saturating_mul(elements.max(1)).div_ceil(COMPARED_PER_ROW)
    }

    /// A time in an input object, by the name of its field; `None` if it is missing or malformed.
    fn time(&self, object: &Value, name: &str) -> Option<DateTime<FixedOffset>> {
        let text = match object {
            Value::Object(fields) => match &*fields.iter().find(|(field, _)| field == name)?.1 {
                Value::String(text) => text.as_str(),
                Value::Variable(variable) => self.variables.get(variable.as_str())?.as_str()?,
                _ => return None,
            },
            Value::Variable(variable) => self.variables.get(variable.as_str())?.get(name)?.as_str()?,
            _ => return None,
        };
        DateTime::parse_from_rfc3339(text).ok()
    }

    /// A number in an input object, by the name of its field.
    fn member(&self, object: &Value, name: &str) -> Option<u64> {
        match object {
            Value::Object(fields) => {
                let (_, value) = fields.iter().find(|(field, _)| field == name)?;
                self.number(value)
            }
            Value::Variable(variable) => match self.variables.get(variable.as_str()) {
                Some(given) => given.get(name)?.as_u64(),
                None => self.member(self.default_of(variable)?, name),
            },
            _ => None,
        }
    }

    /// Total number of elements of the lists in the field's arguments, nested lists and lists in objects included.
    pub(super) fn elements(&self, field: &Field) -> u64 {
        field.arguments.iter().map(|argument| self.length(&argument.value)).fold(0, u64::saturating_add)
    }

    fn length(&self, value: &Value) -> u64 {
        match value {
            Value::List(items) => {
                items.iter().map(|item| self.length(item)).fold(items.len() as u64, u64::saturating_add)
            }
            Value::Object(fields) => {
                fields.iter().map(|(_, value)| self.length(value)).fold(0, u64::saturating_add)
            }
            Value::Variable(name) => match self.variables.get(name.as_str()) {
                Some(given) => given_length(given),
                None => self.default_of(name).map_or(0, |default| self.length(default)),
            },
            _ => 0,
        }
    }

    fn default_of(&self, name: &str) -> Option<&'a Value> {
        let declared = self.operation.variables.iter().find(|declared| declared.name == name)?;
        declared.default_value.as_deref()
    }

    pub(super) fn number(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Int(number) => number.try_to_i32().ok().map(|number| number.max(0) as u64),
            Value::Variable(name) => match self.variables.get(name.as_str()) {
                Some(given) => given.as_u64(),
                None => self.number(self.default_of(name)?),
            },
            _ => None,
        }
    }
}

/// Comparisons of a candidate slot with a calendar that cost as much as one row of the database: a search of 62 days in
/// steps of a minute for ten users costs as much as nine pages of a hundred rows.
const COMPARED_PER_ROW: u64 = 1_000;

/// [`Pricing::length`] of a variable's value.
fn given_length(value: &serde_json::Value) -> u64 {
    use serde_json::Value;
    match value {
        Value::Array(items) => items.iter().map(given_length).fold(items.len() as u64, u64::saturating_add),
        Value::Object(fields) => fields.values().map(given_length).fold(0, u64::saturating_add),
        _ => 0,
    }
}
