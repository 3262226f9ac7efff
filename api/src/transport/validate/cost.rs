//! What a document would answer at most: each field, as often as the lists above it are long.
//!
//! `first` and `last` give the length; where a field takes them and neither is given, its default or the
//! configured page. Depends on the variables, so it is computed for every request; each fragment once.

use std::collections::HashMap;

use apollo_compiler::{
    ExecutableDocument,
    ast::Value,
    executable::{Field, Operation, Selection, SelectionSet},
};
use serde_json::Map;

/// The cost of an operation. Saturates: fragments can unfold to more than a number holds.
pub fn of(
    document: &ExecutableDocument,
    operation: &Operation,
    variables: &Map<String, serde_json::Value>,
    default_page: u64,
) -> u64 {
    Pricing { document, operation, variables, default_page, known: HashMap::new() }
        .set(&operation.selection_set)
}

struct Pricing<'a> {
    document: &'a ExecutableDocument,
    operation: &'a Operation,
    variables: &'a Map<String, serde_json::Value>,
    default_page: u64,
    known: HashMap<&'a str, u64>,
}

impl<'a> Pricing<'a> {
    fn set(&mut self, set: &'a SelectionSet) -> u64 {
        set.selections.iter().map(|selection| self.selection(selection)).fold(0, u64::saturating_add)
    }

    fn selection(&mut self, selection: &'a Selection) -> u64 {
        match selection {
            Selection::Field(field) => {
                let inner = self.set(&field.selection_set);
                self.page(field).saturating_mul(inner).saturating_add(1)
            }
            Selection::InlineFragment(inline) => self.set(&inline.selection_set),
            Selection::FragmentSpread(spread) => {
                let name = spread.fragment_name.as_str();
                if let Some(known) = self.known.get(name) {
                    return *known;
                }
                let fragment = self.document.fragments.get(name);
                let cost = fragment.map_or(0, |fragment| self.set(&fragment.selection_set));
                self.known.insert(name, cost);
                cost
            }
        }
    }

    /// How many entries the field answers.
    fn page(&self, field: &Field) -> u64 {
        let sizes = ["first", "last"];
        let takes = sizes.iter().any(|name| field.definition.argument_by_name(name).is_some());
        if !takes {
            return 1;
        }
        let asked = sizes
            .iter()
            .filter_map(|name| field.argument_by_name(name).ok())
            .filter_map(|value| self.number(value))
            .max();
        asked.unwrap_or(self.default_page).max(1)
    }

    fn number(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Int(number) => number.try_to_i32().ok().map(|number| number.max(0) as u64),
            Value::Variable(name) => match self.variables.get(name.as_str()) {
                Some(given) => given.as_u64(),
                None => {
                    let declared = self.operation.variables.iter().find(|declared| declared.name == *name)?;
                    self.number(declared.default_value.as_ref()?)
                }
            },
            _ => None,
        }
    }
}
