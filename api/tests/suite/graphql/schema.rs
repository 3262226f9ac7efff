//! The schema as text, and the rules that its sources keep.

use std::{fs, path::Path};

use apollo_compiler::{Node, Schema, ast::InputValueDefinition, schema::ExtendedType};

/// Everything of the schema that has no description.
fn undescribed(schema: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    let mut see = |place: String, description: Option<&Node<str>>| {
        if description.is_none_or(|text| text.trim().is_empty()) {
            found.push(place);
        }
    };
    for (name, ty) in schema.types.iter().filter(|(_, ty)| !ty.is_built_in()) {
        see(name.to_string(), ty.description());
        let fields = match ty {
            ExtendedType::Object(object) => Some(&object.fields),
            ExtendedType::Interface(interface) => Some(&interface.fields),
            _ => None,
        };
        for (field, definition) in fields.into_iter().flatten() {
            see(format!("{name}.{field}"), definition.description.as_ref());
            for argument in &definition.arguments {
                see(format!("{name}.{field}({})", argument.name), argument.description.as_ref());
            }
        }
        if let ExtendedType::InputObject(input) = ty {
            for (field, definition) in &input.fields {
                let definition: &InputValueDefinition = definition;
                see(format!("{name}.{field}"), definition.description.as_ref());
            }
        }
        if let ExtendedType::Enum(words) = ty {
            for (word, definition) in &words.values {
                see(format!("{name}.{word}"), definition.description.as_ref());
            }
        }
    }
    found
}

fn schema() -> Schema {
    Schema::parse_and_validate(api::graphql::sdl(), "schema.graphql").unwrap().into_inner()
}

#[test]
fn everything_in_the_schema_is_described() {
    assert_eq!(undescribed(&schema()), Vec::<String>::new());
}

#[test]
fn what_is_not_described_is_noticed() {
    let bare = "type Query { a(b: Int): C } enum C { D } input E { f: Int }";
    let bare = Schema::parse_and_validate(bare, "bare.graphql").unwrap();
    let expected = ["Query", "Query.a", "Query.a(b)", "C", "C.D", "E", "E.f"];
    let mut found = undescribed(&bare);
    found.retain(|place| !place.starts_with("__"));
    assert_eq!(found, expected);
}

#[test]
fn the_text_of_the_schema_is_the_same_every_time() {
    assert_eq!(api::graphql::sdl(), api::graphql::sdl());
}

#[test]
fn every_scalar_of_ours_says_where_it_is_specified() {
    let schema = schema();
    let types = schema.types.values().filter(|ty| !ty.is_built_in());
    let scalars = types.filter_map(|ty| ty.as_scalar());
    let ours: Vec<_> = scalars.filter(|scalar| scalar.name != "JSON").collect();
    assert!(ours.len() >= 5, "{} scalars", ours.len());
    for scalar in ours {
        assert!(scalar.directives.has("specifiedBy"), "{}", scalar.name);
    }
}

#[test]
fn a_mutation_takes_one_required_input_at_most_and_answers_user_errors() {
    let schema = schema();
    let mutation = schema.get_object("Mutation").unwrap();
    assert!(mutation.fields.len() >= 30, "{} mutations", mutation.fields.len());
    for (name, field) in &mutation.fields {
        let arguments: Vec<_> =
            field.arguments.iter().map(|one| (one.name.as_str(), one.ty.is_non_null())).collect();
        assert!(arguments.is_empty() || arguments == [("input", true)], "{name}: {arguments:?}");
        let payload = schema.get_object(field.ty.inner_named_type()).unwrap();
        assert_eq!(payload.name.to_lowercase(), format!("{}payload", name.to_lowercase()));
        for (member, definition) in &payload.fields {
            let is_errors = member == "userErrors";
            let ty = definition.ty.to_string();
            assert_eq!(is_errors, ty == "[UserError!]!", "{name}.{member}: {ty}");
            assert_eq!(is_errors, definition.ty.is_non_null(), "{name}.{member}: {ty}");
        }
    }
}

/// Fields of type `String` whose descriptions list the words that they may hold, as `TYPE.field`.
fn strings_with_words(schema: &Schema) -> Vec<String> {
    let is_word = |text: &str| text.len() > 1 && text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let lists_words = |description: Option<&Node<str>>| {
        let quoted = description.into_iter().flat_map(|text| text.split('`').skip(1).step_by(2));
        quoted.filter(|text| is_word(text)).count() > 1
    };
    let mut found = Vec::new();
    for (name, ty) in &schema.types {
        let fields: Vec<_> = match ty {
            ExtendedType::Object(object) => {
                let fields = object.fields.iter();
                fields.map(|(field, of)| (field, of.ty.inner_named_type(), of.description.as_ref())).collect()
            }
            ExtendedType::InputObject(input) => {
                let fields = input.fields.iter();
                fields.map(|(field, of)| (field, of.ty.inner_named_type(), of.description.as_ref())).collect()
            }
            _ => Vec::new(),
        };
        for (field, of, description) in fields {
            if of == "String" && lists_words(description) {
                found.push(format!("{name}.{field}"));
            }
        }
    }
    found.sort_unstable();
    found
}

/// One of several words is an enum, so that the description and the code cannot differ. Codes are strings: new ones may
/// come, and docs/errors.md lists them.
#[test]
fn what_is_one_of_several_words_is_an_enum() {
    let codes = ["Check.name", "Conflict.code", "ConnectPrerequisite.name"];
    let found = strings_with_words(&schema());
    assert_eq!(found, codes, "make enums of the others");
}

#[test]
fn a_list_with_cursors_has_all_of_relay() {
    let schema = schema();
    let connections = schema.types.values().filter_map(|ty| ty.as_object());
    let connections: Vec<_> =
        connections.filter(|ty| ty.name.ends_with("Connection") && ty.fields.contains_key("edges")).collect();
    assert!(connections.len() >= 9, "{} connections", connections.len());
    for connection in connections {
        assert_eq!(connection.fields["pageInfo"].ty.to_string(), "PageInfo!", "{}", connection.name);
        assert!(!connection.fields["totalCount"].ty.is_non_null(), "{}", connection.name);
    }
    let info = schema.get_object("PageInfo").unwrap();
    let mut fields: Vec<_> = info.fields.keys().map(apollo_compiler::Name::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["endCursor", "hasNextPage", "hasPreviousPage", "startCursor"]);
}

/// All sources of the schema.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        if path.is_dir() {
            return sources(&path);
        }
        vec![(path.display().to_string(), fs::read_to_string(&path).unwrap())]
    };
    entries.flat_map(read).collect()
}

#[test]
fn a_nullable_field_that_can_fail_is_an_option_of_a_result() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/graphql"));
    assert!(sources.len() >= 25, "{} sources", sources.len());
    // What the engine calls begins with `&self, ctx`; loaders and readers may answer as they like.
    let marks = ["-> Result<Option<", "-> async_graphql::Result<Option<"];
    for (path, source) in sources {
        for (resolver, _) in source.match_indices("ctx: &Context<'_>") {
            let head = source[resolver..].split('{').next().unwrap_or_default();
            assert!(!marks.iter().any(|mark| head.contains(mark)), "{path}: {head}");
        }
    }
}

#[test]
fn the_schema_names_no_database_no_lane_and_no_http_client() {
    for (path, source) in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/graphql")) {
        for word in ["sea_orm", "redis", "reqwest"] {
            assert!(!source.contains(word), "{path} names {word}");
        }
    }
}

/// The public contract stands at the top of the repository. `UPDATE=1` writes it anew.
#[test]
fn the_schema_file_is_what_the_code_serves() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema.graphql");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, api::graphql::sdl()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == api::graphql::sdl(),
        "schema.graphql is out of date: run with UPDATE=1 or `muster schema`"
    );
}
