//! What the Exchange connector makes of answers that the sandbox never gives.

use crate::exchange_script as script;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use domain::{BusyKind, BusyTime};
use providers::{
    ChangeCheck, ChangeFeed as _, Credential, Credentials, Directory as _, ErrorKind, Events as _, Gate,
    Permit, Remedy, Result, Session,
};
use script::{
    CALENDAR, MAILBOX, Reply, Script, day, exchange, fine, found, got, item, messages, refused, session,
    soap, window,
};

/// One verdict of GetUserAvailability.
fn view(kind: &str, inside: &str) -> String {
    format!(
        r#"<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage><m:FreeBusyView><t:FreeBusyViewType>{kind}</t:FreeBusyViewType>{inside}</m:FreeBusyView></m:FreeBusyResponse>"#
    )
}

fn availability(views: &str) -> Reply {
    soap(&format!(
        "<m:GetUserAvailabilityResponse><m:FreeBusyResponseArray>{views}</m:FreeBusyResponseArray></m:GetUserAvailabilityResponse>"
    ))
}

#[tokio::test]
async fn busy_times_are_matched_by_their_order_and_read_with_and_without_offsets() {
    let event = |start: &str, end: &str, kind: &str| {
        format!(
            "<t:CalendarEvent><t:StartTime>{start}</t:StartTime><t:EndTime>{end}</t:EndTime><t:BusyType>{kind}</t:BusyType></t:CalendarEvent>"
        )
    };
    let events = [
        event("2026-12-01T09:00:00", "2026-12-01T10:00:00", "Busy"),
        event("2026-12-01T03:00:00-07:00", "2026-12-01T04:00:00-07:00", "OOF"),
        event("2026-12-01T12:00:00", "2026-12-01T13:00:00", "Free"),
        event("2026-11-30T22:00:00", "2026-12-01T01:00:00", "Tentative"),
    ]
    .concat();
    let denied = r#"<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Error"><m:ResponseCode>ErrorNoFreeBusyAccess</m:ResponseCode></m:ResponseMessage></m:FreeBusyResponse>"#;
    let views = [
        view("FreeBusyMerged", &format!("<t:CalendarEventArray>{events}</t:CalendarEventArray>")),
        denied.to_owned(),
        view("None", ""),
        view("MergedOnly", "<t:MergedFreeBusy>0120</t:MergedFreeBusy>"),
        view("FreeBusy", ""),
    ];
    let script = Script::play([availability(&views.concat())]);
    let asked: Vec<String> =
        ["a", "b", "c", "d", "e"].iter().map(|name| format!("{name}@corp.test")).collect();
    let answers = exchange(&[]).busy(&session(&script), &asked, day()).await.unwrap();
    let busy = |start: &str, end: &str, kind| BusyTime { range: window(start, end), kind };
    let verdicts: Vec<_> = answers
        .into_iter()
        .map(|(_, verdict)| verdict.map(|told| told.busy).map_err(|error| (error.kind, error.remedy)))
        .collect();
    let closed = Err((ErrorKind::OutOfScope, Remedy::SkipMailbox));
    assert_eq!(
        verdicts,
        [
            Ok(vec![
                busy("2026-12-01T00:00:00Z", "2026-12-01T01:00:00Z", BusyKind::Tentative),
                busy("2026-12-01T09:00:00Z", "2026-12-01T11:00:00Z", BusyKind::Busy),
            ]),
            closed.clone(),
            closed,
            Ok(vec![
                busy("2026-12-01T00:15:00Z", "2026-12-01T00:30:00Z", BusyKind::Tentative),
                busy("2026-12-01T00:30:00Z", "2026-12-01T00:45:00Z", BusyKind::Busy),
            ]),
            Ok(Vec::new()),
        ]
    );
    let heard = script.heard();
    assert!(!heard[0].body.contains("ExchangeImpersonation"), "it is the account's own view");
    let time = "<t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>2026-12-01T00:00:00</t:StartTime><t:EndTime>2026-12-02T00:00:00</t:EndTime></t:TimeWindow><t:MergedFreeBusyIntervalInMinutes>15</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>FreeBusyMerged</t:RequestedView></t:FreeBusyViewOptions>";
    assert!(heard[0].operation().contains(time), "{}", heard[0].operation());
}

#[tokio::test]
async fn an_answer_with_fewer_verdicts_than_mailboxes_makes_nobody_free() {
    let script = Script::play([availability(&view("FreeBusy", ""))]);
    let asked = ["a@corp.test".to_owned(), "b@corp.test".to_owned()];
    let answers = exchange(&[]).busy(&session(&script), &asked, day()).await.unwrap();
    let free: Vec<_> = answers.iter().filter(|(_, verdict)| verdict.is_ok()).collect();
    assert!(answers.len() == 2 && free.is_empty(), "{free:?}");
}

#[tokio::test]
async fn a_window_that_holds_more_than_is_told_at_once_is_halved() {
    let listed = |id: &str| item(id, "k", "<t:CalendarItemType>Single</t:CalendarItemType>");
    let script = Script::play([
        found("", false),
        found(&listed("B"), true),
        found(&(listed("A") + &listed("B")), true),
        messages("GetItem", &(got(&item("A", "k", "")) + &got(&item("B", "k", "")))),
    ]);
    let page = exchange(&[]).events(&session(&script), MAILBOX, day(), None).await.unwrap();
    assert_eq!(page.items.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    let views: Vec<String> =
        script.heard()[..3].iter().map(|one| one.between("<m:CalendarView ", "/>").to_owned()).collect();
    assert_eq!(
        views,
        [
            r#"MaxEntriesReturned="1000" StartDate="2026-12-01T00:00:00Z" EndDate="2026-12-02T00:00:00Z""#,
            r#"MaxEntriesReturned="1000" StartDate="2026-12-01T00:00:00Z" EndDate="2026-12-01T12:00:00Z""#,
            r#"MaxEntriesReturned="1000" StartDate="2026-12-01T12:00:00Z" EndDate="2026-12-02T00:00:00Z""#,
        ]
    );
}

#[tokio::test]
async fn occurrences_name_their_series_and_what_cannot_be_read_takes_its_time_all_the_same() {
    let occurrence = "<t:LegacyFreeBusyStatus>Tentative</t:LegacyFreeBusyStatus><t:CalendarItemType>Occurrence</t:CalendarItemType>";
    let script = Script::play([
        found(&(item("O1", "k", occurrence) + &item("O2", "k", occurrence)), true),
        messages("GetItem", &got(r#"<t:CalendarItem><t:ItemId Id="M" ChangeKey="k"/></t:CalendarItem>"#)),
        messages("GetItem", &(got(&item("O1", "k", occurrence)) + &refused("GetItem", "ErrorCorruptData"))),
    ]);
    let page = exchange(&[]).events(&session(&script), MAILBOX, day(), None).await.unwrap();
    let seen: Vec<_> = page
        .items
        .iter()
        .map(|event| (event.id.as_str(), event.series.as_deref(), event.busy, event.private))
        .collect();
    let tentative = Some(BusyKind::Tentative);
    assert_eq!(seen, [("O1", Some("M"), tentative, false), ("O2", Some("M"), tentative, true)]);
    let asked = script.heard()[1].between("<m:ItemIds>", "</m:ItemIds>").to_owned();
    assert_eq!(asked, r#"<t:RecurringMasterItemId OccurrenceId="O1"/>"#);
}

/// A page of SyncFolderItems.
fn synced(state: &str, whole: bool, changes: &str) -> Reply {
    let inside = format!(
        "<m:SyncState>{state}</m:SyncState><m:IncludesLastItemInRange>{whole}</m:IncludesLastItemInRange><m:Changes>{changes}</m:Changes>"
    );
    messages("SyncFolderItems", &fine("SyncFolderItems", &inside))
}

fn told(kind: &str, id: &str) -> String {
    format!(r#"<t:{kind}><t:CalendarItem><t:ItemId Id="{id}" ChangeKey="k"/></t:CalendarItem></t:{kind}>"#)
}

#[tokio::test]
async fn a_changed_series_is_told_as_gone_and_anew_with_its_occurrences() {
    let master = "<t:CalendarItemType>RecurringMaster</t:CalendarItemType>";
    let occurrence = "<t:CalendarItemType>Occurrence</t:CalendarItemType>";
    let elsewhere = |id: &str| item(id, "k", "").replace("2026-12-01T", "2027-12-01T");
    let of_another = item("X1", "k", occurrence).replace("uid-1", "uid-2");
    let deleted = r#"<t:Delete><t:ItemId Id="D" ChangeKey="k"/></t:Delete><t:ReadFlagChange><t:ItemId Id="R"/><t:IsRead>true</t:IsRead></t:ReadFlagChange>"#;
    let page_told =
        told("Update", "M") + &told("Update", "S") + &told("Update", "L") + &told("Create", "G") + deleted;
    let read = [
        got(&item("M", "k", master)),
        got(&item("S", "k", "")),
        got(&elsewhere("L")),
        refused("GetItem", "ErrorItemNotFound"),
    ]
    .concat();
    let script = Script::play([
        synced("two", true, &page_told),
        messages("GetItem", &read),
        found(&(item("O1", "k", occurrence) + &of_another + &item("S", "k", "")), true),
        messages("GetItem", &got(&item("O1", "k", occurrence))),
    ]);
    let page = exchange(&[]).changes(&session(&script), MAILBOX, day(), Some("n:one")).await.unwrap();
    assert_eq!(page.gone, ["D", "M", "L", "G"]);
    let seen: Vec<_> =
        page.changed.iter().map(|event| (event.id.as_str(), event.series.as_deref())).collect();
    assert_eq!(seen, [("S", None), ("O1", Some("M"))]);
    assert_eq!((page.cursor.as_str(), page.more), ("n:two", false));
    assert_eq!(
        script.heard()[0].operation(),
        format!(
            "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>{CALENDAR}</m:SyncFolderId><m:SyncState>one</m:SyncState><m:MaxChangesReturned>512</m:MaxChangesReturned></m:SyncFolderItems>"
        )
    );
}

#[tokio::test]
async fn a_first_reading_goes_on_over_pages_and_nothing_is_gone_before_it_is_over() {
    let read = |id: &str| messages("GetItem", &got(&item(id, "k", "").replace("2026-12-01T", "2020-12-01T")));
    let script = Script::play([
        synced("one", false, &told("Create", "A")),
        read("A"),
        synced("two", true, &told("Create", "B")),
        read("B"),
        synced("three", true, &told("Update", "B")),
        read("B"),
    ]);
    let (exchange, session) = (exchange(&[]), session(&script));
    let mut cursor = None;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let page = exchange.changes(&session, MAILBOX, day(), cursor.as_deref()).await.unwrap();
        seen.push((page.gone.clone(), page.cursor.clone(), page.more));
        cursor = Some(page.cursor);
    }
    let page = |gone: &[&str], cursor: &str, more| {
        (gone.iter().map(|id| (*id).to_owned()).collect(), cursor.to_owned(), more)
    };
    assert_eq!(seen, [page(&[], "f:one", true), page(&[], "n:two", false), page(&["B"], "n:three", false)]);
}

fn subscribed(subscription: &str, mark: &str) -> Reply {
    let inside =
        format!("<m:SubscriptionId>{subscription}</m:SubscriptionId><m:Watermark>{mark}</m:Watermark>");
    messages("Subscribe", &fine("Subscribe", &inside))
}

fn happened(events: &[(&str, &str)], more: bool) -> Reply {
    let events: Vec<String> = events
        .iter()
        .map(|(kind, mark)| format!("<t:{kind}><t:Watermark>{mark}</t:Watermark></t:{kind}>"))
        .collect();
    let inside = format!(
        "<m:Notification><t:SubscriptionId>s1</t:SubscriptionId><t:PreviousWatermark>-</t:PreviousWatermark><t:MoreEvents>{more}</t:MoreEvents>{}</m:Notification>",
        events.concat()
    );
    messages("GetEvents", &fine("GetEvents", &inside))
}

/// What is asked with a watermark that was given before.
fn listening(subscription: &str, mark: &str) -> String {
    format!(
        "<m:GetEvents><m:SubscriptionId>{subscription}</m:SubscriptionId><m:Watermark>{mark}</m:Watermark></m:GetEvents>"
    )
}

#[tokio::test]
async fn a_subscription_is_listened_to_and_let_go_when_it_has_too_much_to_tell() {
    let script = Script::play([
        subscribed("s1", "a&amp;b"),
        happened(&[("StatusEvent", "m2")], false),
        happened(&[("CreatedEvent", "m3"), ("ModifiedEvent", "m4")], false),
        happened(&[("DeletedEvent", "m5")], true),
        messages("Unsubscribe", &refused("Unsubscribe", "ErrorSubscriptionNotFound")),
        subscribed("s2", "n1"),
        happened(&[("StatusEvent", "n2")], false),
    ]);
    let (exchange, session) = (exchange(&[]), session(&script));
    let (mut at, mut same) = (None, Vec::new());
    for _ in 0..5 {
        let since = exchange.poll_changes(&session, MAILBOX, day(), at.as_deref()).await.unwrap();
        same.push(matches!(since, ChangeCheck::Same(_)));
        at = since.watermark();
    }
    assert_eq!(same, [false, true, false, false, true]);
    let heard = script.heard();
    let subscribe = format!(
        "<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>{CALENDAR}</t:FolderIds><t:EventTypes><t:EventType>CopiedEvent</t:EventType><t:EventType>CreatedEvent</t:EventType><t:EventType>DeletedEvent</t:EventType><t:EventType>ModifiedEvent</t:EventType><t:EventType>MovedEvent</t:EventType></t:EventTypes><t:Timeout>360</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>"
    );
    let unsubscribe = "<m:Unsubscribe><m:SubscriptionId>s1</m:SubscriptionId></m:Unsubscribe>".to_owned();
    let asked: Vec<&str> = heard.iter().map(script::Heard::operation).collect();
    assert_eq!(
        asked,
        [
            subscribe.clone(),
            listening("s1", "a&amp;b"),
            listening("s1", "m2"),
            listening("s1", "m4"),
            unsubscribe,
            subscribe,
            listening("s2", "n1"),
        ]
    );
    assert!(heard.iter().all(|one| one.header("x-anchormailbox") == Some(MAILBOX)), "it lives where he does");
}

#[tokio::test]
async fn a_subscription_that_is_lost_is_made_anew_and_one_too_many_pauses_nobody() {
    for code in [
        "ErrorExpiredSubscription",
        "ErrorInvalidSubscription",
        "ErrorInvalidWatermark",
        "ErrorMissedNotificationEvents",
        "ErrorReadEventsFailed",
        "ErrorSubscriptionAccessDenied",
        "ErrorSubscriptionNotFound",
    ] {
        let lost = messages("GetEvents", &refused("GetEvents", code));
        let script = Script::play([subscribed("s1", "m1"), lost, subscribed("s2", "n1")]);
        let (exchange, session) = (exchange(&[]), session(&script));
        let first = exchange.poll_changes(&session, MAILBOX, day(), None).await.unwrap().watermark();
        let next = exchange.poll_changes(&session, MAILBOX, day(), first.as_deref()).await.unwrap();
        assert!(
            matches!(&next, ChangeCheck::Changed(Some(mark)) if Some(mark) != first.as_ref()),
            "{code}: {next:?}"
        );
    }
    let many = messages("Subscribe", &refused("Subscribe", "ErrorExceededSubscriptionCount"));
    let script = Script::play([many]);
    let gate = Arc::new(Watched::default());
    let session = Session { gate: gate.clone(), ..session(&script) };
    let error = exchange(&[]).poll_changes(&session, MAILBOX, day(), None).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::Unsupported, Remedy::Never));
    assert!(gate.0.lock().unwrap().is_empty(), "calendars can still be read");
}

/// A gate that remembers who asked for a pause.
#[derive(Debug, Default)]
struct Watched(Mutex<Vec<(Option<String>, Duration)>>);

#[async_trait]
impl Gate for Watched {
    async fn enter(&self, _mailbox: Option<&str>) -> Result<Permit> {
        Ok(Permit::default())
    }

    async fn throttled(&self, mailbox: Option<&str>, wait: Duration) {
        self.0.lock().unwrap().push((mailbox.map(str::to_owned), wait));
    }
}

#[tokio::test]
async fn a_server_that_says_busy_inside_a_success_is_left_alone_too() {
    let busy = r#"<m:FindItemResponseMessage ResponseClass="Error"><m:MessageText>-</m:MessageText><m:ResponseCode>ErrorServerBusy</m:ResponseCode><m:MessageXml><t:Value Name="BackOffMilliseconds">1500</t:Value></m:MessageXml></m:FindItemResponseMessage>"#;
    let script = Script::play([messages("FindItem", busy)]);
    let gate = Arc::new(Watched::default());
    let session = Session { gate: gate.clone(), ..session(&script) };
    let error = exchange(&[]).events(&session, MAILBOX, day(), None).await.unwrap_err();
    let wait = Duration::from_millis(1500);
    assert_eq!((error.kind, error.remedy), (ErrorKind::Throttled, Remedy::RetryAfter(wait)));
    assert_eq!(*gate.0.lock().unwrap(), [(None, wait)]);
}

/// A token that can be renewed.
#[derive(Debug, Default)]
struct Tokens(Mutex<u32>);

#[async_trait]
impl Credentials for Tokens {
    async fn current(&self) -> Result<Credential> {
        Ok(Credential::Bearer("old".to_owned().into()))
    }

    async fn renewed(&self, _refused: &Credential, _claims: Option<&str>) -> Result<Credential> {
        *self.0.lock().unwrap() += 1;
        Ok(Credential::Bearer("new".to_owned().into()))
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let refusal = || (401, "www-authenticate: Bearer\r\n", String::new());
    let script = Script::play([refusal(), found("", true), refusal(), refusal()]);
    let tokens = Arc::new(Tokens::default());
    let session = Session { credentials: tokens.clone(), ..session(&script) };
    let connector = exchange(&[]);
    assert!(connector.events(&session, MAILBOX, day(), None).await.unwrap().items.is_empty());
    let sent: Vec<_> =
        script.heard().iter().map(|one| one.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent, ["Bearer old", "Bearer new"]);
    let error = connector.events(&session, MAILBOX, day(), None).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::GrantLost, Remedy::Reconnect));
    assert_eq!((*tokens.0.lock().unwrap(), script.heard().len()), (2, 4));
}

/// An answer of Autodiscover.
fn place(inside: &str) -> Reply {
    let text = format!(
        r#"<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"><Account>{inside}</Account></Response></Autodiscover>"#
    );
    (200, "", text)
}

#[tokio::test]
async fn autodiscover_goes_on_to_the_next_place_and_never_sends_the_password_elsewhere() {
    let foreign = "<Action>redirectUrl</Action><RedirectUrl>https://collector.elsewhere.test/autodiscover.xml</RedirectUrl>";
    let online = "<Action>settings</Action><Protocol><Type>EXPR</Type><EwsUrl>https://outlook.office365.com/EWS/Exchange.asmx</EwsUrl></Protocol>";
    let looping = "<Action>redirectAddr</Action><RedirectAddr>svc@corp.test</RedirectAddr>";
    for (answers, code, asked) in [
        (vec![(404, "", String::new()), place(foreign)], "AUTODISCOVER_REDIRECT", 2),
        (vec![place(online)], "EXCHANGE_ONLINE", 1),
        (vec![(401, "", String::new())], "401", 1),
        ((0..20).map(|_| place(looping)).collect(), "AUTODISCOVER_FAILED", 6),
        (vec![(200, "", "<html/>".to_owned()), (500, "", String::new())], "AUTODISCOVER_FAILED", 2),
    ] {
        let script = Script::play(answers);
        let places = ["one", "two"].map(|path| script.url.join(path).unwrap().to_string());
        let session = Session { server: None, ..session(&script) };
        let error = exchange(&places).organisation(&session).await.unwrap_err();
        assert_eq!(error.code, code, "{error:?}");
        let heard = script.heard();
        assert_eq!(heard.len(), asked, "{code}");
        assert_eq!(heard[0].line, "POST /one");
        assert_eq!(heard[0].between("<EMailAddress>", "<"), "svc@corp.test");
    }
}
