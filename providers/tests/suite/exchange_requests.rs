//! What the Exchange connector sends when it writes: the exact shape of requests, and what follows from refusals.

use crate::exchange_script as script;

use providers::{ErrorKind, EventChange, Events as _, NewEvent, Remedy};
use script::{
    CALENDAR, EFFECT, GUEST, MAILBOX, Script, exchange, fine, found, got, interview, item, messages, refused,
    session, window,
};

#[tokio::test]
async fn a_new_event_is_searched_written_in_the_order_of_the_schema_and_read_back() {
    let script = Script::play([
        found("", true),
        messages(
            "CreateItem",
            &fine(
                "CreateItem",
                r#"<m:Items><t:CalendarItem><t:ItemId Id="A/1+=" ChangeKey="k1"/></t:CalendarItem></m:Items>"#,
            ),
        ),
        messages("GetItem", &got(&item("A/1+=", "k1", GUEST))),
    ]);
    let written = exchange(&[]).create_event(&session(&script), MAILBOX, &interview()).await.unwrap();
    assert_eq!(
        (written.id.as_str(), written.version.as_str(), written.uid.as_str()),
        ("A/1+=", "k1", "uid-1")
    );
    let heard = script.heard();
    for request in &heard {
        assert_eq!(request.line, "POST /EWS/Exchange.asmx");
        assert_eq!(request.header("authorization"), Some("Basic c3ZjQGNvcnAudGVzdDpwdw=="));
        assert_eq!(request.header("x-anchormailbox"), Some(MAILBOX));
        assert_eq!(request.header("content-type"), Some("text/xml; charset=utf-8"));
        assert_eq!(
            request.between("<soap:Header>", "</soap:Header>"),
            r#"<t:RequestServerVersion Version="Exchange2013_SP1"/><t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>ada@corp.test</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation><t:TimeZoneContext><t:TimeZoneDefinition Id="UTC"/></t:TimeZoneContext>"#
        );
    }
    assert_eq!(
        heard[0].operation(),
        format!(
            r#"<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:IndexedPageItemView MaxEntriesReturned="20" Offset="0" BasePoint="Beginning"/><m:Restriction><t:IsEqualTo>{EFFECT}<t:FieldURIOrConstant><t:Constant Value="bkg-1"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction><m:ParentFolderIds>{CALENDAR}</m:ParentFolderIds></m:FindItem>"#
        )
    );
    let attendee = |list: &str, name: &str, address: &str| {
        format!(
            "<t:{list}><t:Attendee><t:Mailbox><t:Name>{name}</t:Name><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:Attendee></t:{list}>"
        )
    };
    assert_eq!(
        heard[1].operation(),
        format!(
            r#"<m:CreateItem SendMeetingInvitations="SendToAllAndSaveCopy"><m:SavedItemFolderId>{CALENDAR}</m:SavedItemFolderId><m:Items><t:CalendarItem><t:Subject>Interview</t:Subject><t:Body BodyType="Text">Agenda</t:Body><t:ExtendedProperty>{EFFECT}<t:Value>bkg-1</t:Value></t:ExtendedProperty><t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End><t:IsAllDayEvent>false</t:IsAllDayEvent><t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus><t:Location>Room 1</t:Location>{}{}<t:StartTimeZone Id="W. Europe Standard Time"/><t:EndTimeZone Id="W. Europe Standard Time"/></t:CalendarItem></m:Items></m:CreateItem>"#,
            attendee("RequiredAttendees", "Bob", "bob@corp.test"),
            attendee("Resources", "Room 1", "room-1@corp.test"),
        )
    );
    assert!(heard[2].operation().contains(r#"<m:ItemIds><t:ItemId Id="A/1+="/></m:ItemIds>"#));
}

#[tokio::test]
async fn zones_are_sent_by_their_windows_names_and_left_out_where_they_have_none() {
    for (zone, sent) in [("Asia/Kolkata", Some("India Standard Time")), ("Antarctica/Troll", None)] {
        let script = Script::play([
            found("", true),
            messages("CreateItem", &refused("CreateItem", "ErrorQuotaExceeded")),
        ]);
        let event = NewEvent { zone: zone.to_owned(), attendees: Vec::new(), ..interview() };
        let error = exchange(&[]).create_event(&session(&script), MAILBOX, &event).await.unwrap_err();
        assert_eq!((error.kind, error.unknown), (ErrorKind::NotServed, false));
        let heard = script.heard();
        assert!(heard[1].operation().contains(r#"SendMeetingInvitations="SendToNone""#));
        let named = heard[1].between("<t:StartTimeZone Id=\"", "\"");
        assert_eq!(named, sent.unwrap_or_default(), "{zone}");
    }
}

#[tokio::test]
async fn a_change_names_the_version_it_was_made_from_and_is_made_anew_after_a_conflict() {
    let there = |key: &str| messages("GetItem", &got(&item("A", key, GUEST)));
    let conflict = || messages("UpdateItem", &refused("UpdateItem", "ErrorIrresolvableConflict"));
    let done = messages("UpdateItem", &fine("UpdateItem", ""));
    let script = Script::play([there("k1"), conflict(), there("k2"), done, there("k3")]);
    let change = EventChange {
        range: Some(window("2026-12-01T13:00:00Z", "2026-12-01T14:00:00Z")),
        zone: Some("Europe/Berlin".to_owned()),
        ..EventChange::default()
    };
    let changed = exchange(&[]).update_event(&session(&script), MAILBOX, "A", &change).await.unwrap();
    assert_eq!(changed.version, "k3");
    let set = |field: &str, inside: &str| {
        format!(
            r#"<t:SetItemField><t:FieldURI FieldURI="calendar:{field}"/><t:CalendarItem>{inside}</t:CalendarItem></t:SetItemField>"#
        )
    };
    let expected = |key: &str| {
        format!(
            r#"<m:UpdateItem MessageDisposition="SaveOnly" ConflictResolution="NeverOverwrite" SendMeetingInvitationsOrCancellations="SendToAllAndSaveCopy"><m:ItemChanges><t:ItemChange><t:ItemId Id="A" ChangeKey="{key}"/><t:Updates>{}{}{}{}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"#,
            set("Start", "<t:Start>2026-12-01T13:00:00Z</t:Start>"),
            set("End", "<t:End>2026-12-01T14:00:00Z</t:End>"),
            set("StartTimeZone", r#"<t:StartTimeZone Id="W. Europe Standard Time"/>"#),
            set("EndTimeZone", r#"<t:EndTimeZone Id="W. Europe Standard Time"/>"#),
        )
    };
    let heard = script.heard();
    assert_eq!([heard[1].operation(), heard[3].operation()], [expected("k1"), expected("k2")]);
    let script = Script::play([there("k1"), conflict(), there("k2"), conflict()]);
    let error = exchange(&[]).update_event(&session(&script), MAILBOX, "A", &change).await.unwrap_err();
    assert_eq!((error.kind, error.remedy, error.unknown), (ErrorKind::Conflict, Remedy::Reread, false));
}

#[tokio::test]
async fn only_those_who_come_or_go_are_told_of_a_new_list() {
    let there = || messages("GetItem", &got(&item("A", "k1", GUEST)));
    let script = Script::play([there(), messages("UpdateItem", &fine("UpdateItem", "")), there()]);
    let room = interview().attendees.split_off(1);
    let change = EventChange { attendees: Some(room), ..EventChange::default() };
    exchange(&[]).update_event(&session(&script), MAILBOX, "A", &change).await.unwrap();
    let heard = script.heard();
    let operation = heard[1].operation();
    assert!(
        operation.contains(r#"SendMeetingInvitationsOrCancellations="SendToChangedAndSaveCopy""#),
        "{operation}"
    );
    for gone in ["RequiredAttendees", "OptionalAttendees"] {
        let gone =
            format!(r#"<t:DeleteItemField><t:FieldURI FieldURI="calendar:{gone}"/></t:DeleteItemField>"#);
        assert!(operation.contains(&gone), "{operation}");
    }
    assert!(operation.contains("<t:CalendarItem><t:Resources><t:Attendee>"), "{operation}");
}

#[tokio::test]
async fn a_meeting_is_called_off_with_a_message_and_an_event_of_ones_own_is_deleted() {
    let there = |inside: &str| messages("GetItem", &got(&item("A", "k1", inside)));
    let script = Script::play([there(GUEST), messages("CreateItem", &fine("CreateItem", "<m:Items/>"))]);
    exchange(&[]).cancel_event(&session(&script), MAILBOX, "A", "Sorry & bye").await.unwrap();
    assert_eq!(
        script.heard()[1].operation(),
        r#"<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:CancelCalendarItem><t:ReferenceItemId Id="A" ChangeKey="k1"/><t:NewBodyContent BodyType="Text">Sorry &amp; bye</t:NewBodyContent></t:CancelCalendarItem></m:Items></m:CreateItem>"#
    );
    let script = Script::play([there(""), messages("DeleteItem", &fine("DeleteItem", ""))]);
    exchange(&[]).cancel_event(&session(&script), MAILBOX, "A", "Sorry").await.unwrap();
    assert_eq!(
        script.heard()[1].operation(),
        r#"<m:DeleteItem DeleteType="MoveToDeletedItems" SendMeetingCancellations="SendToNone"><m:ItemIds><t:ItemId Id="A" ChangeKey="k1"/></m:ItemIds></m:DeleteItem>"#
    );
    let gone = messages("DeleteItem", &refused("DeleteItem", "ErrorItemNotFound"));
    let script = Script::play([there(""), gone]);
    exchange(&[]).delete_event(&session(&script), MAILBOX, "A").await.unwrap();
    assert!(
        script.heard()[1]
            .operation()
            .starts_with(r#"<m:DeleteItem DeleteType="HardDelete" SendMeetingCancellations="SendToNone">"#)
    );
}
