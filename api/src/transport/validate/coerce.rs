//! Checks the values of variables against their types.
//!
//! The engine does not: it passes a string to an argument of type `Int!`. Follows the input coercion of the
//! specification (September 2025, sections 3 and 6.1.2); custom scalars accept anything here and are parsed by the
//! engine. Messages name the path of a value and never quote the value, which may be a secret.

use apollo_compiler::{
    Schema,
    executable::Operation,
    schema::{ExtendedType, InputObjectType, Type},
};
use serde_json::{Map, Value};

use super::rules::is_one_of;
use crate::error::ValidationError;

/// Maximum number of validation errors that are reported.
const TOLD: usize = 10;

/// Validation errors in the values; empty if all values are valid.
pub fn check_variables(
    schema: &Schema,
    operation: &Operation,
    values: &Map<String, Value>,
) -> Vec<ValidationError> {
    let mut check = Check { schema, faults: Vec::new() };
    for variable in &operation.variables {
        let place = format!("${}", variable.name);
        match values.get(variable.name.as_str()) {
            Some(value) => check.value(&place, &variable.ty, value),
            None if variable.default_value.is_none() && variable.ty.is_non_null() => {
                check.fault(&format!("{place} of type {} is missing.", variable.ty));
            }
            None => {}
        }
    }
    check.faults
}

struct Check<'a> {
    schema: &'a Schema,
    faults: Vec<ValidationError>,
}

impl Check<'_> {
    fn fault(&mut self, message: &str) {
        if self.faults.len() < TOLD {
            self.faults.push(ValidationError::new(message, None));
        }
    }

    fn value(&mut self, place: &str, ty: &Type, value: &Value) {
        if value.is_null() {
            if ty.is_non_null() {
                self.fault(&format!("{place} of type {ty} must not be null."));
            }
            return;
        }
        match (ty, value) {
            (Type::List(inner) | Type::NonNullList(inner), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(&format!("{place}[{index}]"), inner, item);
                }
            }
            // A single value stands for a list of one.
            (Type::List(inner) | Type::NonNullList(inner), single) => self.value(place, inner, single),
            (Type::Named(name) | Type::NonNullNamed(name), single) => self.named(place, name, single),
        }
    }

    fn named(&mut self, place: &str, name: &str, value: &Value) {
        let fits = match self.schema.types.get(name) {
            Some(ExtendedType::InputObject(object)) => {
                if let Value::Object(fields) = value {
                    return self.object(place, object, fields);
                }
                false
            }
            Some(ExtendedType::Enum(options)) => {
                value.as_str().is_some_and(|value| options.values.keys().any(|option| option == value))
            }
            Some(ExtendedType::Scalar(_)) => is_scalar(name, value),
            _ => false,
        };
        if !fits {
            self.fault(&format!("{place} is not a valid {name}."));
        }
    }

    fn object(&mut self, place: &str, object: &InputObjectType, given: &Map<String, Value>) {
        for (name, field) in &object.fields {
            match given.get(name.as_str()) {
                Some(value) => self.value(&format!("{place}.{name}"), &field.ty, value),
                None if field.default_value.is_none() && field.ty.is_non_null() => {
                    self.fault(&format!("{place}.{name} of type {} is missing.", field.ty));
                }
                None => {}
            }
        }
        for name in given.keys().filter(|name| !object.fields.contains_key(name.as_str())) {
            self.fault(&format!("{place} of type {} has no field {name}.", object.name));
        }
        if is_one_of(object) && (given.len() != 1 || given.values().any(Value::is_null)) {
            self.fault(&format!("{place} of type {} takes exactly one field, not null.", object.name));
        }
    }
}

fn is_scalar(name: &str, value: &Value) -> bool {
    match name {
        "Int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "Float" => value.is_number(),
        "String" => value.is_string(),
        "Boolean" => value.is_boolean(),
        "ID" => value.is_string() || value.is_i64() || value.is_u64(),
        _ => true,
    }
}
