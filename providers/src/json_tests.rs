use serde_json::json;

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
struct Person {
    #[serde(default, deserialize_with = "lenient_string")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient_value")]
    age: Option<u8>,
    #[serde(default, deserialize_with = "lenient_list")]
    tags: Vec<String>,
    #[serde(default, deserialize_with = "is_present")]
    gone: bool,
}

fn person(json: serde_json::Value) -> Person {
    parse(json.to_string().as_bytes()).unwrap()
}

fn name(text: &[u8]) -> String {
    parse::<Person>(text).unwrap().name.unwrap()
}

#[test]
fn a_value_of_another_type_is_no_value() {
    let whole = person(json!({ "name": "Ada", "age": 36, "tags": ["a", "b"], "gone": {} }));
    let tags = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(whole, Person { name: Some("Ada".to_owned()), age: Some(36), tags, gone: true });
    for odd in [json!(null), json!([]), json!({}), json!({ "a": [1] })] {
        let nobody = json!({ "name": odd, "age": odd, "tags": odd.as_object(), "gone": null });
        assert_eq!(person(nobody), Person::default(), "{odd}");
    }
    assert_eq!(person(json!({ "name": 7, "age": "7", "tags": ["a", 1, null, "b"] })).tags, ["a", "b"]);
    assert_eq!(person(json!({ "name": 7.5 })).name.as_deref(), Some("7.5"));
    let bomb = format!("{{\"age\":{}}}", "9".repeat(100_000));
    assert_eq!(parse::<Person>(bomb.as_bytes()).unwrap().age, None);
    assert_eq!(parse::<Person>(b"{\"age\":1e999999}").unwrap().age, None);
}

#[test]
fn members_of_a_list_are_read_one_by_one() {
    let all: LenientList<Person> = parse(br#"[{"name":"a"},null,7,"x",[],{"name":"b"}]"#).unwrap();
    let names: Vec<_> = all.0.iter().map(|one| one.as_ref().and_then(|one| one.name.clone())).collect();
    // A list in place of an object is read in the order of the members, which is none.
    assert_eq!(names, [Some("a".to_owned()), None, None, None, None, Some("b".to_owned())]);
    assert_eq!(all.into_readable("people").filter(|one| one.name.is_some()).count(), 2);
    for none in ["null", "{}", "7", ""] {
        assert_eq!(
            parse::<LenientList<Person>>(none.as_bytes()).err(),
            Some(BodyRejected::Malformed),
            "{none}"
        );
    }
}

#[test]
fn what_no_parser_takes_is_repaired() {
    assert_eq!(name(b"{\"name\":\"a\tb\nc\x00d\"}"), "a b c d");
    assert_eq!(name(br#"{"name":"a\ud800b\udc00c"}"#), "abc");
    assert_eq!(name(br#"{"name":"\ud83d\ude00 \ud83d \\ud83d \" \u0041"}"#), "\u{1f600}  \\ud83d \" A");
    assert_eq!(name(br#"{"name":"\ud83d\ud83d\ude00"}"#), "\u{1f600}");
    assert_eq!(name(b"{\"name\":\"caf\xE9\"}"), "café");
    assert_eq!(name(b"\xEF\xBB\xBF{\"name\":\"a\"}"), "a");
    let wide: Vec<u8> = "{\"name\":\"ü\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(name(&wide), "ü");
    for broken in
        ["{\"name\":\"a", "{\"name\":\"a\\", "{\"name\":\"\\ud8", "{\"name\":\"\\é\"}", "{'name':1}"]
    {
        assert_eq!(parse::<Person>(broken.as_bytes()).err(), Some(BodyRejected::Malformed), "{broken}");
    }
}

#[test]
fn bombs_are_over_budget() {
    let deep = "[".repeat(1_000_000);
    let closed = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let wide = format!("[{}0]", "0,".repeat(1_000_000));
    let objects = format!("[{}{{}}]", "{},".repeat(300_000));
    let long = format!("[{}0]", "0,".repeat(MEMBERS));
    for (name, bomb) in
        [("deep", deep), ("closed", closed), ("wide", wide), ("objects", objects), ("long", long)]
    {
        assert_eq!(
            parse::<LenientList<Person>>(bomb.as_bytes()).err(),
            Some(BodyRejected::OverBudget),
            "{name}"
        );
    }
    let text = format!("{{\"name\":\"{}\"}}", "[,".repeat(1_000_000));
    assert_eq!(parse::<Person>(text.as_bytes()).unwrap().name.unwrap().len(), 2_000_000, "a text is no list");
}
