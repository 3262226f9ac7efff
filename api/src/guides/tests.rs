//! The guides of all languages say the same in the same places.

use super::*;

/// The guides of every calendar system in a language, with its name.
fn all(language: Language) -> Vec<(ProviderKind, &'static str)> {
    ProviderKind::ALL.iter().map(|kind| (*kind, source(*kind, language))).collect()
}

/// What a translation must keep: the levels of headings, the code, the links and the placeholders, in order.
fn kept(text: &str) -> Vec<String> {
    let mut kept: Vec<String> =
        text.lines().filter(|line| line.starts_with('#')).map(|_| "heading".to_owned()).collect();
    for event in Parser::new(text) {
        match event {
            Event::Code(code) => kept.push(code.to_string()),
            Event::Start(pulldown_cmark::Tag::Link { dest_url, .. }) => kept.push(dest_url.to_string()),
            Event::Start(tag) => kept.push(format!("{tag:?}").split(['(', ' ']).next().unwrap().to_owned()),
            _ => {}
        }
    }
    kept
}

/// The blocks of code, which are pasted and therefore not translated.
fn code(text: &str) -> Vec<&str> {
    text.split("```").skip(1).step_by(2).collect()
}

#[test]
fn s1_5_every_guide_is_the_same_in_each_language() {
    for ((kind, english), (_, german)) in all(Language::English).into_iter().zip(all(Language::German)) {
        assert_eq!(kept(english), kept(german), "{kind}");
        assert_eq!(code(english), code(german), "{kind}");
        assert_ne!(english, german, "{kind}");
    }
}

#[test]
fn s1_4_every_guide_tells_what_is_needed_before_the_steps_and_ends_with_a_way_out() {
    for (kind, text) in all(Language::English) {
        let headings: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings[..3], ["What you need", "What Muster asks for", "Steps"], "{kind}");
        let count = headings.len();
        assert_eq!(headings[count - 3..], ["How long it takes", "How to test", "Ending it"], "{kind}");
    }
}

#[test]
fn what_names_a_missing_fact_is_left_out_and_html_is_text() {
    let facts = [("{{there}}", "<b>here</b>".to_owned())];
    let body = fill("One {{there}}.\n\nTwo `{{missing}}`\nof it.\n\nThree.", &facts);
    assert_eq!(body, "One <b>here</b>.\n\nThree.");
    let html = Guide { title: "X", language: Language::English, body }.html().into_string();
    assert_eq!(html, "<p>One &lt;b&gt;here&lt;/b&gt;.</p>\n<p>Three.</p>\n");
}
