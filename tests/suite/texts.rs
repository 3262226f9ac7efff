//! Every text that the API takes is held to a length and to characters, on both stores.
//!
//! The inputs are read from the schema, so one that is added later is tried on the day it is made.

mod inputs;

use domain::{Id, ids};
use serde_json::{Value, json};

use self::inputs::{Input, Schema};
use crate::{
    bad_input::everything,
    harness::{Asker, TestApp},
};

/// The texts that may have several lines. Each is tried: one that no longer takes a line break fails.
const LINES: &[&str] =
    &["CreateBookingInput.description", "CancelBookingInput.message", "SignalRunInput.payload"];

/// What no text may hold.
const UNFIT: &[char] =
    &['\0', '\u{8}', '\u{1B}', '\u{7F}', '\u{85}', '\u{9F}', '\u{FDD0}', '\u{FFFE}', '\u{FFFF}', '\u{1FFFE}'];

/// What hides a text from those who read it.
const HIDING: &[&str] = &["\u{200B}", "\u{3164}", "a\u{202E}b", "a\u{2067}b", "a\u{E0041}", " \u{FE0F}"];

async fn every_text_of_the_api_has_a_length_and_no_odd_characters(app: TestApp) {
    let org = app.with_tenant("Texts", 2, 1).await;
    let users = app.with_users(&org, 1).await;
    let vendor = app.vendor_for(&org.tenant);
    let schema = Schema::read(&app.vendor()).await;
    let inputs = schema.texts();
    let before = everything(&app, &org.tenant).await;
    for input in &inputs {
        refuses_what_does_not_fit(&vendor, input).await;
        // The same call with a good text is not refused for its text; without a credential it changes nothing.
        let asked = app.anonymous().ask(&input.document("$text"), inputs::variables("fine")).await;
        let code = code(&asked);
        assert!(
            !matches!(code.as_str(), "TEXT_TOO_LONG" | "TEXT_MALFORMED" | "INTERNAL"),
            "{input}: {asked}"
        );
    }
    // Whatever takes a text is among them.
    let tried: Vec<_> = inputs.iter().map(|input| input.owner.clone()).collect();
    let missed: Vec<_> = schema.owners().into_iter().filter(|owner| !tried.contains(owner)).collect();
    assert_eq!(missed, Vec::<String>::new(), "these inputs take a text and were not tried");
    assert!(tried.len() > 90, "only {} texts were found", tried.len());
    app.run_jobs().await;
    assert_eq!(everything(&app, &org.tenant).await, before);
    let known = vendor.query("query($id: ID!) { user(id: $id) { id } }", json!({ "id": users[0] })).await;
    assert_eq!(known["user"]["id"], users[0].as_str(), "the server goes on");
    app.finish().await;
}

/// Tries everything that no text of this input may be.
async fn refuses_what_does_not_fit(vendor: &Asker, input: &Input) {
    let document = input.document("$text");
    let refused = async |text: &str, expected: &str| {
        let answer = vendor.ask(&document, inputs::variables(text)).await;
        assert_eq!(code(&answer), expected, "{input}: {answer}");
        assert_eq!(answer.get("data"), None, "{input}: nothing runs");
        assert!(answer.to_string().len() < 2_000, "{input}: the text comes back");
    };
    refused(&"x".repeat(200_000), "TEXT_TOO_LONG").await;
    for char in UNFIT {
        refused(&format!("a{char}b"), "TEXT_MALFORMED").await;
    }
    for text in HIDING {
        refused(text, "TEXT_MALFORMED").await;
    }
    let takes_lines = LINES.contains(&input.owner.as_str());
    for char in ["\n", "\t", "\r\n", "\u{2028}"] {
        let answer = vendor.ask(&document, inputs::variables(&format!("a{char}b"))).await;
        let expected = code(&answer) != "TEXT_MALFORMED";
        assert_eq!(takes_lines, expected, "{input} with {char:?}: {answer}");
    }
    // Half of a pair of surrogates, which is no character, as JSON and as GraphQL write it.
    let body = json!({ "query": document, "variables": inputs::variables("HALF") }).to_string();
    let (status, answer) = vendor.send(body.replace("HALF", "\\ud800")).await;
    assert_eq!((status.as_u16(), code(&answer)), (400, "MALFORMED_JSON".to_owned()), "{input}");
    for (literal, expected) in [
        ("\"a\\u0000b\"", "TEXT_MALFORMED"),
        ("\"a\\uFFFEb\"", "TEXT_MALFORMED"),
        ("\"a\\uD800b\"", "GRAPHQL_PARSE_FAILED"),
    ] {
        let answer = vendor.ask(&input.document(literal), json!({})).await;
        assert_eq!(code(&answer), expected, "{input} as {literal}: {answer}");
    }
}

/// The code of the first error, or of the first refusal; empty where there is none.
fn code(answer: &Value) -> String {
    let error = answer["errors"][0]["extensions"]["code"].as_str();
    let mut payloads = answer["data"].as_object().into_iter().flat_map(|data| data.values());
    let refusal = payloads.find_map(|payload| payload["userErrors"][0]["code"].as_str());
    error.or(refusal).unwrap_or_default().to_owned()
}

/// A calendar in which somebody has written what no store takes is read like any other.
async fn an_odd_character_in_a_calendar_stops_nothing(app: TestApp) {
    let org = app.with_tenant("Odd", 2, 1).await;
    app.with_users(&org, 2).await;
    let planted = json!({ "mailbox": org.people()[0], "subject": "Review\u{0} of\u{FFFF} 2\u{85}plans\u{202E}\u{E0041}",
        "start": "2026-12-16T18:00:00Z", "end": "2026-12-16T19:00:00Z" });
    app.control(&format!("/control/organisations/{}/events", org.sandbox["id"].as_str().unwrap()), planted)
        .await;
    app.connect(&org).await;
    let connections = app.connections(&org).await;
    assert_eq!(connections[org.people()[0]]["state"], "ACTIVE", "{connections:?}");
    let tenant = org.tenant.parse::<Id<ids::Tenant>>().unwrap();
    let txn = app.node.services.store.read(tenant).await.unwrap();
    let events = entity::calendar_event::of(tenant).all(&txn).await.unwrap();
    drop(txn);
    let read = events.iter().find(|event| event.title == "Review of 2 plans\u{202E}\u{E0041}");
    assert_eq!(read.and_then(|event| event.busy.as_ref()?.known()), Some(domain::BusyKind::Busy));
    app.finish().await;
}

both! {
    every_text_of_the_api_has_a_length_and_no_odd_characters,
    an_odd_character_in_a_calendar_stops_nothing,
}
