//! ResolveNames: finds mailboxes by name.

use super::{
    account::CallContext,
    failure::Failure,
    xml::{Element, MESSAGES, operation_response, text_element},
};
use crate::model::{Hosting, Mailbox};

/// Maximum number of candidates returned.
const MAX: usize = 100;

/// Handles ResolveNames. With the prefix `smtp:`, all addresses are searched by prefix; without the prefix, the words
/// of the name and the primary address.
pub fn resolve_names(call: &CallContext<'_>, operation: &Element) -> Result<String, Failure> {
    let entry = operation.child(MESSAGES, "UnresolvedEntry").map(|entry| entry.text.trim().to_lowercase());
    let entry = entry
        .filter(|entry| !entry.is_empty())
        .ok_or_else(|| Failure::schema_violation("UnresolvedEntry"))?;
    let store = call.app.store();
    let organisation = call.organisation(store.state())?;
    let mut found: Vec<&Mailbox> = organisation
        .mailboxes
        .values()
        .filter(|mailbox| mailbox.hosting != Hosting::None && matches(mailbox, &entry))
        .collect();
    found.sort_by_key(|mailbox| &mailbox.address);
    let whole = found.len() <= MAX;
    found.truncate(MAX);
    if found.is_empty() {
        let failure = Failure::new("ErrorNameResolutionNoResults", "No results were found.");
        return Ok(operation_response("ResolveNames", &[failure.to_item_message("ResolveNames")]));
    }
    let all: String = found
        .iter()
        .map(|mailbox| {
            format!("<t:Resolution><t:Mailbox>{}</t:Mailbox></t:Resolution>", mailbox_content(mailbox))
        })
        .collect::<Vec<_>>()
        .concat();
    let (class, code) = match found.len() {
        1 => ("Success", "<m:ResponseCode>NoError</m:ResponseCode>".to_owned()),
        _ => (
            "Warning",
            "<m:MessageText>Multiple results were found.</m:MessageText><m:ResponseCode>ErrorNameResolutionMultipleResults</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>".to_owned(),
        ),
    };
    let message = format!(
        r#"<m:ResolveNamesResponseMessage ResponseClass="{class}">{code}<m:ResolutionSet TotalItemsInView="{}" IncludesLastItemInRange="{whole}">{all}</m:ResolutionSet></m:ResolveNamesResponseMessage>"#,
        found.len()
    );
    Ok(operation_response("ResolveNames", &[message]))
}

fn matches(mailbox: &Mailbox, entry: &str) -> bool {
    let begins = |text: &String, start: &str| text.to_lowercase().starts_with(start);
    match entry.strip_prefix("smtp:") {
        Some(start) => {
            std::iter::once(&mailbox.address).chain(&mailbox.aliases).any(|known| begins(known, start))
        }
        None => {
            let words = mailbox.name.to_lowercase();
            words.starts_with(entry)
                || words.split(' ').any(|word| word.starts_with(entry))
                || begins(&mailbox.address, entry)
        }
    }
}

/// The content of a mailbox element.
pub fn mailbox_content(mailbox: &Mailbox) -> String {
    address_content(&mailbox.name, &mailbox.address, "Mailbox")
}

/// The content of a mailbox element with this name, email address and mailbox type.
pub fn address_content(name: &str, address: &str, kind: &str) -> String {
    format!(
        "{}{}<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>{kind}</t:MailboxType>",
        text_element("t:Name", name),
        text_element("t:EmailAddress", address)
    )
}
