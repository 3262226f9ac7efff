//! Makes documents out of what introspection says of a schema.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// How deep selections go: a connection's nodes with what they refer to.
const DEPTH: usize = 2;

/// The types of a schema, by name.
pub struct Types(BTreeMap<String, Value>);

/// One operation.
pub struct Call {
    /// `query`, `mutation` or `subscription`.
    pub operation: &'static str,
    /// The root field.
    pub field: String,
    pub document: String,
    pub variables: Value,
}

impl Types {
    /// Reads the answer to an introspection query.
    pub fn of(introspection: &Value) -> Self {
        let all = introspection["__schema"]["types"].as_array().unwrap();
        Self(all.iter().map(|one| (one["name"].as_str().unwrap().to_owned(), one.clone())).collect())
    }

    fn roots(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        let of = |name: &str| self.0[name]["fields"].as_array().unwrap().iter();
        of("Query")
            .map(|field| ("query", field))
            .chain(of("Mutation").map(|field| ("mutation", field)))
            .chain(of("Subscription").map(|field| ("subscription", field)))
    }

    /// Every root field, once for each of the ids where it takes any: with all its arguments, and with as few as will do.
    pub fn calls<'a>(&'a self, ids: &'a [String]) -> impl Iterator<Item = Call> + 'a {
        let all = [true, false].into_iter().flat_map(|whole| self.roots().map(move |root| (whole, root)));
        all.flat_map(move |(whole, (operation, field))| {
            let is_given = |arg: &&Value| whole || arg["type"]["kind"] == "NON_NULL";
            let takes_id = |arg: &Value| self.takes_id(&arg["type"]);
            let takes_ids = field["args"].as_array().unwrap().iter().filter(is_given).any(takes_id);
            let tried = if takes_ids { ids } else { &ids[..1] };
            tried.iter().map(move |id| self.call(operation, field, id, whole))
        })
    }

    fn call(&self, operation: &'static str, field: &Value, id: &str, whole: bool) -> Call {
        let name = field["name"].as_str().unwrap();
        let (mut declared, mut given, mut variables) = (Vec::new(), Vec::new(), Map::new());
        for arg in field["args"].as_array().unwrap() {
            let arg_name = arg["name"].as_str().unwrap();
            // One of the two ways to page is enough, and no page before the first.
            let is_other_page = ["last", "before", "after"].contains(&arg_name);
            let is_optional = arg["type"]["kind"] != "NON_NULL";
            if is_other_page || (is_optional && !whole) {
                continue;
            }
            declared.push(format!("${arg_name}: {}", written(&arg["type"])));
            given.push(format!("{arg_name}: ${arg_name}"));
            variables.insert(arg_name.to_owned(), self.value(&arg["type"], arg_name, id));
        }
        let list =
            |all: &[String]| if all.is_empty() { String::new() } else { format!("({})", all.join(", ")) };
        let selection = self.selection(&field["type"], DEPTH);
        let document = format!("{operation}{} {{ {name}{}{selection} }}", list(&declared), list(&given));
        Call { operation, field: name.to_owned(), document, variables: Value::Object(variables) }
    }

    fn takes_id(&self, ty: &Value) -> bool {
        let name = named(ty);
        let members = self.0[name]["inputFields"].as_array().into_iter().flatten();
        name == "ID" || members.into_iter().any(|member| self.takes_id(&member["type"]))
    }

    /// A value that the type takes; every id is the one that is tried.
    fn value(&self, ty: &Value, name: &str, id: &str) -> Value {
        match ty["kind"].as_str().unwrap() {
            "NON_NULL" => self.value(&ty["ofType"], name, id),
            "LIST" => json!([self.value(&ty["ofType"], name, id)]),
            "ENUM" => self.0[named(ty)]["enumValues"][0]["name"].clone(),
            "INPUT_OBJECT" => {
                let of = &self.0[named(ty)];
                let members = of["inputFields"].as_array().unwrap();
                // Of a @oneOf input exactly one member is given: the first that takes an id.
                let chosen: Vec<_> = if of["isOneOf"] == json!(true) {
                    let by_id = members.iter().find(|member| self.takes_id(&member["type"]));
                    by_id.or(members.first()).into_iter().collect()
                } else {
                    members.iter().collect()
                };
                let value = |member: &&Value| {
                    let name = member["name"].as_str().unwrap();
                    (name.to_owned(), self.value(&member["type"], name, id))
                };
                Value::Object(chosen.iter().map(value).collect())
            }
            "SCALAR" => scalar(named(ty), name, id),
            kind => panic!("an argument of kind {kind}"),
        }
    }

    /// All that can be selected without an argument, to a depth.
    fn selection(&self, ty: &Value, depth: usize) -> String {
        let of = &self.0[named(ty)];
        let parts = match of["kind"].as_str().unwrap() {
            "SCALAR" | "ENUM" => return String::new(),
            "UNION" | "INTERFACE" => {
                let possible = of["possibleTypes"].as_array().unwrap();
                let part = |one: &Value| {
                    let name = one["name"].as_str().unwrap();
                    format!("... on {name} {}", self.members(&self.0[name], depth, name))
                };
                possible.iter().map(part).collect::<Vec<_>>().join(" ")
            }
            _ => return self.members(of, depth, ""),
        };
        format!(" {{ __typename {parts} }}")
    }

    fn members(&self, of: &Value, depth: usize, prefix: &str) -> String {
        let mut parts = BTreeSet::from(["__typename".to_owned()]);
        for member in of["fields"].as_array().unwrap() {
            let demands = |arg: &Value| arg["type"]["kind"] == "NON_NULL" && arg["defaultValue"].is_null();
            if member["args"].as_array().unwrap().iter().any(demands) {
                continue;
            }
            let name = member["name"].as_str().unwrap();
            let is_leaf =
                ["SCALAR", "ENUM"].contains(&self.0[named(&member["type"])]["kind"].as_str().unwrap());
            // Members of one name may have different types in the types of a union.
            let alias = if prefix.is_empty() { String::new() } else { format!("{prefix}_{name}: ") };
            if is_leaf {
                parts.insert(format!("{alias}{name}"));
            } else if depth > 0 && name != "edges" {
                parts.insert(format!("{alias}{name}{}", self.selection(&member["type"], depth - 1)));
            }
        }
        format!(" {{ {} }}", parts.into_iter().collect::<Vec<_>>().join(" "))
    }
}

/// The name of a type without its wrappers.
fn named(ty: &Value) -> &str {
    if ty["ofType"].is_null() { ty["name"].as_str().unwrap() } else { named(&ty["ofType"]) }
}

/// A type as a document writes it.
fn written(ty: &Value) -> String {
    match ty["kind"].as_str().unwrap() {
        "NON_NULL" => format!("{}!", written(&ty["ofType"])),
        "LIST" => format!("[{}]", written(&ty["ofType"])),
        _ => named(ty).to_owned(),
    }
}

fn scalar(ty: &str, name: &str, id: &str) -> Value {
    match ty {
        "ID" => json!(id),
        "Int" => json!(if name.ends_with("Seconds") { 60 } else { 1 }),
        "Float" => json!(1.0),
        "Boolean" => json!(true),
        "String" => json!("text"),
        "JSON" => json!({}),
        "EmailAddress" => json!("stranger@other.example"),
        "URL" => json!("https://other.example/settings"),
        "TimeZone" => json!("Europe/Berlin"),
        "LanguageTag" => json!("en"),
        "LocalTime" => json!("09:00"),
        "DateTime" if ["end", "to", "until"].contains(&name) => json!("2025-11-08T12:00:00Z"),
        "DateTime" => json!("2025-11-08T09:00:00Z"),
        other => panic!("no value is known for the scalar {other}"),
    }
}
