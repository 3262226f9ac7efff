//! Computes the cost of a document: the maximum number of fields in its response.
//!
//! `first` and `last` determine the length of a list; if a field takes them and neither is given, its default or the
//! page size that the services use counts. A list without them counts as [`LIST`], or as long as it may be ([`LONG`]),
//! except in a connection, whose length is known, in the payload of a mutation, whose lists are as long as those of
//! its input, and in introspection, which has a fixed price. A list in an argument, at any depth, gives a length too: a
//! resolver works, or responds, once for each element. Lists are priced by value and not by name, so that an argument
//! added later has a price without further work. A field that gives one response to a whole list of arguments, such as
//! `availability`, is priced once; the lists in it are as long as those in the arguments, or as an argument whose name
//! begins with `max` allows; a window that is searched in steps is priced by its candidates. The cost depends on the variables, so it is computed for every request; each fragment
//! once.

mod arguments;

use std::collections::HashMap;

use apollo_compiler::{
    ExecutableDocument, Schema,
    executable::{Field, Operation, Selection, SelectionSet},
};
use serde_json::Map;

/// The cost of an operation. Saturates, because the expansion of fragments can exceed the range of the integer.
pub fn operation_cost(
    schema: &Schema,
    document: &ExecutableDocument,
    operation: &Operation,
    variables: &Map<String, serde_json::Value>,
    default_page: u64,
) -> u64 {
    let known = HashMap::new();
    Pricing { schema, document, operation, variables, longest: LIST, default_page, known }
        .set(&operation.selection_set)
}

struct Pricing<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    operation: &'a Operation,
    variables: &'a Map<String, serde_json::Value>,
    default_page: u64,
    /// Length of a list without arguments of its own at the current position; a list within it counts as [`LIST`]
    /// again.
    longest: u64,
    /// Computed costs of fragments, by the length that applies to lists in them.
    known: HashMap<(&'a str, u64), u64>,
}

impl<'a> Pricing<'a> {
    fn set(&mut self, set: &'a SelectionSet) -> u64 {
        let within = set.ty.as_str();
        set.selections.iter().map(|selection| self.selection(within, selection)).fold(0, u64::saturating_add)
    }

    /// Cost of a selection set on a type.
    fn selection(&mut self, within: &str, selection: &'a Selection) -> u64 {
        match selection {
            Selection::Field(field) => {
                if field.name == "__schema" || field.name == "__type" {
                    return INTROSPECTION;
                }
                let elements = self.elements(field);
                let work = elements
                    .saturating_add(self.maxima(field).div_ceil(COMPUTED_PER_ROW))
                    .saturating_add(self.candidates(field, elements));
                let is_one_answer = work > 0 && !responds_for_each(field);
                let each = if is_one_answer { 1 } else { elements.max(1) };
                let times = self.page(within, field, elements).saturating_mul(each);
                let outside = self.longest;
                if is_one_answer {
                    self.longest = LIST.max(work);
                } else if field.definition.ty.is_list() {
                    self.longest = LIST;
                }
                let inner = self.set(&field.selection_set);
                self.longest = outside;
                // The work itself is paid for as well: it is done even if next to nothing is selected.
                times.saturating_mul(inner).saturating_add(work).saturating_add(1)
            }
            Selection::InlineFragment(inline) => self.set(&inline.selection_set),
            Selection::FragmentSpread(spread) => {
                let name = spread.fragment_name.as_str();
                if let Some(known) = self.known.get(&(name, self.longest)) {
                    return *known;
                }
                let fragment = self.document.fragments.get(name);
                let cost = fragment.map_or(0, |fragment| self.set(&fragment.selection_set));
                self.known.insert((name, self.longest), cost);
                cost
            }
        }
    }

    /// Number of entries that the field returns, given the number of elements in its arguments.
    fn page(&self, within: &str, field: &Field, elements: u64) -> u64 {
        let sizes = ["first", "last"];
        let takes = sizes.iter().any(|name| field.definition.argument_by_name(name).is_some());
        if !takes {
            let is_one = !field.definition.ty.is_list() || is_counted_above(within) || elements > 0;
            let known = LONG.iter().find(|(ty, name, _)| *ty == within && *name == field.name.as_str());
            let length = known.map_or(self.longest, |(_, _, length)| *length);
            return if is_one { 1 } else { length };
        }
        let asked = sizes
            .iter()
            .filter_map(|name| field.argument_by_name(name).ok())
            .filter_map(|value| self.number(value))
            .max();
        asked.unwrap_or(self.default_page).max(1)
    }
}

/// Assumed length of a list whose field has no size argument, such as the participants of a booking.
const LIST: u64 = 20;

/// Fields whose lists may be much longer than [`LIST`], with the maximum length that the services allow.
const LONG: [(&str, &str, u64); 1] = [("Query", "roles", 200)];

/// Computed items that cost as much as one row of the database: measured, 1,000 slots take 3 ms, 10 users with their
/// roles 1 ms.
const COMPUTED_PER_ROW: u64 = 10;

/// Whether the field responds once for each element of its arguments: with a list, or with a type whose lists are
/// counted where the type stands.
fn responds_for_each(field: &Field) -> bool {
    field.definition.ty.is_list() || is_counted_above(field.definition.ty.inner_named_type())
}

/// Cost of an introspection query. As introspection permits no aliases, a query cannot request more than one complete
/// schema.
const INTROSPECTION: u64 = 2_000;

/// Whether the enclosing field determines the length of the lists in a type.
fn is_counted_above(ty: &str) -> bool {
    ty.ends_with("Connection") || ty.ends_with("Payload")
}

#[cfg(test)]
mod tests {
    use apollo_compiler::{Schema, ast::Type, schema::ExtendedType, validation::Valid};
    use serde_json::json;

    use super::{super::Limits, *};

    fn schema() -> Valid<Schema> {
        Schema::parse_and_validate(include_str!("../../../../schema.graphql"), "schema.graphql").unwrap()
    }

    /// The paths from an argument to each list in it.
    fn lists(schema: &Schema, path: &[&str], ty: &Type, found: &mut Vec<Vec<String>>) {
        if ty.is_list() {
            found.push(path.iter().map(|name| (*name).to_owned()).collect());
        }
        let Some(ExtendedType::InputObject(object)) = schema.types.get(ty.inner_named_type()) else { return };
        for (name, field) in object.fields.iter().filter(|(name, _)| !path.contains(&name.as_str())) {
            lists(schema, &[path, &[name.as_str()]].concat(), &field.ty, found);
        }
    }

    /// Every list that an argument of any field is or contains: type, field and path to the list.
    fn every_list(schema: &Schema) -> Vec<(String, String, Vec<String>)> {
        let mut every = Vec::new();
        for (name, ty) in schema.types.iter().filter(|(name, _)| !name.starts_with("__")) {
            let ExtendedType::Object(object) = ty else { continue };
            for (field, definition) in &object.fields {
                let mut found = Vec::new();
                for argument in &definition.arguments {
                    lists(schema, &[argument.name.as_str()], &argument.ty, &mut found);
                }
                every.extend(found.into_iter().map(|path| (name.to_string(), field.to_string(), path)));
            }
        }
        every
    }

    fn price(schema: &Valid<Schema>, text: &str, variables: serde_json::Value) -> u64 {
        let document = ExecutableDocument::parse(schema, text, "document").unwrap();
        let serde_json::Value::Object(variables) = variables else { panic!("variables are an object") };
        operation_cost(
            schema,
            &document,
            document.operations.get(None).unwrap(),
            &variables,
            services::page::DEFAULT_PAGE_SIZE,
        )
    }

    #[test]
    fn every_list_among_the_arguments_of_the_schema_has_a_price() {
        let schema = schema();
        let every = every_list(&schema);
        assert!(every.iter().any(|(_, field, path)| field == "nodes" && path == &["ids"]), "{every:?}");
        assert!(every.iter().any(|(_, _, path)| path.len() > 2), "lists in objects in lists are found");
        for (ty, field, path) in every {
            let inner = schema.type_field(&ty, &field).unwrap().ty.inner_named_type();
            let selection = match schema.types.get(inner) {
                Some(ExtendedType::Scalar(_) | ExtendedType::Enum(_)) => "",
                _ => "{ __typename }",
            };
            let of_length = |length: usize| {
                let literal =
                    path[1..].iter().rev().fold(format!("[{}]", "X ".repeat(length)), |value, name| {
                        format!("{{ {name}: {value} }}")
                    });
                let given =
                    path[1..].iter().rev().fold(json!(vec![0; length]), |value, name| json!({ name: value }));
                let fragment = |value: &str| {
                    format!("fragment F on {ty} {{ {field}({}: {value}) {selection} }}", path[0])
                };
                let written = price(&schema, &format!("{{ ...F }} {}", fragment(&literal)), json!({}));
                let text = format!("query ($v: Int) {{ ...F }} {}", fragment("$v"));
                let text_with_default = format!("query ($v: Int = {literal}) {{ ...F }} {}", fragment("$v"));
                assert_eq!(price(&schema, &text, json!({ "v": given })), written, "{ty}.{field} {path:?}");
                assert_eq!(price(&schema, &text_with_default, json!({})), written, "{ty}.{field} {path:?}");
                written
            };
            let (one, many) = (of_length(1), of_length(100));
            assert!(many >= one + 99, "{ty}.{field} {path:?} has no price: 1 costs {one}, 100 cost {many}");
            let result = &schema.type_field(&ty, &field).unwrap().ty;
            if !selection.is_empty() && (result.is_list() || is_counted_above(inner)) {
                assert!(many >= 200, "{ty}.{field} {path:?} answers for each and costs {many}");
            }
        }
    }

    #[test]
    fn every_list_of_objects_in_an_answer_has_a_price() {
        let schema = schema();
        let mut counted = 0;
        for (name, ty) in schema.types.iter().filter(|(name, _)| !name.starts_with("__")) {
            let ExtendedType::Object(object) = ty else { continue };
            for (field, definition) in &object.fields {
                let inner = schema.types.get(definition.ty.inner_named_type());
                let is_leaf = matches!(inner, Some(ExtendedType::Scalar(_) | ExtendedType::Enum(_)));
                let takes = |size| definition.argument_by_name(size).is_some();
                if !definition.ty.is_list() || is_leaf || is_counted_above(name) || takes("first") {
                    continue;
                }
                let required = definition.arguments.iter().filter(|argument| argument.is_required());
                let given: Vec<_> =
                    required.map(|argument| format!("{}: [X X X X X]", argument.name)).collect();
                let arguments =
                    if given.is_empty() { String::new() } else { format!("({})", given.join(" ")) };
                let of = |more: &str| {
                    let text = format!(
                        "{{ ...F }} fragment F on {name} {{ {field}{arguments} {{ __typename {more} }} }}"
                    );
                    price(&schema, &text, json!({}))
                };
                let entries = of("again: __typename") - of("");
                assert!(entries >= 5, "{name}.{field}: one more field below it costs {entries}");
                counted += 1;
            }
        }
        assert!(counted > 10, "{counted} lists were found");
    }

    #[test]
    fn one_answer_to_many_is_priced_once_and_its_lists_by_what_is_asked_for() {
        let schema = schema();
        let text = "query ($i: AvailabilityInput!) { availability(input: $i) {
            slots { start end } participants { known } } }";
        let of = |people: usize, slots: Option<u32>| {
            let mut input = json!({ "userIds": vec!["x"; people] });
            if let Some(slots) = slots {
                input["maxSlots"] = json!(slots);
            }
            price(&schema, text, json!({ "i": input }))
        };
        let work = |people: u64, slots: u64| {
            let work = people + slots / 10;
            1 + work + (1 + 2 * work.max(20)) + (1 + work.max(20))
        };
        assert_eq!(of(100, Some(1_000)), work(100, 1_000));
        assert_eq!(of(1, None), work(1, 200), "the default bounds it as well");
        let nested = "query ($i: AvailabilityInput!) { availability(input: $i) { slots { rooms { id } } } }";
        let input = json!({ "i": { "userIds": vec!["x"; 100], "maxSlots": 1_000 } });
        assert_eq!(
            price(&schema, nested, input),
            1 + 200 + (1 + 200 * (1 + 20)),
            "a page of rooms for each slot"
        );
    }

    #[test]
    fn a_search_is_priced_by_its_window_its_steps_and_its_participants() {
        let schema = schema();
        let query = |users: u64, days: u64, step: u64| {
            let ids: Vec<String> = (0..users).map(|id| format!("usr_{id}")).collect();
            let until = chrono::DateTime::UNIX_EPOCH + chrono::Duration::days(days.cast_signed());
            let input = json!({ "userIds": ids, "from": "1970-01-01T00:00:00Z", "until": until.to_rfc3339(),
                "durationMinutes": 30, "stepMinutes": step, "maxSlots": 1 });
            let text =
                "query($input: AvailabilityInput!) { availability(input: $input) { slots { start } } }";
            price(&schema, text, json!({ "input": input }))
        };
        let small = query(1, 1, 15);
        assert!(query(1, 62, 15) > small, "the window");
        assert!(query(1, 62, 1) > query(1, 62, 15), "the step");
        assert!(query(10, 62, 1) > 5 * query(1, 62, 1), "the participants");
        let literal = "{ availability(input: { userIds: [\"usr_1\"], from: \"1970-01-01T00:00:00Z\", \
                       until: \"1970-03-04T00:00:00Z\", durationMinutes: 30, stepMinutes: 1, maxSlots: 1 }) { slots { start } } }";
        assert_eq!(price(&schema, literal, json!({})), query(1, 62, 1), "written out it costs the same");
    }

    #[test]
    fn a_list_is_priced_by_what_it_may_return() {
        let schema = schema();
        let of = |text: &str| price(&schema, text, json!({}));
        let default = services::page::DEFAULT_PAGE_SIZE;
        assert_eq!(Limits::default().default_page, default);
        assert_eq!(of("{ users { nodes { id } } }"), 1 + default * 2);
        assert_eq!(of("{ roles { id } }"), 1 + 200);
    }

    #[test]
    fn what_is_selected_below_a_list_counts_once_for_each_of_its_elements() {
        let schema = schema();
        let ids = json!({ "ids": vec!["x"; 100] });
        let text = "query ($ids: [ID!]!) { nodes(ids: $ids) { ...F } }
            fragment F on Integration { connectedMailboxes(first: 100) { nodes { id } } }";
        assert_eq!(price(&schema, text, ids), 1 + 100 + 100 * (1 + 100 * 2));
    }
}
