//! Asking when somebody is busy, where nothing more may be seen.

use crate::caldav_script as script;

use std::time::Duration;

use domain::BusyKind;
use providers::{ErrorKind, Events as _, Remedy, Result};
use script::{Reply, Script, caldav, multistatus, plain, response, saturday, session};

const BASIC: &str = "Basic c3ZjOnB3";
const OLGA: &str = "olga@corp.test";

/// A principal with one calendar, as the answer to the look at its address.
fn ada(privileges: &str) -> Reply {
    let principal = "<resourcetype><principal/><collection/></resourcetype>";
    let calendar = format!("<resourcetype><collection/><C:calendar/></resourcetype>{privileges}");
    multistatus(
        &(response("/ada%40corp.test/", principal) + &response("/ada%40corp.test/office/", &calendar)),
    )
}

#[tokio::test]
async fn a_calendar_that_tells_no_more_than_busy_times_is_asked_for_them() {
    let closed =
        "<current-user-privilege-set><privilege><C:read-free-busy/></privilege></current-user-privilege-set>";
    let told = |body: &str| (200, Vec::new(), format!("BEGIN:VCALENDAR\n{body}\nEND:VCALENDAR\n"));
    let asked = format!("REPORT /ada@corp.test/office/ {BASIC} 1");
    let by_the_standard = "BEGIN:VFREEBUSY\nDTSTART:20261204T000000Z\nDTEND:20261207T000000Z\n\
        FREEBUSY:20261204T230000Z/PT2H,20261205T010000Z/PT1H\nFREEBUSY;FBTYPE=BUSY-TENTATIVE:20261205T090000Z/PT1H\nEND:VFREEBUSY";
    let one_by_one = "BEGIN:VFREEBUSY\nDTSTART:20261204T230000Z\nDTEND:20261205T020000Z\nFBTYPE:BUSY\nEND:VFREEBUSY\n\
        BEGIN:VFREEBUSY\nDTSTART:20261205T090000Z\nDTEND:20261205T100000Z\nFBTYPE:BUSY-TENTATIVE\nEND:VFREEBUSY";
    for form in [by_the_standard, one_by_one] {
        let script = Script::play([ada(closed), told(form)]);
        let events =
            caldav().events(&session(&script), "ada@corp.test", saturday(), None).await.unwrap().items;
        let show = |event: &providers::Event| {
            (event.range.start.format("%d %H").to_string(), event.range.duration().num_hours(), event.busy)
        };
        let expected = [
            ("05 00".to_owned(), 2, Some(BusyKind::Busy)),
            ("05 09".to_owned(), 1, Some(BusyKind::Tentative)),
        ];
        assert_eq!(events.iter().map(show).collect::<Vec<_>>(), expected, "cut to the window and joined");
        assert!(events.iter().all(|event| event.private && event.title.is_none()));
        assert_eq!(script.heard()[1..], *std::slice::from_ref(&asked), "events are not even asked for");
    }
    for refusal in [plain(404), plain(403), plain(400), plain(501)] {
        let script = Script::play([ada(closed), refusal]);
        let error = caldav().events(&session(&script), "ada@corp.test", saturday(), None).await.unwrap_err();
        assert_eq!((error.kind, error.remedy), (ErrorKind::OutOfScope, Remedy::SkipMailbox));
    }
}

/// What is answered until the mailbox is given up: the account with these properties, Bo alone in the list, nobody found
/// by a search, Olga's guessed paths closed, and nothing where nobody can be.
fn closed(account: &str) -> Vec<Reply> {
    let bo = "<resourcetype><principal/></resourcetype>";
    let found = [script::OWN, account].map(|props| multistatus(&response("/svc/", props)));
    found.into_iter().chain([multistatus(&response("/bo/", bo))]).chain(given_up()).collect()
}

/// The same, where the account and the list are known.
fn given_up() -> [Reply; 4] {
    [plain(403), plain(403), plain(404), plain(404)]
}

const OUTBOX: &str = "<C:schedule-outbox-URL><href>/svc/outbox/</href></C:schedule-outbox-URL>\
    <C:calendar-user-address-set><href>/svc/</href><href>mailto:svc@corp.test</href></C:calendar-user-address-set>";

fn about_olga(status: &str, data: &str) -> Reply {
    let text = format!(
        r#"<C:schedule-response xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><C:response><C:recipient><href>mailto:Olga@corp.test</href></C:recipient><C:request-status>{status}</C:request-status>{data}</C:response></C:schedule-response>"#
    );
    (200, Vec::new(), text)
}

async fn ask(script: &Script) -> Result<providers::FreeBusy> {
    let caldav = caldav();
    caldav.busy(&session(script), &[OLGA.to_owned()], saturday()).await.unwrap().remove(0).1
}

#[tokio::test]
async fn who_may_not_be_looked_at_is_asked_through_the_accounts_outbox() {
    let data = "<C:calendar-data>BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VFREEBUSY\nDTSTART:20261204T000000Z\n\
        DTEND:20261208T000000Z\nFREEBUSY:20261205T090000Z/PT1H\nFREEBUSY;FBTYPE=FREE:20261205T100000Z/PT1H\n\
        FREEBUSY:20261207T090000Z/PT1H\nEND:VFREEBUSY\nEND:VCALENDAR</C:calendar-data>";
    let told = about_olga("2.0;Success", data);
    let again = given_up().into_iter().chain([told.clone()]);
    let script = Script::raw(closed(OUTBOX).into_iter().chain([told]).chain(again));
    let (caldav, session) = (caldav(), session(&script));
    for _ in 0..2 {
        let verdict =
            caldav.busy(&session, &[OLGA.to_owned()], saturday()).await.unwrap().remove(0).1.unwrap().busy;
        let hours: Vec<_> = verdict.iter().map(|busy| busy.range.start.format("%d %H").to_string()).collect();
        assert_eq!(hours, ["05 09"], "only what lies in the window, and only what is taken");
    }
    let heard = script.heard();
    assert_eq!(heard[7], format!("POST /svc/outbox/ {BASIC}"));
    assert_eq!(heard.len(), 13, "where to ask is remembered: {heard:?}");
}

#[tokio::test]
async fn an_outbox_that_does_not_tell_leaves_the_mailbox_out_of_reach() {
    let out = (ErrorKind::OutOfScope, Remedy::SkipMailbox);
    for reply in [
        about_olga("3.7;Invalid calendar user", ""),
        about_olga("3.8;No authority", ""),
        about_olga("2.0;Success", ""),
        plain(404),
        plain(405),
        (
            403,
            Vec::new(),
            r#"<error xmlns="DAV:"><C:valid-organizer xmlns:C="urn:ietf:params:xml:ns:caldav"/></error>"#
                .to_owned(),
        ),
    ] {
        let error = ask(&Script::raw(closed(OUTBOX).into_iter().chain([reply]))).await.unwrap_err();
        assert_eq!((error.kind, error.remedy), out, "{error:?}");
    }
    let error = ask(&Script::raw(closed(""))).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), out, "an account without an outbox");
    let later = about_olga("5.1;Could not complete", "");
    let error = ask(&Script::raw(closed(OUTBOX).into_iter().chain([later]))).await.unwrap_err();
    assert_eq!(error.remedy, Remedy::RetryAfter(Duration::from_secs(5)), "and this passes");
}
