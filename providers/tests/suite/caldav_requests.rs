//! What the CalDAV connector sends, and what it makes of answers that Radicale never gives.

use crate::caldav_script as script;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{BusyKind, TimeRange, state::Answer};
use providers::{
    Attendee, AttendeeRole, Credential, Credentials, Directory as _, ErrorKind, EventChange, Events as _,
    Gate, NamedAddress, NewEvent, Permit, Remedy, Result, Session,
};
use script::{Reply, Script, basic, caldav, multistatus, plain, response, saturday, session};

const BASIC: &str = "Basic c3ZjOnB3";

/// A principal with one calendar, as the answer to the look at its address.
fn ada(privileges: &str) -> Reply {
    let calendar = format!(
        r#"<resourcetype><collection/><C:calendar/></resourcetype><C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>{privileges}"#
    );
    let principal = "<resourcetype><principal/><collection/></resourcetype><displayname>Ada</displayname>";
    multistatus(
        &(response("/ada%40corp.test/", principal) + &response("/ada%40corp.test/office/", &calendar)),
    )
}

fn stored(title: &str, etag: &str) -> Reply {
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:muster-k\r\nDTSTAMP:20261101T000000Z\r\nSEQUENCE:3\r\n\
         DTSTART:20261205T090000Z\r\nDTEND:20261205T100000Z\r\nSUMMARY:{title}\r\nX-MUSTER-EFFECT:k\r\nX-OTHER;A=b:c\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    (200, vec![("ETag", etag.to_owned())], text)
}

fn event() -> NewEvent {
    NewEvent {
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
        organiser: NamedAddress { name: "Ada".to_owned(), address: "ada@corp.test".to_owned() },
        attendees: Vec::new(),
        busy: Some(BusyKind::Busy),
        online_meeting: false,
    }
}

const EVENT: &str = "/ada@corp.test/office/muster-k.ics";

#[tokio::test]
async fn a_redirect_within_the_server_keeps_method_and_body_and_one_to_elsewhere_is_not_followed() {
    let elsewhere = Script::play([ada("")]);
    let script = Script::play([
        (308, vec![("Location", "/dav/ada%40corp.test/".to_owned())], String::new()),
        ada(""),
        (302, vec![("Location", elsewhere.url.to_string())], String::new()),
    ]);
    let (caldav, session) = (caldav(), session(&script));
    // The principal answers under another address than it was asked for: not taken for the mailbox.
    let _ = caldav.mailbox(&session, "ada@corp.test").await;
    let heard = script.heard();
    assert_eq!(heard[0], format!("PROPFIND /ada@corp.test/ {BASIC} 1"));
    assert_eq!(heard[1], format!("PROPFIND /dav/ada@corp.test/ {BASIC} 1"));
    let script = Script::play([(302, vec![("Location", elsewhere.url.to_string())], String::new())]);
    let session = Session { server: Some(script.url.clone()), ..session };
    assert!(caldav.organisation(&session).await.is_err());
    assert_eq!(elsewhere.heard(), [""; 0], "no credential goes to another origin");
}

#[tokio::test]
async fn an_event_is_searched_by_address_and_uid_before_it_is_written() {
    let script = Script::play([
        ada(""),
        plain(404),
        multistatus(""),
        (201, vec![("ETag", "\"1\"".to_owned())], String::new()),
    ]);
    let written = caldav().create_event(&session(&script), "ada@corp.test", &event()).await.unwrap();
    assert_eq!((written.id.as_str(), written.version.as_str()), (EVENT, "\"1\""));
    assert_eq!(
        script.heard()[1..],
        [
            format!("GET {EVENT} {BASIC}"),
            format!("REPORT /ada@corp.test/office/ {BASIC} 1"),
            format!("PUT {EVENT} {BASIC} *"),
        ]
    );
}

#[tokio::test]
async fn a_new_event_that_somebody_wrote_meanwhile_is_answered() {
    for refusal in [plain(412), plain(409)] {
        let no_uid_conflict =
            r#"<error xmlns="DAV:"><C:no-uid-conflict xmlns:C="urn:ietf:params:xml:ns:caldav"/></error>"#;
        let refusal = (refusal.0, Vec::new(), no_uid_conflict.to_owned());
        let script = Script::play([ada(""), plain(404), multistatus(""), refusal, stored("Talk", "\"7\"")]);
        let written = caldav().create_event(&session(&script), "ada@corp.test", &event()).await.unwrap();
        assert_eq!((written.version.as_str(), written.effect_key.as_deref()), ("\"7\"", Some("k")));
    }
}

#[tokio::test]
async fn a_write_that_breaks_off_or_fails_inside_is_unknown_and_a_read_is_not() {
    for failed in [plain(0), plain(500), plain(503)] {
        let status = failed.0;
        let script = Script::play([ada(""), plain(404), multistatus(""), failed]);
        let error = caldav().create_event(&session(&script), "ada@corp.test", &event()).await.unwrap_err();
        assert!(error.unknown && matches!(error.remedy, Remedy::RetryAfter(_)), "{status}: {error:?}");
    }
    for failed in [plain(0), plain(500)] {
        let script = Script::play([ada(""), failed]);
        let error = caldav().create_event(&session(&script), "ada@corp.test", &event()).await.unwrap_err();
        assert!(!error.unknown && error.kind == ErrorKind::Unavailable, "{error:?}");
    }
    let script = Script::play([ada(""), plain(404), multistatus(""), plain(507)]);
    let error = caldav().create_event(&session(&script), "ada@corp.test", &event()).await.unwrap_err();
    assert_eq!((error.kind, error.remedy, error.unknown), (ErrorKind::Invalid, Remedy::Never, false));
}

#[tokio::test]
async fn a_change_is_written_against_the_exact_version_and_read_again_once_after_a_conflict() {
    let change = EventChange { title: Some("Moved".to_owned()), ..EventChange::default() };
    let script = Script::play([
        ada(""),
        stored("Talk", "W/\"a b\""),
        plain(412),
        stored("Else", "\"2\""),
        (204, Vec::new(), String::new()),
        stored("Moved", "\"3\""),
    ]);
    let moved = caldav().update_event(&session(&script), "ada@corp.test", EVENT, &change).await.unwrap();
    assert_eq!((moved.version.as_str(), moved.title.as_deref()), ("\"3\"", Some("Moved")));
    let heard = script.heard();
    assert_eq!(
        (heard[2].as_str(), heard[4].as_str()),
        (format!("PUT {EVENT} {BASIC} W/\"a b\"").as_str(), format!("PUT {EVENT} {BASIC} \"2\"").as_str(),)
    );
    let script = Script::play([ada(""), stored("Talk", "1"), plain(412), stored("Talk", "2"), plain(412)]);
    let error = caldav().update_event(&session(&script), "ada@corp.test", EVENT, &change).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::Conflict, Remedy::Reread));
    assert_eq!(script.heard().len(), 5);
}

#[tokio::test]
async fn answers_are_kept_when_attendees_are_replaced_at_the_same_time_of_day() {
    let bo = "Talk\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:bo@corp.test";
    let invited = |address: &str| Attendee {
        party: NamedAddress { name: String::new(), address: address.to_owned() },
        role: AttendeeRole::Required,
        answer: Answer::None,
    };
    let attendees = Some(vec![invited("BO@corp.test"), invited("cy@corp.test")]);
    let range = TimeRange::new(event().range.end, event().range.end + chrono::Duration::hours(1));
    for (range, expected) in [(None, Answer::Accepted), (range, Answer::None)] {
        let put = (204, vec![("ETag", "2".to_owned())], String::new());
        let script = Script::play([ada(""), stored(bo, "1"), put]);
        let change = EventChange { attendees: attendees.clone(), range, ..EventChange::default() };
        let changed =
            caldav().update_event(&session(&script), "ada@corp.test", EVENT, &change).await.unwrap();
        let answers: Vec<_> = changed.attendees.iter().map(|one| one.answer).collect();
        assert_eq!(answers, [expected, Answer::None]);
    }
}

#[tokio::test]
async fn an_event_cancelled_by_hand_counts_as_gone() {
    let script = Script::play([ada(""), stored("Talk\r\nSTATUS:CANCELLED", "1"), stored("Talk", "2")]);
    let (caldav, session) = (caldav(), session(&script));
    assert_eq!(caldav.find_event(&session, "ada@corp.test", "k").await.unwrap(), None);
    assert!(caldav.find_event(&session, "ada@corp.test", "k").await.unwrap().is_some());
}

#[tokio::test]
async fn too_many_matches_are_asked_for_in_halves() {
    let too_many = (
        507,
        Vec::new(),
        r#"<e:error xmlns:e="DAV:"><e:number-of-matches-within-limits/></e:error>"#.to_owned(),
    );
    let item = |day: u32| {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:{day}\nDTSTART:202612{day:02}T090000Z\nDURATION:PT1H\nEND:VEVENT\nEND:VCALENDAR"
        );
        response(
            &format!("/ada%40corp.test/office/{day}.ics"),
            &format!("<getetag>1</getetag><C:calendar-data>{text}</C:calendar-data>"),
        )
    };
    let script = Script::play([ada(""), too_many, multistatus(&item(5)), multistatus(&(item(5) + &item(4)))]);
    let events = caldav().events(&session(&script), "ada@corp.test", saturday(), None).await.unwrap().items;
    assert_eq!(
        events.iter().map(|event| event.uid.as_str()).collect::<Vec<_>>(),
        ["5"],
        "once, and only the window's"
    );
    assert_eq!(script.heard().len(), 4);
}

#[tokio::test]
async fn rights_are_what_the_server_says_and_else_what_it_lets_through() {
    let read = "<current-user-privilege-set><privilege><read/></privilege></current-user-privilege-set>";
    let script = Script::play([ada(read), multistatus("")]);
    let found = caldav().calendar(&session(&script), "ada@corp.test").await.unwrap().capabilities;
    assert!(found.read_details && !found.can_write());
    let allow = (200, vec![("Allow", "GET, PUT, DELETE, REPORT".to_owned())], String::new());
    let script = Script::play([ada(""), allow.clone(), multistatus("")]);
    assert!(caldav().calendar(&session(&script), "ada@corp.test").await.unwrap().capabilities.can_write());
    // What is stated is not what is let through: neither events nor times.
    let script = Script::play([ada(""), allow, plain(403), plain(404)]);
    let error = caldav().calendar(&session(&script), "ada@corp.test").await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::OutOfScope, Remedy::SkipMailbox));
    let none = "<current-user-privilege-set/>";
    let script = Script::play([ada(none)]);
    let error = caldav().calendar(&session(&script), "ada@corp.test").await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::OutOfScope, Remedy::SkipMailbox));
}

#[tokio::test]
async fn principals_that_are_not_listed_are_searched_and_found_by_their_published_address() {
    let own = "<current-user-principal><href>/principals/svc/</href></current-user-principal>\
               <principal-collection-set><href>/principals/</href></principal-collection-set>";
    let published = "<resourcetype><principal/></resourcetype><displayname>Ada</displayname>\
        <C:calendar-user-address-set><href>/principals/17/</href><href>MAILTO:ada@corp.test</href></C:calendar-user-address-set>\
        <C:calendar-home-set><href>/calendars/17/</href></C:calendar-home-set>";
    let calendar = "<resourcetype><collection/><C:calendar/></resourcetype>";
    let script = Script::raw([
        multistatus(&response("/", own)),
        plain(404),
        plain(403),
        multistatus(&response("/principals/17/", published)),
        multistatus(&response("/principals/17/", published)),
        multistatus(&response("/calendars/17/default/", calendar)),
        plain(200),
        multistatus(""),
    ]);
    let found = caldav().calendar(&session(&script), "ada@corp.test").await;
    assert_eq!(script.heard().len(), 9, "the last three ask what may be done: {:?}", script.heard());
    assert_eq!(found.unwrap().id, "/calendars/17/default/");
    assert_eq!(script.heard()[3], format!("REPORT /principals/ {BASIC} 0"));
}

#[tokio::test]
async fn a_server_that_is_no_caldav_server_is_named_as_such() {
    for answers in [
        vec![(200, Vec::new(), "<html>hello</html>".to_owned())],
        vec![(207, Vec::new(), "<!DOCTYPE x><multistatus xmlns='DAV:'/>".to_owned())],
        vec![plain(405), plain(405), plain(405)],
        vec![plain(404), plain(404), plain(404)],
    ] {
        let script = Script::raw(answers);
        let error = caldav().organisation(&session(&script)).await.unwrap_err();
        assert_eq!((error.kind, error.remedy), (ErrorKind::Misconfigured, Remedy::Never), "{error:?}");
    }
}

#[derive(Debug, Default)]
struct Renewing(AtomicUsize);

#[async_trait]
impl Credentials for Renewing {
    async fn current(&self) -> Result<Credential> {
        Ok(basic("old"))
    }

    async fn renewed(&self, _refused: &Credential, _claims: Option<&str>) -> Result<Credential> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(basic("pw"))
    }
}

#[derive(Debug, Default)]
struct Counting {
    entered: AtomicUsize,
    slowed: AtomicUsize,
}

#[async_trait]
impl Gate for Counting {
    async fn enter(&self, mailbox: Option<&str>) -> Result<Permit> {
        assert_eq!(mailbox, Some("ada@corp.test"));
        self.entered.fetch_add(1, Ordering::SeqCst);
        Ok(Permit::default())
    }

    async fn throttled(&self, _mailbox: Option<&str>, wait: Duration) {
        assert_eq!(wait, Duration::from_secs(17));
        self.slowed.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn every_request_passes_the_gate_and_a_refused_credential_is_renewed_once() {
    let slow = (429, vec![("Retry-After", "17".to_owned())], String::new());
    let script = Script::play([plain(401), slow, plain(401)]);
    let (credentials, gate) = (Arc::new(Renewing::default()), Arc::new(Counting::default()));
    let session = Session { credentials: credentials.clone(), gate: gate.clone(), ..session(&script) };
    let caldav = caldav();
    let error = caldav.mailbox(&session, "ada@corp.test").await.unwrap_err();
    assert_eq!(error.remedy, Remedy::RetryAfter(Duration::from_secs(17)));
    let error = caldav.mailbox(&session, "ada@corp.test").await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::GrantLost, Remedy::Reconnect));
    assert_eq!(script.heard().len(), 3, "a credential that was refused once is not sent again");
    assert_eq!((gate.entered.load(Ordering::SeqCst), gate.slowed.load(Ordering::SeqCst)), (6, 1));
    assert_eq!(credentials.0.load(Ordering::SeqCst), 2);
    assert!(script.heard()[1].contains(BASIC));
}
