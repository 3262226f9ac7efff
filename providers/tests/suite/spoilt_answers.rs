//! Answers that one item or one mailbox spoils as a whole, and answers that something else gives: on Graph, Google and
//! Exchange.

use domain::{TimeRange, UnreadableReason};
use providers::{ErrorKind, Provider, Remedy, Session};
use serde_json::{Value, json};

use crate::{
    answering::{
        ADA, Server, Told, connectors, december, events,
        exchange::{ENVELOPE, exchange, found, ids, item, messages, soap, times},
        marks, told, week, window_of,
    },
    microsoft_recorder::Asked,
};

const EVE: &str = "eve@corp.test";

/// What a server answers about a window in which one item spoils the whole.
#[derive(Debug, Clone, Copy)]
enum Spoilt {
    Broken,
    TooLarge,
    Refused(&'static str),
}

/// Everything in the week but ten minutes around a bad item: an event each day at nine.
fn around(bad: TimeRange, how: Spoilt, asked: &Asked) -> Told {
    if asked.body.contains("<m:GetItem") {
        let all = (7..14).map(dated).collect::<Vec<_>>();
        return exchange(&all, asked);
    }
    let window = window_of(asked).unwrap_or_else(|| panic!("{}", asked.line));
    let is_exchange = asked.body.contains("<m:FindItem");
    if window.overlaps(&bad) {
        return match how {
            Spoilt::Broken if is_exchange => Told::ok(format!("{}<m:FindItemResponse><t:Sub", ENVELOPE[0])),
            Spoilt::Broken => Told::ok(r#"{"value":[{"id":"1","subject":"#),
            Spoilt::TooLarge => Told::ok(vec![b' '; 2 * 1024 * 1024]),
            Spoilt::Refused(code) if is_exchange => messages("FindItem", &[format!("!{code}")]),
            Spoilt::Refused(code) => {
                Told { status: 400, ..Told::ok(json!({ "error": { "code": code } }).to_string()) }
            }
        };
    }
    let days = (7..14).filter(|day| {
        let nine = december(&format!("{day:02}T09:00"), &format!("{day:02}T10:00"));
        nine.overlaps(&window)
    });
    if is_exchange {
        return found(&days.map(|day| dated(day).1).collect::<String>());
    }
    let text = |day: i32, hour: i32| format!("2026-12-{day:02}T{hour:02}:00:00");
    let graph = |day| {
        json!({ "id": format!("d{day}"), "subject": "x", "showAs": "busy", "isAllDay": false,
            "start": { "dateTime": text(day, 9), "timeZone": "UTC" },
            "end": { "dateTime": text(day, 10), "timeZone": "UTC" } })
    };
    let google = |day| {
        json!({ "id": format!("d{day}"), "summary": "x", "start": { "dateTime": text(day, 9) + "Z" },
            "end": { "dateTime": text(day, 10) + "Z" } })
    };
    let list: Vec<Value> = match asked.line.contains("/v1.0/") {
        true => days.map(graph).collect(),
        false => days.map(google).collect(),
    };
    Told::ok(json!({ "value": list, "items": list }).to_string())
}

fn dated(day: i32) -> (&'static str, String) {
    let inside = times(&format!("{day:02}T09:00"), &format!("{day:02}T10:00"));
    item(&format!("d{day}"), &format!("<t:Subject>x</t:Subject>{inside}"))
}

#[tokio::test]
async fn a_window_that_one_item_spoils_is_halved_until_that_item_is_alone() {
    let bad = december("10T14:03", "10T14:04");
    for how in [
        Spoilt::Broken,
        Spoilt::TooLarge,
        Spoilt::Refused("ErrorRecurrenceHasNoOccurrence"),
        Spoilt::Refused("ErrorCorruptData"),
    ] {
        for which in 0..3 {
            if which == 1 && matches!(how, Spoilt::Refused(_)) {
                continue; // Google has no such refusals.
            }
            let server = Server::start(move |asked| around(bad, how, asked));
            let (name, provider, session) = connectors(&server.url, None).remove(which);
            let page = events(&*provider, &session).await;
            let (titles, blocks) = told(&page);
            assert_eq!(titles.len(), 7, "{name} {how:?}: every other event is served once");
            let [lost] = blocks.as_slice() else { panic!("{name} {how:?}: {blocks:?}") };
            assert!(
                lost.contains(&bad) && lost.duration() <= chrono::Duration::minutes(15),
                "{name}: {lost:?}"
            );
            assert!(marks(&page).iter().all(|(_, _, blocks)| *blocks), "{name} {how:?}");
            let asked = server.asked().len();
            assert!(asked < 30, "{name} {how:?}: {asked} requests");
        }
    }
}

/// Answers questions about busy times: Eve's calendar spoils every answer about the bad minutes that she is part of.
fn busy(bad: TimeRange, asked: &Asked) -> Told {
    let window = window_of(asked).unwrap_or_else(|| panic!("{} {}", asked.line, asked.body));
    let people: Vec<&str> = [ADA, EVE].into_iter().filter(|person| asked.body.contains(person)).collect();
    if asked.body.contains("GetUserAvailability") {
        if people.contains(&EVE) && window.overlaps(&bad) {
            return soap("<m:GetUserAvailabilityResponse><m:FreeBusy");
        }
        let event = "<t:CalendarEvent><t:StartTime>2026-12-09T09:00:00</t:StartTime><t:EndTime>2026-12-09T10:00:00</t:EndTime><t:BusyType>Busy</t:BusyType></t:CalendarEvent>";
        let one = format!(
            r#"<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage><m:FreeBusyView><t:FreeBusyViewType>FreeBusy</t:FreeBusyViewType><t:CalendarEventArray>{event}</t:CalendarEventArray></m:FreeBusyView></m:FreeBusyResponse>"#
        );
        let all = one.repeat(people.len());
        return soap(&format!(
            "<m:GetUserAvailabilityResponse><m:FreeBusyResponseArray>{all}</m:FreeBusyResponseArray></m:GetUserAvailabilityResponse>"
        ));
    }
    if people.contains(&EVE) && window.overlaps(&bad) {
        return Told::ok(r#"{"value":["#);
    }
    let utc = |text: &str| json!({ "dateTime": text, "timeZone": "UTC" });
    let schedule = |person: &&str| {
        json!({ "scheduleId": person, "scheduleItems": [
            { "status": "busy", "start": utc("2026-12-09T09:00:00"), "end": utc("2026-12-09T10:00:00") }] })
    };
    let calendar = json!({ "busy": [{ "start": "2026-12-09T09:00:00Z", "end": "2026-12-09T10:00:00Z" }] });
    let calendars: serde_json::Map<_, _> =
        people.iter().map(|person| ((*person).to_owned(), calendar.clone())).collect();
    let schedules: Vec<_> = people.iter().map(schedule).collect();
    Told::ok(json!({ "value": schedules, "calendars": calendars }).to_string())
}

#[tokio::test]
async fn busy_times_that_one_mailbox_spoils_are_asked_for_one_by_one_and_in_parts() {
    let bad = december("10T14:03", "10T14:04");
    for which in 0..3 {
        let server = Server::start(move |asked| busy(bad, asked));
        let (name, provider, session) = connectors(&server.url, None).remove(which);
        let both = provider.busy(&session, &[ADA.to_owned(), EVE.to_owned()], week()).await.unwrap();
        let verdict = |n: usize| both[n].1.as_ref().unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let nine = december("09T09:00", "09T10:00");
        let ranges = |n: usize| verdict(n).busy.iter().map(|busy| busy.range).collect::<Vec<_>>();
        assert_eq!((ranges(0), verdict(0).unreadable.len()), (vec![nine], 0), "{name}");
        let [first, lost] = ranges(1)[..] else { panic!("{name}: {:?}", ranges(1)) };
        assert!(first == nine && lost.contains(&bad), "{name}: {lost:?}");
        assert!(verdict(1).unreadable[0].blocks, "{name}");
    }
}

/// Everything that concerns one mailbox.
async fn everything(provider: &dyn Provider, session: &Session) -> Vec<(&'static str, providers::Error)> {
    let one = [ADA.to_owned()];
    let busy = provider.busy(session, &one, week()).await;
    let busy = busy.and_then(|mut all| all.remove(0).1).map(drop);
    let all = [
        ("mailbox", provider.mailbox(session, ADA).await.map(drop)),
        ("calendar", provider.calendar(session, ADA).await.map(drop)),
        ("calendars", provider.calendars(session, ADA).await.map(drop)),
        ("events", provider.events(session, ADA, week(), None).await.map(drop)),
        ("events_of", provider.events_of(session, ADA, "c1", week(), None).await.map(drop)),
        ("changes", provider.changes(session, ADA, week(), None).await.map(drop)),
        ("changed", provider.poll_changes(session, ADA, week(), None).await.map(drop)),
        ("event", provider.event(session, ADA, "e1").await.map(drop)),
        ("busy", busy),
    ];
    all.into_iter().filter_map(|(name, answer)| Some((name, answer.err()?))).collect()
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_asked_for_again_and_concerns_nobody_else() {
    let pages = [
        "<!DOCTYPE html><html><body>Please sign in</body></html>",
        "<html><body><p>Down for maintenance<br></body></html>",
        "\n<HTML></HTML>",
        "",
    ];
    for page in pages {
        for which in 0..3 {
            let server = Server::start(move |_| Told::ok(page));
            let (name, provider, session) = connectors(&server.url, None).remove(which);
            for (what, error) in everything(&*provider, &session).await {
                assert!(matches!(error.remedy, Remedy::RetryAfter(_)), "{name} {what} {page:?}: {error:?}");
                assert_eq!(error.kind, ErrorKind::Unavailable, "{name} {what} {page:?}: {error:?}");
            }
            let failed = everything(&*provider, &session).await.len();
            // Exchange needs no list of folders to know the default calendar, but that one it needs.
            assert_eq!(failed, 9, "{name} {page:?}: nothing is made up of a page");
        }
    }
    let server = Server::start(|_| Told::ok("<html></html>"));
    let (_, exchange, session) = connectors(&server.url, None).remove(2);
    let error = exchange.organisation(&session).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Misconfigured, "whoever typed this address is told: {error:?}");
}

#[tokio::test]
async fn what_an_exchange_server_refuses_about_one_mailbox_fails_that_mailbox_alone() {
    for (status, headers) in [
        (403, ""),
        (403, "x-ews-policy-reason: EWS is disabled for this user\r\n"),
        (404, ""),
        (405, ""),
        (302, "location: https://elsewhere.test/\r\n"),
    ] {
        let server = Server::start(move |_| Told::refused(status, headers));
        let (_, exchange, session) = connectors(&server.url, None).remove(2);
        for what in ["events", "changes", "event"] {
            let error = match what {
                "events" => exchange.events(&session, ADA, week(), None).await.map(drop),
                "changes" => exchange.changes(&session, ADA, week(), None).await.map(drop),
                _ => exchange.event(&session, ADA, "e1").await.map(drop),
            };
            let error = error.unwrap_err();
            let passes = matches!(error.remedy, Remedy::RetryAfter(_) | Remedy::SkipMailbox);
            assert!(passes, "{what} {status}: {error:?}");
        }
    }
}

#[tokio::test]
async fn items_whose_answer_is_spoilt_by_one_are_read_one_by_one() {
    let inside = |id: &str| format!("<t:Subject>{id}</t:Subject>{}", times("08T15:00", "08T16:00"));
    let server = Server::start(move |asked| {
        let items: Vec<_> = ["a", "bad", "c"].iter().map(|id| item(id, &inside(id))).collect();
        match asked.body.contains("<m:GetItem") && ids(asked).contains(&"bad".to_owned()) {
            true => soap("<m:GetItemResponse><t:Subject></m:GetItemResponse>"),
            false => exchange(&items, asked),
        }
    });
    let (_, exchange, session) = connectors(&server.url, None).remove(2);
    let page = events(&*exchange, &session).await;
    let titles: Vec<_> = page.items.iter().map(|event| (event.title.as_deref(), event.private)).collect();
    // The list that Exchange gives is asked for without titles; this one has them all the same.
    assert_eq!(titles, [(Some("a"), false), (Some("bad"), true), (Some("c"), false)]);
    assert_eq!(marks(&page), [("bad".to_owned(), UnreadableReason::NotDelivered, true)]);
}
