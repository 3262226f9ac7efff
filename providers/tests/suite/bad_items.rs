//! One bad item takes down nothing but itself, and what cannot be read is never free: on Graph, Google and Exchange.

use domain::UnreadableReason;
use serde_json::{Value, json};

use crate::{
    answering::{
        Server, Told, at, connectors, december, events,
        exchange::{exchange, item, times},
        marks, told,
    },
    microsoft_recorder::Asked,
};

#[tokio::test]
async fn graph_serves_the_others_and_marks_each_event_that_it_cannot_read() {
    let good = |id: &str| {
        json!({ "id": id, "subject": id, "showAs": "busy", "isAllDay": false,
            "start": { "dateTime": "2026-12-08T15:00:00.0000000", "timeZone": "UTC" },
            "end": { "dateTime": "2026-12-08T16:00:00.0000000", "timeZone": "UTC" } })
    };
    let custom = |text: &str| json!({ "dateTime": text, "timeZone": "tzone://Microsoft/Custom" });
    let list = json!({ "value": [
        good("first"),
        { "id": "AAA1", "subject": "Custom zone", "showAs": "busy", "isCancelled": false,
          "start": custom("2026-12-08T10:00:00.0000000"), "end": custom("2026-12-08T11:00:00.0000000") },
        { "id": "AAA2", "subject": "No start", "showAs": "busy", "isCancelled": false, "start": null, "end": null,
          "organizer": { "emailAddress": null } },
        null,
        7,
        good("last"),
    ] });
    let server = Server::start(move |_| Told::ok(list.to_string()));
    let (_, graph, session) = connectors(&server.url, None).remove(0);
    let page = events(&*graph, &session).await;
    let (titles, blocks) = told(&page);
    assert_eq!(
        (titles, blocks),
        (vec!["first".into(), "last".into()], vec![december("07T20:00", "08T23:00")])
    );
    let unknown = || (String::new(), UnreadableReason::Malformed, false);
    assert_eq!(
        marks(&page),
        [
            ("AAA1".to_owned(), UnreadableReason::TimeZone, true),
            ("AAA2".to_owned(), UnreadableReason::NoTimes, false),
            unknown(),
            unknown(),
        ]
    );
}

#[tokio::test]
async fn google_serves_the_others_and_marks_each_event_that_it_cannot_read() {
    let good = |id: &str| {
        json!({ "id": id, "summary": id, "start": { "dateTime": "2026-12-08T15:00:00Z" },
            "end": { "dateTime": "2026-12-08T16:00:00Z" } })
    };
    let list = json!({ "timeZone": "Europe/Berlin", "items": [
        good("first"),
        { "id": "x1", "status": "confirmed", "summary": "x" },
        { "id": "x2", "start": { "date": "2026-12-09" }, "end": null },
        { "id": "x3", "status": "cancelled" },
        "?",
        good("last"),
    ] });
    let server = Server::start(move |_| Told::ok(list.to_string()));
    let (_, google, session) = connectors(&server.url, None).remove(1);
    let page = events(&*google, &session).await;
    let (titles, blocks) = told(&page);
    assert_eq!(
        (titles, blocks),
        (vec!["first".into(), "last".into()], vec![december("08T23:00", "14T00:00")])
    );
    assert_eq!(
        marks(&page),
        [
            ("x1".to_owned(), UnreadableReason::NoTimes, false),
            ("x2".to_owned(), UnreadableReason::NoTimes, true),
            (String::new(), UnreadableReason::Malformed, false),
        ]
    );
}

#[tokio::test]
async fn exchange_serves_the_others_and_marks_each_item_that_it_cannot_read() {
    let titled = |name: &str| format!("<t:Subject>{name}</t:Subject>{}", times("08T15:00", "08T16:00"));
    let corrupt = item("corrupt", &times("09T10:00", "09T11:00"));
    let items = [
        item("first", &titled("first")),
        item("nul", &titled("Pl&#x0;ain")),
        item("open", "<t:Start>2026-12-13T22:00:00Z</t:Start>"),
        item("none", "<t:UID>uid-9</t:UID>"),
        (corrupt.0, format!("!{}", corrupt.1)),
        item("last", &titled("last")),
    ];
    let server = Server::start(move |asked| exchange(&items, asked));
    let (_, exchange, session) = connectors(&server.url, None).remove(2);
    let page = events(&*exchange, &session).await;
    let (mut names, blocks) = told(&page);
    names.sort();
    assert_eq!(names, ["Plain", "first", "last"]);
    assert_eq!(blocks, [december("09T10:00", "09T11:00"), december("13T22:00", "14T00:00")]);
    assert_eq!(
        marks(&page),
        [
            ("corrupt".to_owned(), UnreadableReason::NotDelivered, true),
            ("open".to_owned(), UnreadableReason::NoTimes, true),
            ("uid-9".to_owned(), UnreadableReason::NoTimes, false),
        ]
    );
}

#[tokio::test]
async fn whole_days_are_days_of_the_owner() {
    let days = |name: &'static str| {
        let list = json!({ "timeZone": null, "items": [
            { "id": "1", "start": { "date": "2026-12-08" }, "end": { "date": "2026-12-09" } }],
            "value": [{ "id": "1", "isAllDay": true, "showAs": "oof",
                "start": { "dateTime": "2026-12-08T00:00:00.0000000", "timeZone": "UTC" },
                "end": { "dateTime": "2026-12-09T00:00:00.0000000", "timeZone": "UTC" } }] });
        let inside = format!("{}<t:IsAllDayEvent>true</t:IsAllDayEvent>", times("08T00:00", "09T00:00"));
        move |asked: &Asked| {
            if asked.line.contains("mailboxSettings") {
                return Told::ok(json!({ "timeZone": name }).to_string());
            }
            match asked.body.contains("<m:") {
                true => exchange(&[item("1", &inside)], asked),
                false => Told::ok(list.to_string()),
            }
        }
    };
    let los_angeles = december("08T08:00", "09T08:00");
    for which in 0..3 {
        let server = Server::start(days("nobody knows this one"));
        let (name, provider, session) = connectors(&server.url, Some("America/Los_Angeles")).remove(which);
        assert_eq!(events(&*provider, &session).await.items[0].range, los_angeles, "{name}");
        let (name, provider, session) = connectors(&server.url, None).remove(which);
        let utc = december("08T00:00", "09T00:00");
        assert_eq!(events(&*provider, &session).await.items[0].range, utc, "{name}");
    }
    let server = Server::start(days("Pacific Standard Time"));
    let (_, graph, session) = connectors(&server.url, Some("Europe/Berlin")).remove(0);
    let page = events(&*graph, &session).await;
    assert_eq!(page.items[0].range, los_angeles, "the mailbox's own zone goes before the session's");
    assert_eq!(page.items[0].range.start, at("2026-12-08T08:00:00Z"));
}

#[tokio::test]
async fn people_and_rooms_that_cannot_be_read_are_left_out_and_stop_no_list() {
    let person = |id: &str| json!({ "id": id, "mail": format!("{id}@corp.test"), "displayName": 7, "proxyAddresses": null });
    let google = |id: &str| json!({ "id": id, "primaryEmail": format!("{id}@corp.test"), "suspended": null, "name": [] });
    let room = |id: &str| {
        json!({ "id": id, "emailAddress": format!("{id}@corp.test"), "capacity": "many", "tags": null,
            "resourceId": id, "resourceEmail": format!("{id}@corp.test"), "featureInstances": [null, 7] })
    };
    let odd = json!([null, 7, "x", [], {}, { "id": null }]);
    let among = move |first: Value, last: Value| {
        let mut all = vec![first];
        all.extend(odd.as_array().unwrap().iter().cloned());
        all.push(last);
        Value::from(all)
    };
    let server = Server::start(move |asked| {
        let rooms = among(room("r1"), room("r2"));
        let people = match asked.line.contains("/v1.0/places") {
            true => rooms.clone(),
            false => among(person("a"), person("b")),
        };
        let users = among(google("a"), google("b"));
        Told::ok(json!({ "value": people, "users": users, "items": rooms }).to_string())
    });
    for which in 0..2 {
        let (name, provider, session) = connectors(&server.url, None).remove(which);
        let people = provider.people(&session, None).await.unwrap().items;
        let addresses: Vec<_> = people.iter().map(|one| one.address.as_str()).collect();
        assert_eq!(addresses, ["a@corp.test", "b@corp.test"], "{name}");
        let rooms = provider.rooms(&session, None).await.unwrap().items;
        let addresses: Vec<_> = rooms.iter().map(|one| one.address.as_str()).collect();
        assert_eq!(addresses, ["r1@corp.test", "r2@corp.test"], "{name}");
    }
}
