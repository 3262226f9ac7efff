//! SyncFolderItems: changes in a calendar since a sync state.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{
    account::CallContext,
    failure::Failure,
    folders,
    render::ItemShape,
    xml::{Element, MESSAGES, escape_attribute, operation_response, success_message, text_element},
};
use crate::store::CalendarKey;

/// Maximum number of changes returned at once.
const MAX: usize = 512;

/// Handles SyncFolderItems.
pub fn sync_folder_items(call: &CallContext<'_>, operation: &Element) -> String {
    let message = match told(call, operation) {
        Ok(inside) => success_message("SyncFolderItems", &inside),
        Err(failure) => failure.to_item_message("SyncFolderItems"),
    };
    operation_response("SyncFolderItems", &[message])
}

fn told(call: &CallContext<'_>, operation: &Element) -> Result<String, Failure> {
    let folder = folders::folder_element(operation, "SyncFolderId")
        .ok_or_else(|| Failure::schema_violation("SyncFolderItems"))?;
    let owner = call.calendar_of_folder(folder)?;
    let text = |name: &str| operation.child(MESSAGES, name).map(|one| one.text.trim());
    let most = text("MaxChangesReturned").and_then(|most| most.parse().ok());
    let most = most
        .filter(|most| (1..=MAX).contains(most))
        .ok_or_else(|| Failure::schema_violation("MaxChangesReturned"))?;
    let store = call.app.store();
    let state = store.state();
    let since = match text("SyncState").filter(|text| !text.is_empty()) {
        None => 0,
        Some(text) => since(text, &owner, state.history.epoch).ok_or_else(|| {
            Failure::new(
                "ErrorInvalidSyncStateData",
                "Synchronization state data is corrupt or otherwise invalid.",
            )
        })?,
    };
    let mut all = state.history.changes_since(&owner, since);
    all.retain(|(_, touched)| touched.gone.is_none() || touched.made <= since);
    let shape = ItemShape::from_operation(operation, true);
    let events = state.events.get(&owner);
    let changes: String = all
        .iter()
        .take(most)
        .map(|(id, touched)| match events.and_then(|events| events.get(*id)) {
            None => format!(r#"<t:Delete><t:ItemId Id="{}" ChangeKey=""/></t:Delete>"#, escape_attribute(id)),
            Some(event) => {
                let kind = if touched.made > since { "Create" } else { "Update" };
                format!("<t:{kind}>{}</t:{kind}>", shape.render_item(&owner, event))
            }
        })
        .collect();
    let whole = all.len() <= most;
    let until = if whole { state.history.count } else { all[most - 1].1.last };
    Ok(format!(
        "{}<m:IncludesLastItemInRange>{whole}</m:IncludesLastItemInRange><m:Changes>{changes}</m:Changes>",
        text_element("m:SyncState", &token(until, &owner, state.history.epoch))
    ))
}

fn token(until: u64, owner: &CalendarKey, epoch: u64) -> String {
    BASE64_STANDARD.encode(format!("{epoch}:{until}:{}", owner.1))
}

/// The position of a sync state; `None` if it was forgotten or belongs to another calendar.
fn since(text: &str, owner: &CalendarKey, epoch: u64) -> Option<u64> {
    let plain = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
    let (known, rest) = plain.split_once(':')?;
    let (until, mailbox) = rest.split_once(':')?;
    (known == epoch.to_string() && mailbox == owner.1).then(|| until.parse().ok())?
}
