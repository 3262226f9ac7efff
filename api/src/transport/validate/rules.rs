//! Validation rules that the validator lacks: `@oneOf` input objects, which the specification defines, and Muster's
//! own rule that introspection may not use aliases.
//!
//! It does not detect duplicate input fields either; `measure` finds those, because it visits every literal anyway.

use std::collections::HashSet;

use apollo_compiler::{
    ExecutableDocument, Node, Schema,
    ast::{Argument, InputValueDefinition, Type, Value},
    executable::{Selection, SelectionSet},
    schema::{ExtendedType, InputObjectType},
};

use crate::error::ValidationError;

/// Whether the input object requires exactly one of its fields.
pub fn is_one_of(object: &InputObjectType) -> bool {
    object.directives.get("oneOf").is_some()
}

/// Validation errors in the document; empty if it is valid.
pub fn check_rules(schema: &Schema, document: &ExecutableDocument) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    for operation in document.operations.iter() {
        aliases(&operation.selection_set, &mut faults);
    }
    document.fragments.values().for_each(|fragment| aliases(&fragment.selection_set, &mut faults));
    if !faults.is_empty() {
        return faults;
    }
    if !schema.types.values().any(|ty| matches!(ty, ExtendedType::InputObject(object) if is_one_of(object))) {
        return Vec::new();
    }
    // A variable that is nullable in one operation is taken as nullable in all: a fragment does not say
    // which operation it is spread in.
    let nullable = document
        .operations
        .iter()
        .flat_map(|operation| &operation.variables)
        .filter(|variable| !variable.ty.is_non_null())
        .map(|variable| variable.name.as_str())
        .collect();
    let mut check = Check { schema, nullable, faults: Vec::new() };
    for operation in document.operations.iter() {
        check.set(&operation.selection_set);
        for variable in &operation.variables {
            variable.default_value.iter().for_each(|value| check.value(&variable.ty, value));
        }
    }
    document.fragments.values().for_each(|fragment| check.set(&fragment.selection_set));
    check.faults
}

/// Refuses aliases in introspection: each would return the whole schema again.
fn aliases(set: &SelectionSet, faults: &mut Vec<ValidationError>) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => {
                let looks = set.ty.starts_with("__") || field.name == "__schema" || field.name == "__type";
                if looks && field.alias.is_some() && faults.is_empty() {
                    let message = "Introspection fields may not have aliases.";
                    faults.push(ValidationError::new(message, None));
                }
                aliases(&field.selection_set, faults);
            }
            Selection::InlineFragment(inline) => aliases(&inline.selection_set, faults),
            Selection::FragmentSpread(_) => {}
        }
    }
}

struct Check<'a> {
    schema: &'a Schema,
    nullable: HashSet<&'a str>,
    faults: Vec<ValidationError>,
}

impl Check<'_> {
    fn set(&mut self, set: &SelectionSet) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    self.arguments(&field.definition.arguments, &field.arguments);
                    self.set(&field.selection_set);
                }
                Selection::InlineFragment(inline) => self.set(&inline.selection_set),
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn arguments(&mut self, defined: &[Node<InputValueDefinition>], given: &[Node<Argument>]) {
        for argument in given {
            if let Some(definition) = defined.iter().find(|definition| definition.name == argument.name) {
                self.value(&definition.ty, &argument.value);
            }
        }
    }

    fn value(&mut self, ty: &Type, value: &Value) {
        match value {
            Value::List(items) => items.iter().for_each(|item| self.value(ty, item)),
            Value::Object(fields) => {
                let Some(ExtendedType::InputObject(object)) = self.schema.types.get(ty.inner_named_type())
                else {
                    return;
                };
                for (name, inner) in fields {
                    if let Some(field) = object.fields.get(name) {
                        self.value(&field.ty, inner);
                    }
                }
                if is_one_of(object) && !self.is_exactly_one(fields) {
                    let message = format!("`{}` takes exactly one field, not null.", object.name);
                    self.faults.push(ValidationError::new(&message, None));
                }
            }
            _ => {}
        }
    }

    fn is_exactly_one(&self, fields: &[(apollo_compiler::Name, Node<Value>)]) -> bool {
        match fields {
            [(_, only)] => match &**only {
                Value::Null => false,
                Value::Variable(name) => !self.nullable.contains(name.as_str()),
                _ => true,
            },
            _ => false,
        }
    }
}
