//! Makes operations up from what the introspection says: any arguments, any selections, values of every kind.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use domain::{Ids, SystemClock};
use serde_json::{Map, Value, json};

pub const INTROSPECTION: &str = "{ __schema { types { kind name enumValues { name } possibleTypes { name }
    fields { name args { ...Input } type { ...Type } } inputFields { ...Input } } } }
    fragment Input on __InputValue { name defaultValue type { ...Type } }
    fragment Type on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// How deep selections and inputs go.
const DEPTH: usize = 3;

/// One request.
pub struct Case {
    /// The root field.
    pub field: String,
    /// The body of the request.
    pub body: String,
}

/// Draws requests.
pub struct Writer {
    types: BTreeMap<String, Value>,
    ids: Vec<String>,
    draw: Ids,
}

/// An operation that is being written.
#[derive(Default)]
struct Draft {
    declared: String,
    variables: Map<String, Value>,
}

impl Writer {
    pub fn new(introspection: &Value, ids: Vec<String>, seed: u64) -> Self {
        let all = introspection["__schema"]["types"].as_array().unwrap();
        let types = all.iter().map(|one| (one["name"].as_str().unwrap().to_owned(), one.clone())).collect();
        Self { types, ids, draw: Ids::seeded(Arc::new(SystemClock), seed) }
    }

    pub fn below(&self, below: u64) -> u64 {
        self.draw.random_below(below)
    }

    fn one_in(&self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn any<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    pub fn case(&mut self) -> Case {
        let (operation, root) = if self.one_in(2) { ("query", "Query") } else { ("mutation", "Mutation") };
        let field = self.any(self.types[root]["fields"].as_array().unwrap()).clone();
        let mut draft = Draft::default();
        let written = self.field(&mut draft, &field, "", DEPTH);
        let declared =
            if draft.declared.is_empty() { String::new() } else { format!("({})", draft.declared) };
        let document = format!("{operation}{declared} {{ {written} }}");
        let body = json!({ "query": document, "variables": draft.variables }).to_string();
        Case { field: field["name"].as_str().unwrap().to_owned(), body }
    }

    fn field(&self, draft: &mut Draft, field: &Value, alias: &str, depth: usize) -> String {
        let name = field["name"].as_str().unwrap();
        let mut given = Vec::new();
        for argument in field["args"].as_array().unwrap() {
            let demanded = argument["type"]["kind"] == "NON_NULL" && argument["defaultValue"].is_null();
            if !demanded && !self.one_in(3) {
                continue;
            }
            let variable = format!("v{}", draft.variables.len());
            let _ = write!(draft.declared, "${variable}: {} ", written(&argument["type"]));
            given.push(format!("{}: ${variable}", argument["name"].as_str().unwrap()));
            let value = self.value(&argument["type"], argument["name"].as_str().unwrap(), DEPTH);
            draft.variables.insert(variable, value);
        }
        let arguments = if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) };
        format!("{alias}{name}{arguments}{}", self.selection(draft, &field["type"], depth))
    }

    fn selection(&self, draft: &mut Draft, ty: &Value, depth: usize) -> String {
        let of = &self.types[named(ty)];
        match of["kind"].as_str().unwrap() {
            "SCALAR" | "ENUM" => String::new(),
            "UNION" | "INTERFACE" => {
                let mut text = " { __typename".to_owned();
                let shared = of["fields"].as_array().into_iter().flatten();
                for field in shared.filter(|field| field["args"] == json!([])) {
                    let _ = write!(text, " {}", self.field(draft, field, "", 0));
                }
                for possible in of["possibleTypes"].as_array().unwrap() {
                    let name = possible["name"].as_str().unwrap();
                    if depth > 0 && self.one_in(2) {
                        let members = self.members(draft, &self.types[name], depth, name);
                        let _ = write!(text, " ... on {name} {{ {members} }}");
                    }
                }
                text + " }"
            }
            _ => format!(" {{ {} }}", self.members(draft, of, depth, "")),
        }
    }

    fn members(&self, draft: &mut Draft, of: &Value, depth: usize, prefix: &str) -> String {
        let mut text = "__typename".to_owned();
        for field in of["fields"].as_array().unwrap() {
            let name = field["name"].as_str().unwrap();
            let kind = self.types[named(&field["type"])]["kind"].as_str().unwrap();
            let is_leaf = ["SCALAR", "ENUM"].contains(&kind);
            let is_wanted = name == "userErrors" || (is_leaf && self.one_in(2)) || self.one_in(3);
            if is_wanted && (is_leaf || depth > 0) {
                // Members of one name may have different types in the types of a union.
                let alias = if prefix.is_empty() { String::new() } else { format!("{prefix}_{name}: ") };
                let _ = write!(text, " {}", self.field(draft, field, &alias, depth.saturating_sub(1)));
            }
        }
        text
    }

    fn value(&self, ty: &Value, name: &str, depth: usize) -> Value {
        if self.one_in(40) {
            return self.odd();
        }
        match ty["kind"].as_str().unwrap() {
            "NON_NULL" => self.value(&ty["ofType"], name, depth),
            _ if self.one_in(12) => Value::Null,
            "LIST" => (0..self.below(4)).map(|_| self.value(&ty["ofType"], name, depth)).collect(),
            "ENUM" => self.any(self.types[named(ty)]["enumValues"].as_array().unwrap())["name"].clone(),
            "INPUT_OBJECT" => {
                let of = &self.types[named(ty)];
                let members = of["inputFields"].as_array().unwrap();
                let value = |member: &Value| {
                    let name = member["name"].as_str().unwrap();
                    (name.to_owned(), self.value(&member["type"], name, depth.saturating_sub(1)))
                };
                if is_one_of(named(ty)) && !self.one_in(10) {
                    return Value::Object([value(self.any(members))].into_iter().collect());
                }
                let is_given = |member: &&Value| {
                    let demanded = member["type"]["kind"] == "NON_NULL" && member["defaultValue"].is_null();
                    demanded || (depth > 0 && self.one_in(2))
                };
                Value::Object(members.iter().filter(is_given).map(value).collect())
            }
            _ => self.scalar(named(ty), name),
        }
    }

    fn scalar(&self, ty: &str, name: &str) -> Value {
        let texts: &[&str] = match ty {
            "ID" => {
                if !self.one_in(5) {
                    return json!(self.any(&self.ids));
                }
                &[
                    "",
                    "usr_",
                    "bkg_!",
                    "usr_0000000000000000000000000",
                    "ten_\u{0}",
                    "' OR 1=1 --",
                    "../../etc",
                ]
            }
            "Int" => return json!(self.any(&[0, 1, 2, -1, 100, 101, 60, i32::MAX, i32::MIN])),
            "Float" => return json!(self.any(&[0.0, -0.0, 1.5, 1e300, -1e-300])),
            "Boolean" => return json!(self.one_in(2)),
            "DateTime" => &[
                "2026-12-16T20:00:00Z",
                "2026-12-16T20:30:00+14:00",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59.999999999Z",
                "2026-12-31T23:59:60Z",
                "2026-02-30T00:00:00Z",
                "2026-12-16",
                "+262142-01-01T00:00:00Z",
            ],
            "TimeZone" => &["Europe/Berlin", "UTC", "Etc/GMT+12", "Mars/Olympus", "", "../UTC"],
            "EmailAddress" => &[
                "new@cases.example",
                "İ@cases.example",
                "a@b",
                "\"a b\"@cases.example",
                "a@[127.0.0.1]",
                "x@xn--e1afmkfd.example",
                "@",
            ],
            "URL" => &[
                "https://landing.example/done",
                "javascript:alert(1)",
                "file:///etc/passwd",
                "http://127.0.0.1:1/",
                "https://user:secret@host.example/",
                "//x",
                "https://[::1]/",
            ],
            "LanguageTag" => &["de", "en-GB", "x", "de_DE", "zh-Hant-TW-x-private"],
            "LocalTime" => &["09:00", "24:00", "23:59", "9", "00:00"],
            "JSON" => return self.odd(),
            _ if name.ends_with("ursor") || ["after", "before"].contains(&name) => &["AAAA", "", "x", "MTIz"],
            _ => &[
                "text",
                "",
                " ",
                "\u{0}",
                "a\nb",
                "\u{202e}txt",
                "𝔘𝔫𝔦",
                "é\u{301}",
                "<script>alert(1)</script>",
                "{{7*7}}",
                "%s%n",
                "' ; DROP TABLE run; --",
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            ],
        };
        if self.one_in(30) {
            return json!("x".repeat(self.any(&[999, 1_000, 1_001, 20_000]).to_owned()));
        }
        // The first one is as it should be.
        json!(if self.one_in(3) { self.any(texts) } else { &texts[0] })
    }

    /// A value of any type at all.
    fn odd(&self) -> Value {
        let odd = [
            json!(null),
            json!({}),
            json!([]),
            json!([[[[null]]]]),
            json!({ "__proto__": { "a": 1 } }),
            json!(1e308),
            json!(-9_007_199_254_740_993_i64),
            json!(u64::MAX),
            json!(true),
            json!("\u{0}\u{1}\u{7f}"),
            json!({ "": "" }),
        ];
        self.any(&odd).clone()
    }
}

/// Whether an input takes exactly one of its members. Our introspection does not tell.
fn is_one_of(name: &str) -> bool {
    include_str!("../../../schema.graphql").contains(&format!("input {name} @oneOf"))
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
