//! Folders. Every mailbox has a root, what people see of it, and one calendar.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{
    account::Call,
    failure::Failure,
    xml::{Element, TYPES, element, quoted, response, success},
};
use crate::store::Owner;

const KNOWN: [(&str, &str); 3] =
    [("root", "Root"), ("msgfolderroot", "Top of Information Store"), ("calendar", "Calendar")];

/// The id of a folder.
pub fn id(owner: &Owner, folder: &str) -> String {
    format!(
        "AAMkAGFolder/+{}=",
        BASE64_STANDARD.encode(format!("{}:{folder}", owner.1)).trim_end_matches('=')
    )
}

/// GetFolder.
pub fn get(call: &Call<'_>, operation: &Element) -> String {
    let messages: Vec<String> = operation
        .members("FolderIds")
        .iter()
        .map(|wanted| match one(call, wanted) {
            Ok(folder) => success("GetFolder", &format!("<m:Folders>{folder}</m:Folders>")),
            Err(failure) => failure.about_item("GetFolder"),
        })
        .collect();
    response("GetFolder", &messages)
}

fn one(call: &Call<'_>, wanted: &Element) -> Result<String, Failure> {
    let owner = call.owner()?;
    let name = wanted.attribute("Id").unwrap_or_default();
    let known = KNOWN.into_iter().find(|(known, _)| match wanted.name.as_str() {
        "DistinguishedFolderId" => *known == name,
        _ => id(&owner, known) == name,
    });
    match known {
        Some(("calendar", _)) => {
            call.calendar(wanted).map(|owner| show(call, &owner, "calendar", "Calendar"))
        }
        Some((known, title)) => Ok(show(call, &owner, known, title)),
        None => {
            Err(Failure::new("ErrorFolderNotFound", "The specified folder could not be found in the store."))
        }
    }
}

/// FindFolder: the calendar is the only folder below the others.
pub fn find(call: &Call<'_>, operation: &Element) -> String {
    let owner = match call.owner() {
        Ok(owner) => owner,
        Err(failure) => return response("FindFolder", &[failure.about_item("FindFolder")]),
    };
    let messages: Vec<String> = operation
        .members("ParentFolderIds")
        .iter()
        .map(|parent| {
            let holds = parent.attribute("Id").is_some_and(|wanted| {
                wanted == "root" || wanted == "msgfolderroot" || wanted == id(&owner, "root") || wanted == id(&owner, "msgfolderroot")
            });
            let (count, inside) = match holds {
                true => (1, show(call, &owner, "calendar", "Calendar")),
                false => (0, String::new()),
            };
            success("FindFolder", &format!(
                r#"<m:RootFolder IndexedPagingOffset="{count}" TotalItemsInView="{count}" IncludesLastItemInRange="true"><t:Folders>{inside}</t:Folders></m:RootFolder>"#
            ))
        })
        .collect();
    response("FindFolder", &messages)
}

fn show(call: &Call<'_>, owner: &Owner, folder: &str, title: &str) -> String {
    let is_calendar = folder == "calendar";
    let kind = if is_calendar { "t:CalendarFolder" } else { "t:Folder" };
    let parent = if is_calendar { "msgfolderroot" } else { "root" };
    let class = if is_calendar { "IPF.Appointment" } else { "" };
    let store = call.app.store();
    let events = if is_calendar { store.state().calendar(owner).count() } else { 0 };
    // Acting as its owner, one may do everything.
    let rights = "<t:EffectiveRights><t:CreateAssociated>true</t:CreateAssociated><t:CreateContents>true</t:CreateContents><t:CreateHierarchy>true</t:CreateHierarchy><t:Delete>true</t:Delete><t:Modify>true</t:Modify><t:Read>true</t:Read><t:ViewPrivateItems>true</t:ViewPrivateItems></t:EffectiveRights>";
    format!(
        r#"<{kind}><t:FolderId Id="{}" ChangeKey="AgAAAA=="/><t:ParentFolderId Id="{}" ChangeKey="AQAAAA=="/>{}{}<t:TotalCount>{events}</t:TotalCount><t:ChildFolderCount>{}</t:ChildFolderCount>{rights}</{kind}>"#,
        quoted(&id(owner, folder)),
        quoted(&id(owner, parent)),
        element("t:FolderClass", class),
        element("t:DisplayName", title),
        u8::from(!is_calendar),
    )
}

/// Which folder an operation names in a wrapper of its own.
pub fn named<'e>(operation: &'e Element, wrapper: &str) -> Option<&'e Element> {
    operation.members(wrapper).iter().find(|one| one.namespace == TYPES)
}
