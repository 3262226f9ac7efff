//! Tests of what the validator accepts and refuses.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;

const SDL: &str = r"
directive @oneOf on INPUT_OBJECT
scalar DateTime
enum Color { RED GREEN }
input Range { start: DateTime!, end: DateTime!, color: Color = RED, inner: Range, tags: [String!] }
input By @oneOf { id: ID, email: String }
scalar JSON
type Node { id: ID!, name: String, children(first: Int, last: Int): [Node!]! }
type Query {
    a(n: Int, s: String, at: DateTime, json: JSON): Int
    must(n: Int!): Int
    range(input: Range!): Int
    by(by: By!): Int
    nodes(first: Int = 10, color: Color): [Node!]!
    node: Node
}
type Mutation { m: Int }
type Subscription { s: Int, t: Int }
";

fn validator() -> Validator {
    Validator::new(SDL, Limits::default()).unwrap()
}

fn check(query: &str, variables: Value) -> Result<Arc<CheckedDocument>, Error> {
    let Value::Object(variables) = variables else { panic!("variables are an object") };
    validator()
        .validate(&RequestParams { query: query.to_owned(), variables, ..RequestParams::default() }, false)
        .map(|approved| approved.document)
}

fn code(query: &str, variables: Value) -> &'static str {
    check(query, variables).map_or_else(|error| error.code(), |_| "OK")
}

#[test]
fn documents_that_the_specification_forbids_are_refused() {
    for query in [
        "{ nothing }",
        "{ a(n: \"x\") }",
        "{ must }",
        "{ must(n: null) }",
        "query ($n: String) { a(n: $n) }",
        "query ($n: Int) { must(n: $n) }",
        "query ($n: Int) { a }",
        "{ a(n: $n) }",
        "{ ...F } fragment F on Query { ...F }",
        "{ a ...F } fragment F on Nope { a }",
        "{ a } fragment F on Query { a }",
        "{ nodes { id { x } } }",
        "{ nodes }",
        "{ x: a x: must(n: 1) }",
        "subscription { s t }",
        "subscription { __typename }",
        "subscription ($b: Boolean!) { s @skip(if: $b) }",
        "{ a @nothing }",
        "{ a @skip(if: true) @skip(if: true) }",
        "{ range(input: {start: \"x\", start: \"y\", end: \"z\"}) }",
        "{ range(input: {start: \"x\"}) }",
        "{ range(input: {start: \"x\", end: \"y\", nope: 1}) }",
        "{ range(input: {start: \"x\", end: \"y\", color: BLUE}) }",
        "{ nodes(color: \"RED\") { id } }",
        "{ by(by: {}) }",
        "{ by(by: {id: 1, email: \"x\"}) }",
        "{ by(by: {id: null}) }",
        "query ($id: ID) { by(by: {id: $id}) }",
        "type X { a: Int }",
        "{ a } { a }",
        "query A { a } query A { a }",
    ] {
        let code = code(query, json!({"n": 1, "b": true, "id": "1"}));
        assert!(matches!(code, "GRAPHQL_VALIDATION_FAILED" | "OPERATION_UNKNOWN"), "{query} gave {code}");
    }
}

#[test]
fn a_text_that_is_not_graphql_says_where() {
    for query in ["", "{", "{ a(", "query {", "{ a } }", "nonsense", "{ a(s: \"x) }", "{ é }"] {
        let error = check(query, json!({})).unwrap_err();
        assert!(
            matches!(error.code(), "GRAPHQL_PARSE_FAILED" | "OPERATION_UNKNOWN"),
            "{query:?} gave {error:?}"
        );
    }
    let Err(Error::Unparsable(findings)) = check("{\n  a(\n}", json!({})) else { panic!("must not parse") };
    assert!(findings[0].location.is_some_and(|at| at.line >= 2), "{findings:?}");
}

#[test]
fn what_a_document_describes_may_have_descriptions_of_any_length_within_the_limits() {
    let query = "\"\"\"\n What it is for.\n\"\"\"\nquery A(\"How many\" $n: Int = 1) { a(n: $n) ...F }\n\"Part\" fragment F on Query { node { id } }";
    assert_eq!(code(query, json!({})), "OK");
    assert_eq!(code("\"d\" { a }", json!({})), "GRAPHQL_PARSE_FAILED");
    let Err(Error::Invalid(findings)) =
        check("\"é\" query A { a }\n \"d\" fragment F on Query { nothing }", json!({}))
    else {
        panic!("must be refused")
    };
    let at = findings.iter().find(|finding| finding.message.contains("nothing")).unwrap().location.unwrap();
    assert_eq!((at.line, at.column), (2, 28), "positions are those of the text that was sent");
    assert_eq!(exceeded(&format!("{} query {{ a }}", "\"d\" ".repeat(2_000))), "tokens");
}

#[test]
fn values_of_variables_must_fit_their_types() {
    let int = "query ($n: Int!) { must(n: $n) }";
    assert_eq!(code(int, json!({"n": 1})), "OK");
    assert_eq!(code(int, json!({"n": 1, "unknown": true})), "OK");
    for bad in
        [json!({}), json!({"n": null}), json!({"n": "1"}), json!({"n": 1.5}), json!({"n": 3_000_000_000_u64})]
    {
        assert_eq!(code(int, bad.clone()), "BAD_USER_INPUT", "{bad}");
    }
    let range = "query ($r: Range!) { range(input: $r) }";
    assert_eq!(code(range, json!({"r": {"start": "x", "end": 7, "color": "GREEN", "tags": "one"}})), "OK");
    for bad in [
        json!({"r": {"start": "x"}}),
        json!({"r": {"start": "x", "end": null}}),
        json!({"r": {"start": "x", "end": "y", "color": "BLUE"}}),
        json!({"r": {"start": "x", "end": "y", "extra": 1}}),
        json!({"r": {"start": "x", "end": "y", "tags": ["a", null]}}),
        json!({"r": {"start": "x", "end": "y", "inner": {"start": "x"}}}),
        json!({"r": []}),
        json!({"r": "text"}),
    ] {
        assert_eq!(code(range, bad.clone()), "BAD_USER_INPUT", "{bad}");
    }
    let by = "query ($by: By!) { by(by: $by) }";
    assert_eq!(code(by, json!({"by": {"id": "1"}})), "OK");
    assert_eq!(code(by, json!({"by": {"id": "1", "email": "x"}})), "BAD_USER_INPUT");
    assert_eq!(code(by, json!({"by": {"id": null}})), "BAD_USER_INPUT");
}

#[test]
fn a_message_names_the_place_and_never_the_value() {
    let secret = "hunter2-hunter2";
    let query = "query ($r: Range!) { range(input: $r) }";
    let variables =
        json!({"r": {"start": "x", "end": "y", "inner": {"start": "x", "end": "y", "color": secret}}});
    let Err(Error::BadVariables(findings)) = check(query, variables) else { panic!("must be refused") };
    assert_eq!(findings[0].message, "$r.inner.color is not a valid Color.");
}

/// Name of the limit that a document exceeds.
fn exceeded(query: &str) -> &'static str {
    match check(query, json!({})) {
        Err(Error::LimitExceeded { what, .. }) => what,
        other => panic!("{} gave {other:?}", &query[..query.len().min(60)]),
    }
}

#[test]
fn a_document_that_exceeds_a_limit_is_refused() {
    let list = |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<String>();
    assert_eq!(exceeded(&format!("{{ a }} # {}", "x".repeat(17_000))), "bytes");
    assert_eq!(exceeded(&format!("{{ {} }}", list(2_001, &|_| "a ".to_owned()))), "tokens");
    assert_eq!(
        exceeded(&format!("{{ a(s: {}1{}) }}", "[".repeat(70), "]".repeat(70))),
        "brackets within each other"
    );
    assert_eq!(exceeded(&format!("{{ node {{ {} }} }}", list(31, &|i| format!("x{i}: id ")))), "aliases");
    assert_eq!(exceeded(&format!("{{ {} }}", list(21, &|_| "a ".to_owned()))), "root fields");
    assert_eq!(exceeded("{ ...A ...A ...A } fragment A on Query { a a a a a a a }"), "root fields");
    assert_eq!(exceeded(&format!("{{ a {} }}", "@skip(if: false) ".repeat(11))), "directives");
    let deep = format!("{{ node {} id {} }}", "{ children(first: 1) ".repeat(9), "}".repeat(9))
        .replacen("id", "{ id }", 1);
    assert_eq!(exceeded(&deep), "levels of fields");
    assert_eq!(
        exceeded("{ nodes(first: 100) { children(first: 100) { children(first: 100) { id } } } }"),
        "units of cost"
    );
}

#[test]
fn fragments_that_unfold_without_end_are_refused_quickly() {
    let mut query = "{ node { ...F0 } }".to_owned();
    for level in 0..60 {
        let next = level + 1;
        write!(query, "fragment F{level} on Node {{ ...F{next} ...F{next} }}").unwrap();
    }
    query += "fragment F60 on Node { id }";
    assert_eq!(exceeded(&query), "units of cost");
}

#[test]
fn the_page_size_of_a_variable_counts() {
    let query =
        "query ($n: Int = 1) { nodes(first: $n) { children(first: $n) { children(first: 20) { id } } } }";
    assert_eq!(code(query, json!({})), "OK");
    assert_eq!(code(query, json!({"n": 100})), "LIMIT_EXCEEDED");
}

#[test]
fn introspection_may_be_deeper_and_is_known_as_such() {
    let types = "ofType { ".repeat(9) + "name" + &" }".repeat(9);
    let query = format!("{{ __schema {{ types {{ fields {{ args {{ type {{ kind {types} }} }} }} }} }} }}");
    let checked = check(&query, json!({})).unwrap();
    assert!(checked.operation_facts(None).unwrap().introspects, "it looks at the schema");
    assert!(
        !check("{ __typename a }", json!({})).unwrap().operation_facts(None).unwrap().introspects,
        "it does not"
    );
    let loops = "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }";
    assert_eq!(code(loops, json!({})), "GRAPHQL_VALIDATION_FAILED");
}

#[test]
fn by_get_the_chosen_operation_must_be_a_query() {
    let of = |query: &str, name: Option<&str>| {
        let params = RequestParams {
            query: query.to_owned(),
            operation_name: name.map(str::to_owned),
            ..RequestParams::default()
        };
        let validator = validator();
        let first = validator.validate(&params, true).map(|_| ());
        assert_eq!(
            first,
            validator.validate(&params, true).map(|_| ()),
            "the second time is answered from memory"
        );
        first
    };
    assert_eq!(of("mutation { m }", None), Err(Error::OnlyQueriesByGet));
    assert_eq!(of("query A { a } mutation B { m }", Some("B")), Err(Error::OnlyQueriesByGet));
    assert_eq!(of("query A { a } mutation B { m }", Some("A")), Ok(()));
    assert_eq!(of("mutation { nothing }", None), Err(Error::OnlyQueriesByGet));
    assert_eq!(of("query A { a } query B { a }", None).unwrap_err().code(), "OPERATION_UNKNOWN");
    assert_eq!(of("query A { a }", Some("C")).unwrap_err().code(), "OPERATION_UNKNOWN");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_validator_panic(
        text in "(query|mutation|fragment F on Query|[{}()\\[\\]:$@!=|&]|\\.\\.\\.F?|a|n|nodes|first|id|by|1|-1.5e3|\"x|\"\"\"|#| |\n|é){0,60}"
    ) {
        let _ = check(&text, json!({"n": 1}));
    }
}

#[test]
fn a_text_is_checked_wherever_it_stands() {
    let bad = json!("a\0b");
    for (query, variables) in [
        ("query ($s: String) { a(s: $s) }", json!({ "s": bad })),
        ("query ($i: ID!) { by(by: { id: $i }) }", json!({ "i": bad })),
        ("query ($b: By!) { by(by: $b) }", json!({ "b": { "id": bad } })),
        (
            "query ($r: Range!) { range(input: $r) }",
            json!({ "r": { "start": "x", "end": "x", "inner": { "start": "x", "end": "x", "tags": ["fine", bad] } } }),
        ),
        ("query ($j: JSON) { a(json: $j) }", json!({ "j": { "deep": [{ "er": bad }] } })),
        ("query ($j: JSON) { a(json: $j) }", json!({ "j": { "a\0b": 1 } })),
        ("query ($s: String) { ...F } fragment F on Query { a(s: $s) }", json!({ "s": bad })),
        ("query ($s: String) { ... on Query { a(s: $s) } }", json!({ "s": bad })),
        ("query ($s: String = \"a\\u0000b\") { a(s: $s) }", json!({})),
        ("{ a(s: \"a\\u0000b\") }", json!({})),
        ("{ by(by: { email: \"a\\u0000b\" }) }", json!({})),
        ("{ a(s: \"\"\"two\nlines\"\"\") }", json!({})),
    ] {
        assert_eq!(code(query, variables.clone()), "TEXT_MALFORMED", "{query} {variables}");
    }
    assert_eq!(code("query ($s: String = \"a\\u0000b\") { a(s: $s) }", json!({ "s": "given" })), "OK");
}

#[test]
fn a_text_is_as_long_as_its_type_allows_and_the_message_names_it() {
    let ask = |ty: &str, argument: &str, length: usize| {
        let query = format!("query ($v: {ty}) {{ {argument} }}");
        code(&query, json!({ "v": "é".repeat(length) }))
    };
    for (ty, argument, limit) in [
        ("String", "a(s: $v)", 1_000),
        ("ID", "by(by: { id: $v })", 256),
        ("DateTime", "a(at: $v)", 100),
        ("JSON", "a(json: $v)", 10_000),
    ] {
        let ty = if argument.starts_with("by") { format!("{ty}!") } else { ty.to_owned() };
        assert_eq!(ask(&ty, argument, limit), "OK", "{argument}");
        assert_eq!(ask(&ty, argument, limit + 1), "TEXT_TOO_LONG", "{argument}");
    }
    let texts = vec!["x".repeat(9_000); 8];
    assert_eq!(code("query ($j: JSON) { a(json: $j) }", json!({ "j": texts })), "TEXT_TOO_LONG");
    let query = "query ($r: Range!) { range(input: $r) }";
    let long = json!({ "r": { "start": "x", "end": "x", "tags": ["x".repeat(2_000)] } });
    let Err(error) = check(query, long) else { panic!("must be refused") };
    assert_eq!(
        error.validation_errors()[0].message,
        "`input.tags` cannot be read: it has 2000 characters; 1000 are allowed."
    );
}

#[test]
fn every_field_with_a_rule_of_its_own_is_in_the_schema() {
    let schema =
        Schema::parse_and_validate(include_str!("../../../../schema.graphql"), "schema.graphql").unwrap();
    for (owner, rule) in texts::FIELD_STRING_LIMITS {
        let parts: Vec<_> = owner.split('.').collect();
        let ty = match *parts.as_slice() {
            [input, field] => {
                schema.get_input_object(input).and_then(|input| Some(&input.fields.get(field)?.ty))
            }
            [object, field, argument] => {
                let field = schema.type_field(object, field).ok();
                field.and_then(|field| Some(&field.argument_by_name(argument)?.ty))
            }
            _ => None,
        };
        let ty = ty.unwrap_or_else(|| panic!("{owner} is not in the schema"));
        let usual = texts::string_limits("", ty.inner_named_type());
        assert_ne!(*rule, usual, "{owner} needs no rule of its own");
    }
}
