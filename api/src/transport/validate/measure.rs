//! Measures the syntax of a document: depth, aliases, directives, root fields, duplicate input fields.
//!
//! Runs before validation, which costs much more. A fragment is measured once, however often it is spread: a chain of
//! fragments that each spread the next one twice is cheap to measure, yet its whole expansion is counted.

use std::collections::HashMap;

use apollo_compiler::ast::{Definition, DirectiveList, Document, FragmentDefinition, Selection, Value};

use super::limits::{self, Limits};
use crate::error::Error;

/// Size of the expansion of a selection set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SelectionSize {
    /// Number of fields of the set itself.
    pub fields: u64,
    /// Depth of ordinary fields.
    pub depth: u64,
    /// Depth of fields at and below `__schema` and `__type`.
    pub introspection_depth: u64,
}

impl SelectionSize {
    fn add(&mut self, other: Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.depth = self.depth.max(other.depth);
        self.introspection_depth = self.introspection_depth.max(other.introspection_depth);
    }
}

/// Measures a whole document.
pub struct SelectionMeasurer<'a> {
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    /// Measured fragments; `None` while a fragment is being measured, which detects cycles. Validation reports them.
    known: HashMap<&'a str, Option<SelectionSize>>,
    aliases: u64,
    directives: u64,
    /// An input field that an object literal contains twice.
    twice: Option<&'a str>,
}

impl<'a> SelectionMeasurer<'a> {
    /// Measures every operation and fragment, and refuses what exceeds a limit.
    ///
    /// Returns the name of a duplicate input field, which the validator does not detect.
    pub fn check_limits(document: &'a Document, limits: &Limits) -> Result<Option<&'a str>, Error> {
        let fragments = document
            .definitions
            .iter()
            .filter_map(|definition| match definition {
                Definition::FragmentDefinition(fragment) => Some((fragment.name.as_str(), &**fragment)),
                _ => None,
            })
            .collect();
        let mut survey = Self { fragments, known: HashMap::new(), aliases: 0, directives: 0, twice: None };
        for definition in &document.definitions {
            survey.definition(definition, limits)?;
        }
        limits::check_limit("aliases", survey.aliases, limits.aliases as u64)?;
        limits::check_limit("directives", survey.directives, limits.directives as u64)?;
        Ok(survey.twice)
    }

    fn definition(&mut self, definition: &'a Definition, limits: &Limits) -> Result<(), Error> {
        match definition {
            Definition::OperationDefinition(operation) => {
                self.directives(&operation.directives);
                for variable in &operation.variables {
                    self.directives(&variable.directives);
                    variable.default_value.iter().for_each(|value| self.value(value));
                }
                let measure = self.set(&operation.selection_set);
                limits::check_limit("root fields", measure.fields, limits.root_fields as u64)?;
                limits::check_limit("levels of fields", measure.depth, limits.depth as u64)?;
                let deepest = limits.introspection_depth as u64;
                limits::check_limit("levels of introspection", measure.introspection_depth, deepest)
            }
            Definition::FragmentDefinition(fragment) => {
                let measure = self.fragment(&fragment.name);
                limits::check_limit("levels of fields", measure.depth, limits.introspection_depth as u64)
            }
            _ => Ok(()),
        }
    }

    fn set(&mut self, selections: &'a [Selection]) -> SelectionSize {
        let mut measure = SelectionSize::default();
        for selection in selections {
            measure.add(self.selection(selection));
        }
        measure
    }

    fn selection(&mut self, selection: &'a Selection) -> SelectionSize {
        match selection {
            Selection::Field(field) => {
                self.aliases += u64::from(field.alias.is_some());
                self.directives(&field.directives);
                field.arguments.iter().for_each(|argument| self.value(&argument.value));
                let inner = self.set(&field.selection_set);
                let depth = 1 + inner.depth.max(inner.introspection_depth);
                match field.name.as_str() {
                    "__schema" | "__type" => {
                        SelectionSize { fields: 1, depth: 0, introspection_depth: depth }
                    }
                    _ => SelectionSize { fields: 1, depth, introspection_depth: 0 },
                }
            }
            Selection::FragmentSpread(spread) => {
                self.directives(&spread.directives);
                self.fragment(&spread.fragment_name)
            }
            Selection::InlineFragment(inline) => {
                self.directives(&inline.directives);
                self.set(&inline.selection_set)
            }
        }
    }

    fn fragment(&mut self, name: &str) -> SelectionSize {
        if let Some(known) = self.known.get(name) {
            return known.unwrap_or_default();
        }
        let Some(fragment) = self.fragments.get(name).copied() else {
            return SelectionSize::default();
        };
        self.known.insert(&fragment.name, None);
        self.directives(&fragment.directives);
        let measure = self.set(&fragment.selection_set);
        self.known.insert(&fragment.name, Some(measure));
        measure
    }

    fn directives(&mut self, directives: &'a DirectiveList) {
        self.directives += directives.len() as u64;
        for argument in directives.iter().flat_map(|directive| &directive.arguments) {
            self.value(&argument.value);
        }
    }

    fn value(&mut self, value: &'a Value) {
        match value {
            Value::List(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(fields) => {
                for (place, (name, inner)) in fields.iter().enumerate() {
                    if fields[..place].iter().any(|(earlier, _)| earlier == name) {
                        self.twice = Some(name);
                    }
                    self.value(inner);
                }
            }
            _ => {}
        }
    }
}
