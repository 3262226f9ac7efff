use super::*;
use crate::body::{BodyBudget, PARSE_MEMORY_BYTES};

fn read(text: &str) -> Element {
    Element::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn prefixes_do_not_matter() {
    for text in [
        "<D:a xmlns:D='DAV:'><D:b>x &amp; y &#252;</D:b></D:a>",
        "<a xmlns='DAV:'><b><![CDATA[x & y ü]]></b></a>",
        "<?xml version='1.0'?><q:a xmlns:q='DAV:'><b xmlns='DAV:'>x &amp; y &#xFC;</b></q:a>",
    ] {
        let element = read(text);
        assert!(element.has_name(DAV, "a"), "{text}");
        assert_eq!(element.child_text(DAV, "b"), Some("x & y ü"), "{text}");
    }
    assert!(!read("<D:a xmlns:D='other'/>").has_name(DAV, "a"));
}

#[test]
fn hostile_documents_are_refused() {
    for text in [
        "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
        "<!DOCTYPE a><a/>",
        "<a><b></a>",
        "<a></b></a>",
        "<a>",
        "<a",
        "</a>",
        "",
        "{}",
        "text",
        "\u{0}",
    ] {
        assert_eq!(Element::parse(text.as_bytes()).err(), Some(BodyRejected::Malformed), "{text}");
    }
}

#[test]
fn characters_that_xml_does_not_allow_are_dropped() {
    for bad in [
        "&#0;",
        "&#x0;",
        "&#x1F;",
        "&#31;",
        "&#xD800;",
        "&#xDFFF;",
        "&#xFFFE;",
        "&#xFFFF;",
        "&#x110000;",
        "&#99999999999;",
        "&#;",
        "&#x;",
        "&undefined;",
        "&nbsp;",
        "\u{0}",
        "\u{b}",
        "\u{1f}",
        "\u{ffff}",
    ] {
        let element = read(&format!("<a k='x{bad}y'>x{bad}y<b/>z</a>"));
        assert_eq!(element.text, "xyz", "{bad:?} in a text");
        assert_eq!(element.attribute("k"), Some("xy"), "{bad:?} in an attribute");
    }
}

#[test]
fn what_is_not_quite_xml_is_read_as_it_is_meant() {
    assert_eq!(read("<a>x & y &lt z</a>").text, "x & y &lt z");
    assert_eq!(read("<a k='x & y'/>").attribute("k"), Some("x & y"));
    assert_eq!(read("<a k='1' k='2'/>").attribute("k"), Some("1"));
    assert_eq!(read("\u{feff}<a>x</a>").text, "x");
    assert_eq!(read("\n<?xml version='1.0'?><a>x</a>\n").text, "x");
    let latin = Element::parse(b"<a k='\xFC'>Pl\xE4ne</a>").unwrap();
    assert_eq!((latin.text.as_str(), latin.attribute("k")), ("Pläne", Some("ü")));
}

#[test]
fn line_breaks_are_normalised_and_references_to_them_are_kept() {
    assert_eq!(read("<a>1\r\n2\r3\n4</a>").text, "1\n2\n3\n4");
    assert_eq!(read("<a>1&#13;\n2&#xD;&#xA;3</a>").text, "1\r\n2\r\n3");
    assert_eq!(read("<a k='1&#10;2\n3\t4'/>").attribute("k"), Some("1\n2 3 4"));
}

#[test]
fn a_fold_inside_a_character_is_mended_before_anything_else() {
    let folded = b"<a>SUMMARY:Gr\xC3\r\n \xBC\xC3\x9Fe</a>";
    assert_eq!(Element::parse(folded).unwrap().text, "SUMMARY:Grü\n ße");
}

#[test]
fn attributes_with_a_namespace_and_bindings_are_no_attributes() {
    let element = read("<a xmlns:x='u' x:k='1' k='&lt;2&gt;' xmlns='v'/>");
    assert_eq!(element.attribute("k"), Some("<2>"));
    assert_eq!((element.attribute("x"), element.attribute("xmlns")), (None, None));
}

/// The number of bytes that parsing a document charges to a full budget.
fn cost(document: &str) -> Result<usize, BodyRejected> {
    let mut budget = BodyBudget::new(PARSE_MEMORY_BYTES);
    reader::parse_document(document.as_bytes(), &mut budget)?;
    Ok(budget.spent(PARSE_MEMORY_BYTES))
}

#[test]
fn what_a_document_costs_is_counted_while_it_is_read() {
    let element = size_of::<Element>();
    assert_eq!(element, 64, "the memory of a large answer is this, times its elements");
    let one = cost("<a/>").unwrap();
    assert_eq!(cost(&format!("<a>{}</a>", "<a/>".repeat(99))).unwrap(), one + 99 * element);
    assert_eq!(cost("<a>four</a>").unwrap(), one + 4);
    assert!(cost("<a k='v'/>").unwrap() > one + 32);
}

#[test]
fn bombs_are_over_budget_and_not_malformed() {
    let deep = "<a>".repeat(100) + &"</a>".repeat(100);
    let many = format!("<a>{}</a>", "<b/>".repeat(500_000));
    let attributes = format!("<a>{}</a>", "<b c='1' d='2'/>".repeat(500_000));
    let numbered =
        |count: usize, part: fn(usize) -> String| (0..count).map(part).collect::<Vec<_>>().concat();
    let wide = format!("<a {}/>", numbered(500_000, |n| format!("k{n}='' ")));
    let names = numbered(200_000, |n| format!("<n{n}/>"));
    let text = format!("<a>{}</a>", "x".repeat(13 << 20));
    for (name, document) in [
        ("depth", deep),
        ("elements", many),
        ("attributes", attributes),
        ("attributes of one", wide),
        ("names", format!("<a>{names}</a>")),
        ("text", text),
    ] {
        assert_eq!(cost(&document).err(), Some(BodyRejected::OverBudget), "{name}");
    }
}

#[test]
fn a_long_list_of_a_real_server_is_within_the_budget() {
    let one = "<d:response><d:href>/dav/calendars/ada/default/0123456789abcdef.ics</d:href><d:propstat><d:prop><d:getetag>\"0123456789abcdef\"</d:getetag></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>";
    let list = format!("<d:multistatus xmlns:d='DAV:'>{}</d:multistatus>", one.repeat(20_000));
    assert_eq!(read(&list).children.len(), 20_000);
}

#[tokio::test]
async fn large_documents_are_read_apart_with_the_same_result() {
    for length in [10, 100_000] {
        let document = Bytes::from(format!("<a>{}</a>", "x".repeat(length)));
        assert_eq!(Element::parse_async(&document).await.unwrap().text.len(), length);
    }
}
