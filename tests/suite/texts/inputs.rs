//! The texts that the schema takes, each with a whole operation around it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Value, json};

use crate::harness::Asker;

const QUERY: &str = "{ __schema { queryType { name } mutationType { name } types { kind name
    fields { name args { ...Taken } type { ...Ref } } inputFields { ...Taken } enumValues { name } } } }
    fragment Taken on __InputValue { name defaultValue type { ...Ref } }
    fragment Ref on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// How deep inputs are looked into: users within `createUsers`, and then no further.
const DEEPEST: usize = 4;

/// The schema, by the names of its types.
pub struct Schema {
    types: BTreeMap<String, Value>,
    /// How a field of each object type is reached: what opens around it, outermost first.
    paths: BTreeMap<String, Vec<String>>,
}

/// A text that an argument takes, or an input field within it.
pub struct Input {
    /// `Type.field.argument`, or `Input.field` where it stands in an input object.
    pub owner: String,
    /// `Query` or `Mutation`.
    root: String,
    /// What opens around the field.
    path: Vec<String>,
    field: String,
    /// The arguments, with `@` where the text stands.
    arguments: String,
    selection: &'static str,
    /// The type of the variable.
    ty: String,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}({})", self.owner, self.field, self.arguments)
    }
}

impl Input {
    /// An operation that gives the text in this form: a variable `$text`, or a literal.
    pub fn document(&self, text: &str) -> String {
        let variables = match text.starts_with('$') {
            true => format!("($text: {})", self.ty),
            false => String::new(),
        };
        let (open, close) = (self.path.concat(), " }".repeat(self.path.len()));
        let arguments = self.arguments.replace('@', text);
        format!(
            "{}{variables} {{ {open}{}({arguments}) {}{close} }}",
            self.root.to_lowercase(),
            self.field,
            self.selection
        )
    }
}

/// The variables of such an operation.
pub fn variables(text: &str) -> Value {
    json!({ "text": text })
}

impl Schema {
    pub async fn read(asker: &Asker) -> Self {
        let answer = asker.query(QUERY, json!({})).await;
        let types = answer["__schema"]["types"].as_array().unwrap().iter();
        let types = types
            .filter(|ty| !ty["name"].as_str().unwrap().starts_with("__"))
            .map(|ty| (ty["name"].as_str().unwrap().to_owned(), ty.clone()))
            .collect();
        let mut schema = Self { types, paths: BTreeMap::new() };
        schema.find_paths();
        schema
    }

    /// Every text that is taken anywhere. One of an input object is there once for each place that takes the object.
    pub fn texts(&self) -> Vec<Input> {
        let mut found = Vec::new();
        for (name, path) in &self.paths {
            for field in list(&self.types[name], "fields") {
                for argument in list(field, "args") {
                    let owner = format!("{name}.{}.{}", text(field, "name"), text(argument, "name"));
                    for (owner, value, ty) in self.within(&owner, &argument["type"], 0) {
                        let root = if name == "Mutation" { name } else { "Query" };
                        found.push(self.input(owner, (root, path, field, argument), &value, ty));
                    }
                }
            }
        }
        found
    }

    /// What takes a text at all, straight from the list of types: every argument of a field and every input field.
    pub fn owners(&self) -> BTreeSet<String> {
        let mut owners = BTreeSet::new();
        for (name, ty) in &self.types {
            for taken in list(ty, "inputFields").filter(|taken| self.is_text(&inner(&taken["type"]))) {
                owners.insert(format!("{name}.{}", text(taken, "name")));
            }
            // Subscriptions run over sockets, behind the same check.
            for field in list(ty, "fields").filter(|_| name != "Subscription") {
                for taken in list(field, "args").filter(|taken| self.is_text(&inner(&taken["type"]))) {
                    owners.insert(format!("{name}.{}.{}", text(field, "name"), text(taken, "name")));
                }
            }
        }
        owners
    }

    fn input(
        &self,
        owner: String,
        (root, path, field, argument): (&str, &[String], &Value, &Value),
        value: &str,
        ty: String,
    ) -> Input {
        let arguments =
            format!("{}: {value}{}", text(argument, "name"), self.others(list(field, "args"), argument));
        let answers = inner(&field["type"]);
        let takes_refusals = list(self.types.get(&answers).unwrap_or(&Value::Null), "fields")
            .any(|field| field["name"] == "userErrors");
        let is_leaf = matches!(self.kind(&answers), "SCALAR" | "ENUM");
        let selection = match (takes_refusals, is_leaf) {
            (true, _) => "{ userErrors { code } }",
            (false, true) => "",
            (false, false) => "{ __typename }",
        };
        let root = root.to_owned();
        Input { owner, root, path: path.to_vec(), field: text(field, "name"), arguments, selection, ty }
    }

    /// The texts within a value of a type: whose each is, the value with `@` in its place, and the text's type.
    fn within(&self, owner: &str, ty: &Value, depth: usize) -> Vec<(String, String, String)> {
        let name = inner(ty);
        if self.is_text(&name) {
            return vec![(owner.to_owned(), listed(ty, "@"), format!("{name}!"))];
        }
        if self.kind(&name) != "INPUT_OBJECT" || depth == DEEPEST {
            return Vec::new();
        }
        let fields: Vec<_> = list(&self.types[&name], "inputFields").collect();
        let mut found = Vec::new();
        for field in &fields {
            let owner = format!("{name}.{}", text(field, "name"));
            for (owner, value, text_type) in self.within(&owner, &field["type"], depth + 1) {
                let others = self.others(fields.iter().copied(), field);
                let members = format!("{}: {value}{others}", text(field, "name"));
                found.push((owner, format!("{{{members}}}"), text_type));
            }
        }
        found
    }

    /// What else must be given beside one argument or input field.
    fn others<'a>(&self, all: impl Iterator<Item = &'a Value>, but: &Value) -> String {
        let others = all.filter(|other| other["name"] != but["name"] && is_required(other));
        let given = others.map(|other| format!(", {}: {}", text(other, "name"), self.sample(&other["type"])));
        given.collect::<Vec<_>>().concat()
    }

    /// A value of a type that is of the right shape, as GraphQL writes it.
    fn sample(&self, ty: &Value) -> String {
        let name = inner(ty);
        match (self.kind(&name), name.as_str()) {
            ("ENUM", _) => text(list(&self.types[&name], "enumValues").next().unwrap(), "name"),
            ("INPUT_OBJECT", _) => {
                let fields = list(&self.types[&name], "inputFields").filter(|field| is_required(field));
                let members: Vec<_> = fields
                    .map(|field| format!("{}: {}", text(field, "name"), self.sample(&field["type"])))
                    .collect();
                format!("{{{}}}", members.join(", "))
            }
            (_, "Int" | "Float") => "1".to_owned(),
            (_, "Boolean") => "false".to_owned(),
            (_, "DateTime") => "\"2026-12-16T18:00:00Z\"".to_owned(),
            (_, "LocalTime") => "\"09:00\"".to_owned(),
            _ => "\"fine\"".to_owned(),
        }
    }

    /// Finds the shortest way from the roots to every object type.
    fn find_paths(&mut self) {
        self.paths.insert("Query".to_owned(), Vec::new());
        self.paths.insert("Mutation".to_owned(), Vec::new());
        let mut next = vec!["Query".to_owned()];
        while !next.is_empty() {
            for name in std::mem::take(&mut next) {
                for field in list(&self.types[&name], "fields") {
                    let to = inner(&field["type"]);
                    if self.kind(&to) != "OBJECT" || self.paths.contains_key(&to) {
                        continue;
                    }
                    let required = list(field, "args").filter(|argument| is_required(argument));
                    let given: Vec<_> = required
                        .map(|argument| {
                            format!("{}: {}", text(argument, "name"), self.sample(&argument["type"]))
                        })
                        .collect();
                    let given =
                        if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) };
                    let mut path = self.paths[&name].clone();
                    path.push(format!("{}{given} {{ ", text(field, "name")));
                    self.paths.insert(to.clone(), path);
                    next.push(to);
                }
            }
        }
    }

    fn kind(&self, name: &str) -> &str {
        self.types.get(name).and_then(|ty| ty["kind"].as_str()).unwrap_or_default()
    }

    fn is_text(&self, name: &str) -> bool {
        self.kind(name) == "SCALAR" && !matches!(name, "Int" | "Float" | "Boolean")
    }
}

/// The name of the type within lists and what must not be null.
fn inner(ty: &Value) -> String {
    match ty["name"].as_str() {
        Some(name) => name.to_owned(),
        None => inner(&ty["ofType"]),
    }
}

/// A value in as many lists as its type has.
fn listed(ty: &Value, value: &str) -> String {
    match ty["kind"].as_str() {
        Some("LIST") => format!("[{}]", listed(&ty["ofType"], value)),
        Some("NON_NULL") => listed(&ty["ofType"], value),
        _ => value.to_owned(),
    }
}

fn is_required(taken: &Value) -> bool {
    taken["type"]["kind"] == "NON_NULL" && taken["defaultValue"].is_null()
}

fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of[name].as_array().into_iter().flatten()
}

fn text(of: &Value, name: &str) -> String {
    of[name].as_str().unwrap().to_owned()
}
