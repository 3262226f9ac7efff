//! Exchange Web Services, as raw requests and as an independent client meet them.

use std::process::Command;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::setup::{Setup, text};

const USER: &str = "svc@acme.test";
const PASSWORD: &str = "made for this test only";
const ZONE: &str = "W. Europe Standard Time";

/// The sandbox with a service account.
async fn setup() -> Setup {
    let setup = Setup::new().await;
    let path = format!("organisations/{}/technical-account", setup.tenant);
    setup.control(&path, json!({ "user": USER, "password": PASSWORD })).await;
    setup
}

/// Sends an operation in the mailbox of a person.
async fn ask(setup: &Setup, mailbox: &str, operation: &str) -> (StatusCode, String) {
    ask_as(setup, "Exchange2013_SP1", mailbox, operation).await
}

async fn ask_as(setup: &Setup, version: &str, mailbox: &str, operation: &str) -> (StatusCode, String) {
    let body = format!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Header><t:RequestServerVersion Version="{version}"/><t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>{mailbox}</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation></s:Header><s:Body>{operation}</s:Body></s:Envelope>"#
    );
    let url = setup.url("EWS/Exchange.asmx");
    let answer = setup.client.post(url).basic_auth(USER, Some(PASSWORD)).body(body).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// What stands between two texts.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).map(|(_, rest)| rest).unwrap_or_default();
    rest.split_once(end).map(|(inside, _)| inside).unwrap_or_default()
}

fn code(answer: &str) -> &str {
    between(answer, "ResponseCode>", "<").trim()
}

fn fault(answer: &str) -> &str {
    between(answer, "/errors\">", "<")
}

fn create(inside: &str) -> String {
    format!(
        r#"<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem>{inside}</t:CalendarItem></m:Items></m:CreateItem>"#
    )
}

const TIMES: &str = "<t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End>";

fn ada(setup: &Setup) -> String {
    let users = setup.organisation["users"].as_array().unwrap();
    let open = users.iter().find(|user| user["admin"] == false && user["in_scope"] == true).unwrap();
    text(&open["address"])
}

/// Makes an event; its id and its change key.
async fn made(setup: &Setup, mailbox: &str) -> (String, String) {
    let (_, answer) = ask(setup, mailbox, &create(&format!("<t:Subject>Talk</t:Subject>{TIMES}"))).await;
    let handle = between(&answer, "<t:ItemId ", "/>").to_owned();
    (between(&handle, "Id=\"", "\"").to_owned(), between(&handle, "ChangeKey=\"", "\"").to_owned())
}

#[tokio::test]
async fn who_is_not_logged_in_is_told_which_login_is_taken() {
    let setup = setup().await;
    let url = setup.url("ews/exchange.asmx");
    for password in [None, Some("wrong")] {
        let answer = setup.client.post(&url).basic_auth(USER, password).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"));
    }
}

#[tokio::test]
async fn an_item_whose_elements_are_out_of_order_is_refused_as_a_whole() {
    let setup = setup().await;
    let ada = ada(&setup);
    for inside in [
        format!("{TIMES}<t:Subject>Talk</t:Subject>"),
        format!("<t:Subject>Talk</t:Subject><t:Colour>red</t:Colour>{TIMES}"),
        format!("<t:Subject>Talk</t:Subject>{TIMES}<t:RequiredAttendees/>"),
    ] {
        let (status, answer) = ask(&setup, &ada, &create(&inside)).await;
        assert_eq!((status.as_u16(), fault(&answer)), (500, "ErrorSchemaValidation"), "{inside}");
    }
    assert_eq!(setup.ask(&format!("organisations/{}/events?mailbox={ada}", setup.tenant)).await, json!([]));
}

#[tokio::test]
async fn what_concerns_one_item_is_an_error_inside_a_success() {
    let setup = setup().await;
    let ada = ada(&setup);
    let silent = create(TIMES).replace(r#" SendMeetingInvitations="SendToNone""#, "");
    let iana = create(&format!(r#"{TIMES}<t:StartTimeZone Id="Europe/Berlin"/>"#));
    let backwards = "<t:Start>2026-12-01T10:00:00Z</t:Start><t:End>2026-12-01T09:00:00Z</t:End>";
    let gone = r#"<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ItemIds><t:ItemId Id="AAA="/></m:ItemIds></m:GetItem>"#;
    for (operation, expected) in [
        (silent.as_str(), "ErrorSendMeetingInvitationsRequired"),
        (iana.as_str(), "ErrorTimeZone"),
        (create(backwards).as_str(), "ErrorCalendarEndDateIsEarlierThanStartDate"),
        (gone, "ErrorItemNotFound"),
    ] {
        let (status, answer) = ask(&setup, &ada, operation).await;
        assert_eq!((status.as_u16(), code(&answer)), (200, expected), "{answer}");
        assert!(answer.contains(r#"ResponseClass="Error""#), "{answer}");
    }
    let fine = create(&format!(r#"{TIMES}<t:StartTimeZone Id="{ZONE}"/>"#));
    assert_eq!(code(&ask(&setup, &ada, &fine).await.1), "NoError");
}

#[tokio::test]
async fn what_concerns_the_whole_request_is_a_fault() {
    let setup = setup().await;
    let ada = ada(&setup);
    let folder = r#"<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder>"#;
    let (status, answer) = ask_as(&setup, "Exchange2035", &ada, folder).await;
    assert_eq!((status.as_u16(), fault(&answer)), (500, "ErrorInvalidServerVersion"));
    let (_, answer) = ask(&setup, "nobody@acme.test", folder).await;
    assert_eq!(fault(&answer), "ErrorNonExistentMailbox");
    setup.control("faults", json!({ "action": "throttle", "retry_after": 3 })).await;
    let (status, answer) = ask(&setup, &ada, folder).await;
    assert_eq!((status.as_u16(), fault(&answer)), (500, "ErrorServerBusy"));
    assert_eq!(between(&answer, "BackOffMilliseconds\">", "<"), "3000");
    let (status, answer) = ask(&setup, &ada, folder).await;
    assert_eq!((status.as_u16(), code(&answer)), (200, "NoError"));
}

#[tokio::test]
async fn a_stale_version_is_a_conflict_unless_the_caller_overwrites() {
    let setup = setup().await;
    let ada = ada(&setup);
    let (id, key) = made(&setup, &ada).await;
    let update = |key: &str, resolution: &str| {
        let key = if key.is_empty() { String::new() } else { format!(r#" ChangeKey="{key}""#) };
        format!(
            r#"<m:UpdateItem ConflictResolution="{resolution}" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange><t:ItemId Id="{id}"{key}/><t:Updates><t:SetItemField><t:FieldURI FieldURI="item:Subject"/><t:CalendarItem><t:Subject>Other</t:Subject></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"#
        )
    };
    for (key, resolution, expected) in [
        (key.as_str(), "NeverOverwrite", "NoError"),
        (key.as_str(), "NeverOverwrite", "ErrorIrresolvableConflict"),
        ("", "NeverOverwrite", "ErrorChangeKeyRequiredForWriteOperations"),
        (key.as_str(), "AlwaysOverwrite", "NoError"),
    ] {
        let (_, answer) = ask(&setup, &ada, &update(key, resolution)).await;
        assert_eq!(code(&answer), expected, "{key} {resolution}");
    }
}

#[tokio::test]
async fn the_limits_of_free_busy_and_sync_are_kept() {
    let setup = setup().await;
    let ada = ada(&setup);
    let zone = "<t:TimeZone><t:Bias>0</t:Bias><t:StandardTime><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>10</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime><t:DaylightTime><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>";
    let availability = |count: usize, end: &str| {
        let mailbox = format!(
            "<t:MailboxData><t:Email><t:Address>{ada}</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType></t:MailboxData>"
        );
        format!(
            "<m:GetUserAvailabilityRequest>{zone}<m:MailboxDataArray>{}</m:MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>2026-12-01T00:00:00</t:StartTime><t:EndTime>{end}</t:EndTime></t:TimeWindow><t:RequestedView>FreeBusy</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>",
            mailbox.repeat(count)
        )
    };
    assert_eq!(code(&ask(&setup, &ada, &availability(100, "2027-01-12T00:00:00")).await.1), "NoError");
    let (_, answer) = ask(&setup, &ada, &availability(101, "2026-12-02T00:00:00")).await;
    assert_eq!(fault(&answer), "ErrorMailboxDataArrayTooBig");
    let (_, answer) = ask(&setup, &ada, &availability(1, "2027-01-13T00:00:00")).await;
    assert_eq!(fault(&answer), "ErrorTimeIntervalTooBig");
    let sync = |most: u32, state: &str| {
        format!(
            r#"<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId><t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId>{state}<m:MaxChangesReturned>{most}</m:MaxChangesReturned></m:SyncFolderItems>"#
        )
    };
    assert_eq!(code(&ask(&setup, &ada, &sync(513, "")).await.1), "ErrorSchemaValidation");
    for _ in 0..3 {
        made(&setup, &ada).await;
    }
    let (mut state, mut pages) = (String::new(), Vec::new());
    for _ in 0..3 {
        let (_, answer) = ask(&setup, &ada, &sync(2, &state)).await;
        let whole = between(&answer, "IncludesLastItemInRange>", "<").to_owned();
        pages.push((answer.matches("<t:Create>").count(), whole));
        state = format!("<m:SyncState>{}</m:SyncState>", between(&answer, "<m:SyncState>", "<"));
    }
    let expected = [(2, "false".to_owned()), (1, "true".to_owned()), (0, "true".to_owned())];
    assert_eq!(pages, expected);
    setup.control("cursors/forget", json!({})).await;
    assert_eq!(code(&ask(&setup, &ada, &sync(2, &state)).await.1), "ErrorInvalidSyncStateData");
}

#[tokio::test]
async fn the_journal_names_the_key_of_an_effect_and_what_came_of_it() {
    let setup = setup().await;
    let ada = ada(&setup);
    let key = r#"<t:ExtendedProperty><t:ExtendedFieldURI PropertySetId="66F5A359-4659-4830-9070-00047EC6AC6E" PropertyName="key" PropertyType="String"/><t:Value>bkg-1</t:Value></t:ExtendedProperty>"#;
    ask(&setup, &ada, &create(&format!("{key}{TIMES}"))).await;
    let journal = setup.ask("journal").await;
    let last = journal.as_array().unwrap().last().unwrap().clone();
    let seen = (&last["app"], &last["mailbox"], &last["key"], &last["outcome"], &last["status"]);
    assert_eq!(seen, (&json!(USER), &json!(ada), &json!("bkg-1"), &json!("created"), &json!(200)));
    let path = format!("organisations/{}/events?mailbox={ada}", setup.tenant);
    // Both ways in see the same property.
    assert_eq!(setup.ask(&path).await[0]["extended_properties"][crate::setup::PROPERTY], "bkg-1");
}

#[tokio::test]
async fn an_independent_client_does_the_main_job_with_nothing_but_the_server_changed() {
    let setup = setup().await;
    let people = setup.organisation["users"].as_array().unwrap();
    let mut open = people.iter().filter(|user| user["admin"] == false && user["in_scope"] == true);
    let mut next = || text(&open.next().unwrap()["address"]);
    let (organiser, guest) = (next(), next());
    let rooms: Vec<String> =
        setup.organisation["rooms"].as_array().unwrap().iter().map(|room| text(&room["address"])).collect();
    let python =
        std::env::var("MUSTER_PYTHON").expect("run the tests with scripts/test: it sets MUSTER_PYTHON");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/python/exchange.py");
    let endpoint = setup.url("EWS/Exchange.asmx");
    let arguments = [script, &endpoint, USER, PASSWORD, &organiser, &guest, &rooms[0]].map(str::to_owned);
    let run = tokio::task::spawn_blocking(move || Command::new(python).args(arguments).output());
    let output = run.await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let event = |start: &str| json!([{ "subject": "Interview", "start": start }]);
    let (ten, two) = ("2026-12-01T10:00:00+01:00", "2026-12-01T14:00:00+01:00");
    assert_eq!(seen["first"], json!([]), "{seen}");
    let created = json!({ "organiser": event(ten), "guest": event(ten), "room": 1, "changes": ["create"] });
    assert_eq!(seen["created"], created);
    assert_eq!(seen["moved"], json!({ "organiser": event(two), "guest": event(two), "changes": ["update"] }));
    assert_eq!(seen["answers"], json!({ rooms[0].clone(): "Accept" }));
    assert_eq!(seen["busy"], json!([[[two, "Busy"]], [[two, "Busy"]]]));
    let mut listed = rooms.clone();
    listed.sort();
    assert_eq!(seen["rooms"], json!(listed));
    assert_eq!(seen["names"], json!([guest]));
    assert_eq!((&seen["body"], &seen["organizer"]), (&json!("Agenda"), &json!(organiser)));
    assert_eq!(seen["cancelled"], json!({ "organiser": [], "guest": [], "changes": ["delete"] }));
}

#[tokio::test]
async fn a_pull_subscription_tells_what_happened_until_nobody_listens_any_more() {
    let setup = setup().await;
    let ada = ada(&setup);
    let subscribe = "<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds><t:DistinguishedFolderId Id=\"calendar\"/></t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:Timeout>30</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>";
    let (_, made) = ask(&setup, &ada, subscribe).await;
    let id = between(&made, "<m:SubscriptionId>", "<").to_owned();
    let first = between(&made, "<m:Watermark>", "<").to_owned();
    let listen = |mark: &str| {
        format!(
            "<m:GetEvents><m:SubscriptionId>{id}</m:SubscriptionId><m:Watermark>{mark}</m:Watermark></m:GetEvents>"
        )
    };
    let (_, quiet) = ask(&setup, &ada, &listen(&first)).await;
    assert!(quiet.contains("<t:MoreEvents>false</t:MoreEvents><t:StatusEvent>"), "{quiet}");
    for _ in 0..51 {
        ask(&setup, &ada, &create(TIMES)).await;
    }
    let (_, told) = ask(&setup, &ada, &listen(&first)).await;
    assert_eq!((told.matches("<t:CreatedEvent>").count(), told.contains("<t:MoreEvents>true")), (50, true));
    let mark = told.rsplit_once("<t:Watermark>").unwrap().1.split_once('<').unwrap().0.to_owned();
    let (_, rest) = ask(&setup, &ada, &listen(&mark)).await;
    assert_eq!((rest.matches("<t:CreatedEvent>").count(), rest.contains("<t:MoreEvents>false")), (1, true));

    let (_, foreign) = ask(&setup, USER, &listen(&mark)).await;
    assert_ne!(code(&foreign), "NoError", "{foreign}");
    assert_eq!(code(&ask(&setup, &ada, &listen("bm9uc2Vuc2U=")).await.1), "ErrorInvalidWatermark");
    setup.control("clock/advance", json!({"seconds": 31 * 60})).await;
    assert_eq!(code(&ask(&setup, &ada, &listen(&mark)).await.1), "ErrorSubscriptionNotFound");
    let end = format!("<m:Unsubscribe><m:SubscriptionId>{id}</m:SubscriptionId></m:Unsubscribe>");
    assert_eq!(code(&ask(&setup, &ada, &end).await.1), "NoError");
    assert_eq!(code(&ask(&setup, &ada, &end).await.1), "ErrorSubscriptionNotFound");
}
