//! What an Exchange server answers.

use super::Told;
use crate::microsoft_recorder::Asked;

/// What stands around an operation.
pub const ENVELOPE: [&str; 2] = [
    r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">"#,
    "</s:Body></s:Envelope>",
];

/// A success.
pub fn soap(inside: &str) -> Told {
    Told::ok(ENVELOPE.join(inside))
}

/// The messages of an operation: each text is the content of a success, or `!` and an error code.
pub fn messages(operation: &str, inside: &[String]) -> Told {
    let all: String = inside
        .iter()
        .map(|inside| match inside.strip_prefix('!') {
            Some(code) => format!(
                r#"<m:{operation}ResponseMessage ResponseClass="Error"><m:ResponseCode>{code}</m:ResponseCode></m:{operation}ResponseMessage>"#
            ),
            None => format!(
                r#"<m:{operation}ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{inside}</m:{operation}ResponseMessage>"#
            ),
        })
        .collect();
    soap(&format!(
        "<m:{operation}Response><m:ResponseMessages>{all}</m:ResponseMessages></m:{operation}Response>"
    ))
}

/// What FindItem answers.
pub fn found(items: &str) -> Told {
    let root = format!(
        r#"<m:RootFolder TotalItemsInView="9" IncludesLastItemInRange="true"><t:Items>{items}</t:Items></m:RootFolder>"#
    );
    messages("FindItem", &[root])
}

/// The ids that GetItem asks for.
pub fn ids(asked: &Asked) -> Vec<String> {
    let named = asked.body.split("<t:ItemId Id=\"").skip(1);
    named.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// Answers FindItem with these items, and GetItem with those of them that are asked for; `!` is an error.
pub fn exchange(items: &[(&str, String)], asked: &Asked) -> Told {
    if asked.body.contains("<m:FindItem") {
        return found(&items.iter().map(|(_, item)| item.trim_start_matches('!')).collect::<String>());
    }
    let one = |id: String| match items.iter().find(|(known, _)| *known == id) {
        Some((_, item)) if item.starts_with('!') => "!ErrorCorruptData".to_owned(),
        Some((_, item)) => format!("<m:Items>{item}</m:Items>"),
        None => "!ErrorItemNotFound".to_owned(),
    };
    messages("GetItem", &ids(asked).into_iter().map(one).collect::<Vec<_>>())
}

/// An item that blocks its time, with its id.
pub fn item(id: &str, inside: &str) -> (&'static str, String) {
    let id: &'static str = id.to_owned().leak();
    let text = format!(
        r#"<t:CalendarItem><t:ItemId Id="{id}" ChangeKey="c"/><t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus>{inside}</t:CalendarItem>"#
    );
    (id, text)
}

/// Start and end in December 2026.
pub fn times(start: &str, end: &str) -> String {
    format!("<t:Start>2026-12-{start}:00Z</t:Start><t:End>2026-12-{end}:00Z</t:End>")
}
