//! Folders. Every mailbox has a root, a root of the visible folders, one calendar, and the usual mail folders, which
//! stay empty because the sandbox records sent mails separately.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{
    account::CallContext,
    failure::Failure,
    xml::{Element, MESSAGES, TYPES, escape_attribute, operation_response, success_message, text_element},
};
use crate::store::CalendarKey;

/// A folder: its distinguished name, display name and folder class.
type Folder = (&'static str, &'static str, &'static str);

const ROOT: Folder = ("root", "Root", "");
const TOP: Folder = ("msgfolderroot", "Top of Information Store", "");
/// The folders below the root of the visible folders.
const SEEN: [Folder; 4] = [
    ("calendar", "Calendar", "IPF.Appointment"),
    ("inbox", "Inbox", "IPF.Note"),
    ("sentitems", "Sent Items", "IPF.Note"),
    ("deleteditems", "Deleted Items", "IPF.Note"),
];

/// Encodes the id of the folder with this distinguished name in the mailbox of `owner`.
pub fn folder_id(owner: &CalendarKey, folder: &str) -> String {
    format!(
        "AAMkAGFolder/+{}=",
        BASE64_STANDARD.encode(format!("{}:{folder}", owner.1)).trim_end_matches('=')
    )
}

/// Handles GetFolder.
pub fn get_folder(call: &CallContext<'_>, operation: &Element) -> String {
    let messages: Vec<String> = operation
        .children_of("FolderIds")
        .iter()
        .map(|wanted| match one(call, wanted) {
            Ok(folder) => success_message("GetFolder", &format!("<m:Folders>{folder}</m:Folders>")),
            Err(failure) => failure.to_item_message("GetFolder"),
        })
        .collect();
    operation_response("GetFolder", &messages)
}

fn one(call: &CallContext<'_>, wanted: &Element) -> Result<String, Failure> {
    let owner = call.own_calendar()?;
    let folder = [ROOT, TOP].into_iter().chain(SEEN).find(|folder| is(wanted, &owner, folder.0));
    let folder = folder.ok_or_else(|| {
        Failure::new("ErrorFolderNotFound", "The specified folder could not be found in the store.")
    })?;
    if folder.0 == "calendar" {
        call.calendar_of_folder(wanted)?;
    }
    Ok(show(call, &owner, folder))
}

/// Whether an element identifies a folder, by its distinguished name or its id.
fn is(wanted: &Element, owner: &CalendarKey, folder: &str) -> bool {
    let name = wanted.attribute("Id").unwrap_or_default();
    if wanted.name == "DistinguishedFolderId" { name == folder } else { name == folder_id(owner, folder) }
}

/// Handles FindFolder; all folders count as children of the others.
pub fn find_folder(call: &CallContext<'_>, operation: &Element) -> String {
    let owner = match call.own_calendar() {
        Ok(owner) => owner,
        Err(failure) => return operation_response("FindFolder", &[failure.to_item_message("FindFolder")]),
    };
    let condition = operation.child(MESSAGES, "Restriction").and_then(|inside| inside.children.first());
    let below = |parent: &Element| [ROOT, TOP].iter().any(|(name, ..)| is(parent, &owner, name));
    let messages: Vec<String> = operation
        .children_of("ParentFolderIds")
        .iter()
        .map(|parent| {
            let mut found = if below(parent) { SEEN.to_vec() } else { Vec::new() };
            found.retain(|(_, _, class)| condition.is_none_or(|condition| is_meant(condition, class)));
            let inside = found.iter().map(|folder| show(call, &owner, *folder)).collect::<Vec<_>>().concat();
            let count = found.len();
            success_message(
                "FindFolder",
                &format!(
                    r#"<m:RootFolder IndexedPagingOffset="{count}" TotalItemsInView="{count}" IncludesLastItemInRange="true"><t:Folders>{inside}</t:Folders></m:RootFolder>"#
                ),
            )
        })
        .collect();
    operation_response("FindFolder", &messages)
}

/// Whether a restriction selects folders of this class. Only classes can be queried.
fn is_meant(condition: &Element, class: &str) -> bool {
    let class = class.to_ascii_lowercase();
    let constant = |inside: Option<&Element>| {
        let value =
            inside.and_then(|one| one.child(TYPES, "Constant")).and_then(|one| one.attribute("Value"));
        value.unwrap_or_default().to_ascii_lowercase()
    };
    match condition.name.as_str() {
        "Contains" => class.starts_with(&constant(Some(condition))),
        "IsEqualTo" => class == constant(condition.child(TYPES, "FieldURIOrConstant")),
        _ => false,
    }
}

fn show(call: &CallContext<'_>, owner: &CalendarKey, (folder, title, class): Folder) -> String {
    let is_calendar = folder == "calendar";
    let kind = if is_calendar { "t:CalendarFolder" } else { "t:Folder" };
    let (parent, children) = match folder {
        "root" => ("root", 1),
        "msgfolderroot" => ("root", SEEN.len()),
        _ => ("msgfolderroot", 0),
    };
    let store = call.app.store();
    let events = if is_calendar { store.state().calendar_events(owner).count() } else { 0 };
    // Acting as its owner, one may do everything.
    let rights = "<t:EffectiveRights><t:CreateAssociated>true</t:CreateAssociated><t:CreateContents>true</t:CreateContents><t:CreateHierarchy>true</t:CreateHierarchy><t:Delete>true</t:Delete><t:Modify>true</t:Modify><t:Read>true</t:Read><t:ViewPrivateItems>true</t:ViewPrivateItems></t:EffectiveRights>";
    format!(
        r#"<{kind}><t:FolderId Id="{}" ChangeKey="AgAAAA=="/><t:ParentFolderId Id="{}" ChangeKey="AQAAAA=="/>{}{}<t:TotalCount>{events}</t:TotalCount><t:ChildFolderCount>{children}</t:ChildFolderCount>{rights}</{kind}>"#,
        escape_attribute(&folder_id(owner, folder)),
        escape_attribute(&folder_id(owner, parent)),
        text_element("t:FolderClass", class),
        text_element("t:DisplayName", title),
    )
}

/// The folder that an operation names inside a wrapper element.
pub fn folder_element<'e>(operation: &'e Element, wrapper: &str) -> Option<&'e Element> {
    operation.children_of(wrapper).iter().find(|one| one.namespace == TYPES)
}
