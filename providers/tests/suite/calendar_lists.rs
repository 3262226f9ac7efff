//! Which calendars a person has, and the events of one of them.

use providers::{CalendarKind, CalendarListing};
use serde_json::json;

use crate::{
    answering::{Server, Told, connectors, december},
    microsoft_recorder::Asked,
};

const ADA: &str = "ada@corp.test";

fn shown(all: &[CalendarListing]) -> Vec<(&str, &str, CalendarKind, bool)> {
    all.iter().map(|one| (one.id.as_str(), one.name.as_str(), one.kind, one.counts)).collect()
}

#[tokio::test]
async fn graph_tells_default_own_generated_and_shared_calendars_apart() {
    let list = json!({ "value": [
        { "id": "b", "name": "Birthdays", "canEdit": false, "owner": { "address": "Ada.Lovelace@corp.test" } },
        null,
        { "id": "c", "name": null, "canEdit": true, "isDefaultCalendar": true, "owner": { "address": "ada.lovelace@corp.test" } },
        { "id": "p", "name": "Projects", "canEdit": true, "isDefaultCalendar": false },
        { "id": "s", "name": "Bob", "canEdit": true, "owner": { "address": "bob@corp.test" } },
    ] });
    let server = Server::start(move |asked| match asked.line.contains("calendarView") {
        true => Told::ok(json!({ "value": [] }).to_string()),
        false => Told::ok(list.to_string()),
    });
    let (_, graph, session) = connectors(&server.url, None).remove(0);
    let all = graph.calendars(&session, ADA).await.unwrap();
    assert_eq!(
        shown(&all),
        [
            ("c", "Calendar", CalendarKind::Default, true),
            ("b", "Birthdays", CalendarKind::Generated, false),
            ("p", "Projects", CalendarKind::Secondary, false),
            ("s", "Bob", CalendarKind::Shared, false),
        ]
    );
    graph.events_of(&session, ADA, "p/1", december("07T00:00", "14T00:00"), None).await.unwrap();
    let line = &server.asked()[1].line;
    assert!(line.starts_with("GET /v1.0/users/ada@corp.test/calendars/p%2F1/calendarView?"), "{line}");
}

#[tokio::test]
async fn google_tells_them_by_role_and_id_and_serves_those_who_allow_no_list() {
    let list = json!({ "items": [
        { "id": "en.german#holiday@group.v.calendar.google.com", "summary": "Holidays", "accessRole": "reader" },
        { "id": "addressbook#contacts@group.v.calendar.google.com", "summary": "Birthdays", "accessRole": "reader" },
        { "id": "team@group.calendar.google.com", "summary": "x", "summaryOverride": "Team", "accessRole": "writer" },
        { "id": "bob@corp.test", "accessRole": "freeBusyReader" },
        7,
        { "id": "old", "deleted": true },
        { "id": "Ada@corp.test", "summary": "Ada", "primary": true, "accessRole": "owner" },
    ] });
    let server = Server::start(move |asked| match asked.line.contains("/events") {
        true => Told::ok(json!({ "items": [] }).to_string()),
        false => Told::ok(list.to_string()),
    });
    let (_, google, session) = connectors(&server.url, None).remove(1);
    let all = google.calendars(&session, ADA).await.unwrap();
    let kinds: Vec<_> = shown(&all).into_iter().map(|(_, name, kind, counts)| (name, kind, counts)).collect();
    assert_eq!(
        kinds,
        [
            ("Ada", CalendarKind::Default, true),
            ("Holidays", CalendarKind::Generated, false),
            ("Birthdays", CalendarKind::Generated, false),
            ("Team", CalendarKind::Secondary, false),
            ("bob@corp.test", CalendarKind::Shared, false),
        ]
    );
    assert_eq!(all[0].id, ADA, "the default one is named as everywhere else");
    google.events_of(&session, ADA, &all[3].id, december("07T00:00", "14T00:00"), None).await.unwrap();
    let line = &server.asked()[1].line;
    assert!(line.starts_with("GET /calendar/v3/calendars/team@group.calendar.google.com/events?"), "{line}");

    let refusal = json!({ "error": { "code": 403, "errors": [{ "reason": "insufficientPermissions" }] } });
    let server = Server::start(move |_| Told { status: 403, ..Told::ok(refusal.to_string()) });
    let (_, google, session) = connectors(&server.url, None).remove(1);
    let alone = google.calendars(&session, ADA).await.unwrap();
    assert_eq!(shown(&alone), [(ADA, ADA, CalendarKind::Default, true)]);
}

/// The answers of an Exchange server with three folders for appointments.
fn folders(asked: &Asked) -> Told {
    let folder = |id: &str, name: &str, class: &str| {
        format!(
            r#"<t:CalendarFolder><t:FolderId Id="{id}" ChangeKey="k"/><t:FolderClass>{class}</t:FolderClass><t:DisplayName>{name}</t:DisplayName></t:CalendarFolder>"#
        )
    };
    let all = [
        folder("b", "Birthdays", "IPF.Appointment.Birthday"),
        folder("c", "Kalender", "IPF.Appointment"),
        "<t:CalendarFolder/>".to_owned(),
        folder("p", "Projects", "IPF.Appointment"),
    ];
    let (operation, inside) = if asked.body.contains("<m:GetFolder>") {
        ("GetFolder", format!("<m:Folders>{}</m:Folders>", all[1]))
    } else if asked.body.contains("<m:FindFolder") {
        ("FindFolder", format!("<m:RootFolder><t:Folders>{}</t:Folders></m:RootFolder>", all.concat()))
    } else {
        ("FindItem", "<m:RootFolder IncludesLastItemInRange=\"true\"><t:Items/></m:RootFolder>".to_owned())
    };
    Told::ok(format!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><m:{operation}Response><m:ResponseMessages><m:{operation}ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{inside}</m:{operation}ResponseMessage></m:ResponseMessages></m:{operation}Response></s:Body></s:Envelope>"#
    ))
}

#[tokio::test]
async fn exchange_tells_the_folders_for_appointments() {
    let server = Server::start(folders);
    let (_, exchange, session) = connectors(&server.url, None).remove(2);
    let all = exchange.calendars(&session, ADA).await.unwrap();
    assert_eq!(
        shown(&all),
        [
            ("c", "Kalender", CalendarKind::Default, true),
            ("b", "Birthdays", CalendarKind::Generated, false),
            ("p", "Projects", CalendarKind::Secondary, false),
        ]
    );
    exchange.events_of(&session, ADA, "p", december("07T00:00", "14T00:00"), None).await.unwrap();
    let asked = server.asked();
    assert!(asked[1].body.contains(r#"<m:FindFolder Traversal="Deep">"#), "{}", asked[1].body);
    assert!(
        asked[2].body.contains(r#"<m:ParentFolderIds><t:FolderId Id="p"/></m:ParentFolderIds>"#),
        "{}",
        asked[2].body
    );
}
