//! Servers that break the rules, each as real ones do, and what the CalDAV connector makes of it.

use crate::caldav_script as script;

use std::time::Duration;

use domain::{BusyKind, TimeRange};
use providers::{
    ChangeCheck, ChangeFeed as _, Changes, ErrorKind, Events as _, NamedAddress, NewEvent, Remedy, Result,
};
use script::{Reply, Script, caldav, multistatus, plain, response, saturday, session};

const ADA: &str = "ada@corp.test";
const CALENDAR: &str = "/ada@corp.test/office/";
const RESYNC: (ErrorKind, Remedy) = (ErrorKind::Gone, Remedy::Resync);

/// The answer to the look at Ada's principal.
fn ada() -> Reply {
    let principal = "<resourcetype><principal/><collection/></resourcetype>";
    let calendar = "<resourcetype><collection/><C:calendar/></resourcetype>";
    multistatus(&(response("/ada%40corp.test/", principal) + &response("/ada%40corp.test/office/", calendar)))
}

/// The state of her calendar: sync token and ctag, where it has them.
fn state(token: Option<&str>, ctag: Option<&str>) -> Reply {
    let token = token.map(|token| format!("<sync-token>{token}</sync-token>")).unwrap_or_default();
    let ctag =
        ctag.map(|tag| format!(r#"<s:getctag xmlns:s="http://calendarserver.org/ns/">{tag}</s:getctag>"#));
    multistatus(&response("/ada%40corp.test/office/", &(token + &ctag.unwrap_or_default())))
}

fn member(name: &str) -> String {
    format!("/ada%40corp.test/office/{name}.ics")
}

/// A member that is there, with its tag.
fn there(name: &str, etag: &str) -> String {
    response(&member(name), &format!("<getetag>\"{etag}\"</getetag>"))
}

/// A member that is gone.
fn gone(name: &str) -> String {
    format!("<response><href>{}</href><status>HTTP/1.1 404 Not Found</status></response>", member(name))
}

/// An answer to sync-collection.
fn told(responses: &str, token: &str) -> Reply {
    multistatus(&format!("{responses}<sync-token>{token}</sync-token>"))
}

/// A member with an event on Saturday at nine.
fn event(name: &str, etag: &str) -> String {
    let text = format!(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:{name}\nDTSTART:20261205T090000Z\nDURATION:PT1H\nSUMMARY:{name} {etag}\n\
         END:VEVENT\nEND:VCALENDAR"
    );
    let data = format!("<getetag>\"{etag}\"</getetag><C:calendar-data>{text}</C:calendar-data>");
    response(&member(name), &data)
}

/// A server whose sync works: the look at Ada, the state, the trial, the window with one event.
fn begun() -> Vec<Reply> {
    vec![ada(), state(Some("t1"), Some("c1")), told("", "t1"), multistatus(&event("one", "1"))]
}

/// Begins, then goes on once with what the server answers next.
async fn next(answers: impl IntoIterator<Item = Reply>) -> (Result<Changes>, Vec<String>) {
    let script = Script::play(begun().into_iter().chain(answers));
    let (caldav, session) = (caldav(), session(&script));
    let first = caldav.changes(&session, ADA, saturday(), None).await.unwrap();
    assert_eq!(titles(&first), ["one 1"]);
    let next = caldav.changes(&session, ADA, saturday(), Some(&first.cursor)).await;
    let heard = script.heard().split_off(4);
    (next, heard.into_iter().map(|line| line.replace("Basic c3ZjOnB3 ", "")).collect())
}

fn titles(changes: &Changes) -> Vec<&str> {
    changes.changed.iter().filter_map(|event| event.title.as_deref()).collect()
}

fn verdict(result: &Result<Changes>) -> (ErrorKind, Remedy) {
    let error = result.as_ref().unwrap_err();
    (error.kind, error.remedy)
}

fn broken(condition: &str) -> String {
    format!(r#"<error xmlns="DAV:"><{condition}/></error>"#)
}

#[tokio::test]
async fn a_token_that_is_refused_in_any_way_is_a_reason_to_read_anew() {
    for (status, body) in [
        (403, broken("valid-sync-token")),
        (409, broken("valid-sync-token")),
        (412, broken("valid-sync-token")),
        (403, String::new()),
        (410, String::new()),
        (500, String::new()),
        (507, broken("number-of-matches-within-limits")),
        (405, String::new()),
        (200, "<html>hello</html>".to_owned()),
        (207, "<html>hello</html>".to_owned()),
    ] {
        let (changes, heard) = next([(status, Vec::new(), body)]).await;
        assert_eq!(verdict(&changes), RESYNC, "{status}");
        assert_eq!(heard, [format!("REPORT {CALENDAR} 0")], "{status}");
    }
}

#[tokio::test]
async fn what_is_no_word_about_the_token_is_no_reason_to_read_anew() {
    for (reply, expected) in [
        (plain(503), (ErrorKind::Unavailable, Remedy::RetryAfter(Duration::from_secs(5)))),
        (plain(429), (ErrorKind::Throttled, Remedy::RetryAfter(Duration::from_secs(5)))),
        (plain(404), (ErrorKind::NoMailbox, Remedy::SkipMailbox)),
        ((403, Vec::new(), broken("need-privileges")), (ErrorKind::OutOfScope, Remedy::SkipMailbox)),
    ] {
        let status = reply.0;
        let (changes, _) = next([reply]).await;
        assert_eq!(verdict(&changes), expected, "{status}");
    }
}

#[tokio::test]
async fn a_report_that_is_refused_at_depth_zero_is_asked_for_at_depth_one() {
    let (changes, heard) = next([plain(400), told(&gone("one"), "t2"), state(Some("t2"), Some("c2"))]).await;
    assert_eq!(changes.unwrap().gone, [format!("{CALENDAR}one.ics")]);
    assert_eq!(heard[..2], [format!("REPORT {CALENDAR} 0"), format!("REPORT {CALENDAR} 1")]);
    let (changes, _) = next([plain(400), plain(400)]).await;
    assert_eq!(verdict(&changes), RESYNC, "some say 400 to a token that they do not know");
}

#[tokio::test]
async fn a_dead_token_that_is_answered_with_everything_is_recognised() {
    let all = there("two", "1") + &there("three", "1");
    let (changes, heard) = next([told(&all, "t2"), multistatus(&all)]).await;
    assert_eq!(verdict(&changes), RESYNC, "nobody says what became of the first event");
    assert_eq!(heard, [format!("REPORT {CALENDAR} 0"), format!("PROPFIND {CALENDAR} 1")]);

    // The same answer of an honest server: there are more members than were told.
    let members = all.clone() + &there("one", "1");
    let read = event("two", "1") + &event("three", "1");
    let (changes, _) =
        next([told(&all, "t2"), multistatus(&members), state(None, None), multistatus(&read)]).await;
    assert_eq!(titles(&changes.unwrap()), ["three 1", "two 1"]);
}

#[tokio::test]
async fn a_dead_token_that_is_answered_with_nothing_is_recognised_by_the_tag() {
    let (changes, _) = next([told("", "t9"), state(Some("t9"), Some("c2"))]).await;
    assert_eq!(verdict(&changes), RESYNC, "something has changed, and nothing is told");
    let (changes, _) = next([told("", "t9"), state(Some("t9"), Some("c1"))]).await;
    assert!(changes.unwrap().changed.is_empty(), "nothing has changed, the token is merely another one");
    let (changes, _) = next([multistatus("")]).await;
    assert_eq!(verdict(&changes), RESYNC, "an answer without a token cannot be gone on from");
}

#[tokio::test]
async fn an_answer_that_was_cut_goes_on_at_its_token() {
    let cut = "<response><href>/ada%40corp.test/office/</href><status>HTTP/1.1 507 Insufficient Storage</status></response>";
    let script = Script::play(begun().into_iter().chain([
        told(&(gone("one") + cut), "t2"),
        told(&there("two", "1"), "t3"),
        state(Some("t3"), Some("c3")),
        multistatus(&event("two", "1")),
    ]));
    let (caldav, session) = (caldav(), session(&script));
    let first = caldav.changes(&session, ADA, saturday(), None).await.unwrap();
    let second = caldav.changes(&session, ADA, saturday(), Some(&first.cursor)).await.unwrap();
    assert!(second.more && second.gone == [format!("{CALENDAR}one.ics")] && second.changed.is_empty());
    let third = caldav.changes(&session, ADA, saturday(), Some(&second.cursor)).await.unwrap();
    assert!(!third.more && titles(&third) == ["two 1"]);
    let (changes, _) = next([told(cut, "t1")]).await;
    assert_eq!(verdict(&changes), RESYNC, "a page that leads to itself never ends");
}

#[tokio::test]
async fn members_that_a_report_leaves_out_or_that_vanish_are_read_one_by_one() {
    let members = there("two", "1") + &gone("one") + &there("three", "1") + &there("four", "1");
    let single = (200, vec![("ETag", "\"1\"".to_owned())], "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:3\nDTSTART:20261205T100000Z\nDURATION:PT1H\nSUMMARY:alone\nEND:VEVENT\nEND:VCALENDAR\n".to_owned());
    let (changes, heard) = next([
        told(&members, "t2"),
        state(None, None),
        multistatus(&(event("two", "1") + &gone("four"))),
        single,
    ])
    .await;
    let changes = changes.unwrap();
    assert_eq!(titles(&changes), ["two 1", "alone"]);
    let names = ["one", "two", "three", "four"].map(|name| format!("{CALENDAR}{name}.ics"));
    assert_eq!(changes.gone, names, "each is to be forgotten before it is taken in");
    assert_eq!(
        heard[2..],
        [format!("REPORT {CALENDAR} 1"), format!("GET {CALENDAR}three.ics Basic c3ZjOnB3")]
    );
    let (changes, heard) =
        next([told(&there("two", "1"), "t2"), state(None, None), plain(501), plain(404)]).await;
    assert!(changes.unwrap().changed.is_empty() && heard.len() == 4, "without the report it is read alone");
}

#[tokio::test]
async fn a_server_without_sync_is_compared_tag_by_tag() {
    let script = Script::play([
        ada(),
        state(None, Some("c1")),
        multistatus(&(there("one", "1") + &there("two", "1"))),
        multistatus(&(event("one", "1") + &event("two", "1"))),
        state(None, Some("c1")),
        multistatus(&(there("one", "1") + &there("two", "1"))),
        state(None, Some("c1")),
        state(None, Some("c2")),
        multistatus(&(there("two", "2") + &there("three", "1") + &response("/ada%40corp.test/office/", ""))),
        multistatus(&(event("two", "2") + &event("three", "1"))),
    ]);
    let (caldav, session) = (caldav(), session(&script));
    let first = caldav.changes(&session, ADA, saturday(), None).await.unwrap();
    let same = caldav.changes(&session, ADA, saturday(), Some(&first.cursor)).await.unwrap();
    assert!(same.changed.is_empty() && same.gone.is_empty());
    assert_eq!(script.heard().len(), 6, "the tag may be a time: the first time more is looked at");
    let same = caldav.changes(&session, ADA, saturday(), Some(&same.cursor)).await.unwrap();
    assert_eq!(script.heard().len(), 7, "the calendar's tag alone is asked for");
    let next = caldav.changes(&session, ADA, saturday(), Some(&same.cursor)).await.unwrap();
    assert_eq!(titles(&next), ["three 1", "two 2"]);
    assert_eq!(next.gone, ["one", "three", "two"].map(|name| format!("{CALENDAR}{name}.ics")));
}

#[tokio::test]
async fn a_server_without_any_tag_of_the_calendar_is_listed_each_time() {
    let list = multistatus(&there("one", "1"));
    let script = Script::play([
        ada(),
        state(None, None),
        list.clone(),
        multistatus(&event("one", "1")),
        state(None, None),
        list,
        multistatus(""),
    ]);
    let (caldav, session) = (caldav(), session(&script));
    let first = caldav.changes(&session, ADA, saturday(), None).await.unwrap();
    let next = caldav.changes(&session, ADA, saturday(), Some(&first.cursor)).await.unwrap();
    assert!(next.changed.is_empty() && next.gone.is_empty());
    assert_eq!(script.heard().len(), 6);
}

#[tokio::test]
async fn a_server_whose_sync_does_not_look_at_tokens_is_found_out_before_it_is_trusted() {
    for answer in [told(&there("one", "1"), "t2"), plain(500), plain(501), multistatus("")] {
        let status = answer.0;
        let script = Script::play([
            ada(),
            state(Some("t1"), Some("c1")),
            answer,
            multistatus(&there("one", "1")),
            multistatus(&event("one", "1")),
            state(Some("t3"), Some("c1")),
            multistatus(&there("one", "1")),
        ]);
        let (caldav, session) = (caldav(), session(&script));
        let first = caldav.changes(&session, ADA, saturday(), None).await.unwrap();
        let next = caldav.changes(&session, ADA, saturday(), Some(&first.cursor)).await.unwrap();
        assert!(next.changed.is_empty(), "{status}");
        let heard = script.heard();
        let reports = heard.iter().filter(|line| line.starts_with("REPORT") && line.ends_with(" 0")).count();
        assert_eq!(reports, 1, "{status}: it was asked once and never again: {heard:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_among_the_properties_is_taken_from_a_first_report() {
    let offers = "<supported-report-set><supported-report><report><sync-collection/></report></supported-report></supported-report-set>";
    let script = Script::play([
        ada(),
        multistatus(&response("/ada%40corp.test/office/", offers)),
        told(&there("one", "1"), "t1"),
        told("", "t1"),
        multistatus(&event("one", "1")),
        told(&gone("one"), "t2"),
        state(None, None),
    ]);
    let (caldav, session) = (caldav(), session(&script));
    let first = caldav.changes(&session, ADA, saturday(), None).await.unwrap();
    let next = caldav.changes(&session, ADA, saturday(), Some(&first.cursor)).await.unwrap();
    assert_eq!(next.gone, [format!("{CALENDAR}one.ics")]);
}

#[tokio::test]
async fn a_server_that_overwrites_and_tells_no_tag_still_holds_one_event() {
    let wanted = NewEvent {
        effect_key: "k".to_owned(),
        title: "Talk".to_owned(),
        text: String::new(),
        range: TimeRange::new(
            "2026-12-05T09:00:00Z".parse().unwrap(),
            "2026-12-05T10:00:00Z".parse().unwrap(),
        )
        .unwrap(),
        zone: "Europe/Berlin".to_owned(),
        location: None,
        organiser: NamedAddress { name: "Ada".to_owned(), address: ADA.to_owned() },
        attendees: Vec::new(),
        busy: Some(BusyKind::Busy),
        online_meeting: false,
    };
    let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:muster-k\nDTSTART:20261205T090000Z\nDTEND:20261205T100000Z\nSUMMARY:Talk\nX-MUSTER-EFFECT:k\nEND:VEVENT\nEND:VCALENDAR\n";
    let stored = (200, vec![("ETag", "\"5\"".to_owned())], text.to_owned());
    // The server stored it under a name of its own choice: it is found by its UID, and nothing is written over it.
    let data = format!("<getetag>\"4\"</getetag><C:calendar-data>{text}</C:calendar-data>");
    let elsewhere = multistatus(&response(&member("moved"), &data));
    let script = Script::play([ada(), plain(404), elsewhere]);
    let found = caldav().create_event(&session(&script), ADA, &wanted).await.unwrap();
    assert_eq!((found.id, script.heard().len()), (format!("{CALENDAR}moved.ics"), 3));
    // A write without a tag in its answer is read back, because the server may have changed it.
    let script = Script::play([ada(), plain(404), multistatus(""), plain(204), stored]);
    let written = caldav().create_event(&session(&script), ADA, &wanted).await.unwrap();
    assert_eq!((written.version.as_str(), written.effect_key.as_deref()), ("\"5\"", Some("k")));
    // Where it cannot be read back nobody knows what was stored.
    let script = Script::play([ada(), plain(404), multistatus(""), plain(204), plain(500)]);
    let error = caldav().create_event(&session(&script), ADA, &wanted).await.unwrap_err();
    assert!(error.unknown && matches!(error.remedy, Remedy::RetryAfter(_)));
}

#[tokio::test]
async fn changes_of_the_same_second_are_told_although_the_token_is_the_same() {
    let script = Script::play(begun().into_iter().chain([
        told(&there("two", "1"), "1795984372"),
        state(Some("1795984372"), Some("1795984372")),
        multistatus(&event("two", "1")),
        // Asked with the token before the last one: what was told, and what came in the same second.
        told(&(there("two", "1") + &there("three", "1")), "1795984372"),
        multistatus(&(there("one", "1") + &there("two", "1") + &there("three", "1"))),
        state(Some("1795984372"), Some("1795984372")),
        multistatus(&(event("two", "1") + &event("three", "1"))),
        // Nothing more of that second.
        told(&(there("two", "1") + &there("three", "1")), "1795984372"),
        told("", "1795984372"),
    ]));
    let (caldav, session) = (caldav(), session(&script));
    let mut at = caldav.changes(&session, ADA, saturday(), None).await.unwrap();
    let mut all = Vec::new();
    for _ in 0..4 {
        at = caldav.changes(&session, ADA, saturday(), Some(&at.cursor)).await.unwrap();
        all.push(titles(&at).join(" "));
    }
    assert_eq!(all, ["two 1", "three 1 two 1", "", ""], "{:?}", script.heard());
}

#[tokio::test]
async fn a_calendars_own_word_about_its_state_says_whether_anything_has_changed() {
    let script = Script::play([
        ada(),
        state(Some("t1"), Some("c1")),
        // A tag may be a time in seconds: what changed in the same second is looked for once more.
        state(Some("t1"), Some("c1")),
        state(Some("t1"), Some("c1")),
        // A server that has forgotten its tokens gives the same one again; its tag betrays it.
        state(Some("t1"), Some("c2")),
        state(Some("t2"), Some("c2")),
        state(None, Some("c2")),
        state(None, Some("c2")),
        state(None, Some("c2")),
        state(None, None),
        multistatus(&there("one", "1")),
        state(None, None),
        multistatus(&there("one", "1")),
        state(None, None),
        multistatus(&there("one", "2")),
    ]);
    let (caldav, session) = (caldav(), session(&script));
    let (mut at, mut same) = (None, Vec::new());
    for _ in 0..11 {
        let since = caldav.poll_changes(&session, ADA, saturday(), at.as_deref()).await.unwrap();
        same.push(matches!(since, ChangeCheck::Same(_)));
        at = since.watermark();
        assert!(at.is_some());
    }
    assert_eq!(same, [false, false, true, false, false, false, false, true, false, true, false]);
    assert_eq!(
        script.heard().len(),
        15,
        "one question each, and a list where a calendar says nothing of itself"
    );
}
