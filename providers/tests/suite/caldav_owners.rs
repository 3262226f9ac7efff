//! Whose calendar it is, and which of several: by what servers say, and never by what is convenient.

mod bookings;
mod principals;

use domain::BusyKind;
use providers::{CalendarKind, ChangeFeed as _, ErrorKind, Events as _, Remedy};

use crate::{
    caldav_script::{Reply, caldav, multistatus, plain, response, saturday},
    caldav_setup::{Ask, Setup, calendar, event, nodes, owner, principal, rights},
};

const ADA: &str = "ada@corp.test";

fn nothing(_: &Ask) -> Option<Reply> {
    None
}

/// The calendar that is taken for Ada's, or the code of the refusal.
async fn calendar_of(setup: &Setup, mailbox: &str) -> String {
    match caldav().calendar(&setup.session(), mailbox).await {
        Ok(found) => found.id,
        Err(error) => {
            assert_eq!(error.remedy, Remedy::SkipMailbox, "{error:?}");
            error.code
        }
    }
}

/// Ada's principal as some servers show it: with the home of whoever asks.
fn home_of_the_asker() -> (&'static str, String) {
    ("/p/ada/", principal("Ada", &[ADA], &["/c/svc/"]))
}

#[tokio::test]
async fn a_calendar_in_the_askers_home_is_used_only_when_its_owner_is_the_mailboxs_principal() {
    for (is_adas, own) in [
        (true, owner("/p/ada/")),
        (true, owner("/p/ada")),
        (true, owner("/p/%61da/")),
        // Another path of the same principal: it publishes the same address.
        (true, owner("/users/17/")),
        (false, owner("/users/18/")),
        (false, owner("/p/svc/")),
        (false, owner("/p/nobody/")),
        (false, "<owner><unauthenticated/></owner>".to_owned()),
        (false, "<owner/>".to_owned()),
        (false, String::new()),
    ] {
        let shared = calendar(&(own.clone() + rights(true)));
        let mine = calendar(&(owner("/p/svc/") + rights(true)));
        let setup = Setup::serve(
            nodes([
                home_of_the_asker(),
                ("/c/svc/default/", mine),
                ("/c/svc/shared/", shared),
                ("/users/17/", principal("Ada L.", &["ADA@corp.test"], &[])),
                ("/users/18/", principal("Ada M.", &["ada.m@corp.test"], &[])),
            ]),
            nothing,
        );
        let expected = if is_adas { "/c/svc/shared/" } else { "NOT_THE_OWNERS" };
        assert_eq!(calendar_of(&setup, ADA).await, expected, "{own}");
    }
}

#[tokio::test]
async fn the_answers_of_a_server_that_tells_everybody_the_askers_home_are_seen_through() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases/responses/");
    let read = |name: &str| std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    let home = read("caldav-home-of-the-asker.xml");
    let own = "<current-user-principal><href>/principals/svc/</href></current-user-principal>\
               <principal-collection-set><href>/principals/</href></principal-collection-set>";
    for (shared, expected) in [
        (read("caldav-shared-calendar-in-the-accounts-home.xml"), "/calendars/svc/ada.default/"),
        (response_of("/calendars/svc/default/", &calendar(&owner("/principals/svc/"))), "NOT_THE_OWNERS"),
    ] {
        let home = home.clone();
        let setup = Setup::serve(nodes([]), move |ask| {
            Some(match (ask.path.as_str(), ask.is_deep()) {
                ("/", false) => multistatus(&response("/", own)),
                ("/principals/svc/", _) => multistatus(&response(
                    "/principals/svc/",
                    &principal("Service", &["s@corp.test"], &["/calendars/svc/"]),
                )),
                ("/principals/", true) => multistatus(&response(
                    "/principals/ada/",
                    &principal("Ada", &[ADA], &["/calendars/svc/"]),
                )),
                ("/principals/ada/", _) => (207, Vec::new(), home.clone()),
                ("/calendars/svc/", true) => (207, Vec::new(), shared.clone()),
                _ if ask.method == "REPORT" => multistatus(""),
                _ => plain(200),
            })
        });
        assert_eq!(calendar_of(&setup, ADA).await, expected);
    }
}

fn response_of(href: &str, props: &str) -> String {
    multistatus(&response(href, props)).2
}

#[tokio::test]
async fn a_calendar_of_another_owner_in_somebodys_own_home_is_not_theirs() {
    let shared = "<resourcetype><collection/><C:calendar/><s:shared xmlns:s=\"http://calendarserver.org/ns/\"/></resourcetype>";
    let invite = "<s:invite xmlns:s=\"http://calendarserver.org/ns/\"><s:organizer><href>/p/bo/</href></s:organizer></s:invite>";
    let setup = Setup::serve(
        nodes([
            ("/p/bo/", principal("Bo", &["bo@corp.test"], &["/c/bo/"])),
            ("/c/ada/a-of-bo/", calendar(&owner("/p/bo/"))),
            ("/c/ada/b-of-bo/", format!("{shared}{}{invite}", owner("/p/ada/"))),
            ("/c/ada/c-of-somebody/", format!("{shared}{}", owner("/p/ada/"))),
            ("/c/ada/office/", calendar("")),
            ("/c/ada/a-of-bo/1.ics", event("bos", 9, "")),
            ("/c/ada/c-of-somebody/1.ics", event("somebodys", 10, "")),
            ("/c/ada/office/1.ics", event("adas", 11, "")),
        ]),
        nothing,
    );
    let (caldav, session) = (caldav(), setup.session());
    let listed = caldav.calendars(&session, ADA).await.unwrap();
    let shown: Vec<_> = listed.iter().map(|one| (one.id.as_str(), one.kind, one.counts)).collect();
    assert_eq!(
        shown,
        [
            ("/c/ada/office/", CalendarKind::Default, true),
            ("/c/ada/a-of-bo/", CalendarKind::Shared, false),
            ("/c/ada/b-of-bo/", CalendarKind::Shared, false),
            ("/c/ada/c-of-somebody/", CalendarKind::Shared, false),
        ]
    );
    let events = caldav.events(&session, ADA, saturday(), None).await.unwrap().items;
    assert_eq!(events.iter().map(|event| event.uid.as_str()).collect::<Vec<_>>(), ["adas"]);
    let of_bo = caldav.events_of(&session, ADA, "/c/ada/a-of-bo/", saturday(), None).await.unwrap().items;
    assert_eq!(of_bo[0].uid, "bos", "an administrator may let it count");
    let error = caldav.events_of(&session, ADA, "/c/bo/office/", saturday(), None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Gone);
}

#[tokio::test]
async fn a_home_that_everybody_shares_proves_nothing_without_owners() {
    let everybody = |props: &str| {
        Setup::serve(
            nodes([
                ("/p/ada/", principal("Ada", &[ADA], &["/c/"])),
                ("/c/", "<resourcetype><collection/></resourcetype>".to_owned()),
                ("/c/one/", calendar(props)),
            ]),
            nothing,
        )
    };
    assert_eq!(calendar_of(&everybody(""), ADA).await, "NOT_THE_OWNERS");
    assert_eq!(calendar_of(&everybody(&owner("/p/ada/")), ADA).await, "/c/one/");
}

#[tokio::test]
async fn homes_are_found_wherever_they_are() {
    let several = principal("Ada", &[ADA], &["/c/none/", "/c/empty/", "/c/ada/"]);
    for (name, more, expected) in [
        (
            "several homes",
            vec![("/p/ada/", several.clone()), ("/c/ada/office/", calendar(""))],
            "/c/ada/office/",
        ),
        ("no home", vec![("/p/ada/", principal("Ada", &[ADA], &[]))], "NO_CALENDAR_VISIBLE"),
        ("an empty home", vec![], "NO_CALENDAR_VISIBLE"),
        (
            "one level deeper",
            vec![
                ("/c/ada/calendars/", "<resourcetype><collection/></resourcetype>".to_owned()),
                ("/c/ada/calendars/office/", calendar("")),
            ],
            "/c/ada/calendars/office/",
        ),
        (
            "only tasks",
            vec![(
                "/c/ada/tasks/",
                calendar(
                    "<C:supported-calendar-component-set><C:comp name=\"VTODO\"/></C:supported-calendar-component-set>",
                ),
            )],
            "NO_CALENDAR_VISIBLE",
        ),
    ] {
        let setup = Setup::serve(nodes([("/c/empty/", String::new())].into_iter().chain(more)), nothing);
        assert_eq!(calendar_of(&setup, ADA).await, expected, "{name}");
    }
}

/// Ada's home with these calendars, by name.
fn home(calendars: &[(&'static str, String)]) -> Setup {
    Setup::serve(nodes(calendars.iter().cloned()), nothing)
}

#[tokio::test]
async fn bookings_go_into_the_calendar_that_the_owner_schedules_with() {
    let default = |href: &str| {
        format!("<C:schedule-default-calendar-URL><href>{href}</href></C:schedule-default-calendar-URL>")
    };
    let with = |more: String| principal("Ada", &[ADA], &["/c/ada/"]) + &more;
    let inbox = "<C:schedule-inbox-URL><href>/c/ada/inbox/</href></C:schedule-inbox-URL>".to_owned();
    let accounts = "<C:schedule-inbox-URL><href>/c/svc/inbox/</href></C:schedule-inbox-URL>".to_owned();
    let all = || {
        vec![
            ("/c/ada/alpha/", calendar(rights(true))),
            ("/c/ada/beta/", calendar(rights(true))),
            ("/c/ada/closed/", calendar(rights(false))),
            ("/c/ada/inbox/", default("/c/ada/beta/")),
            ("/c/svc/inbox/", default("/c/ada/beta/")),
        ]
    };
    for (name, ada, expected) in [
        ("on the principal", with(default("/c/ada/beta")), "/c/ada/beta/"),
        ("on the inbox", with(inbox), "/c/ada/beta/"),
        ("on the account's inbox", with(accounts), "/c/ada/alpha/"),
        ("read-only", with(default("/c/ada/closed/")), "/c/ada/alpha/"),
        ("of somebody else", with(default("/c/svc/default/")), "/c/ada/alpha/"),
        ("the root", with(default("/")), "/c/ada/alpha/"),
        ("not said", with(String::new()), "/c/ada/alpha/"),
    ] {
        let setup = Setup::serve(nodes(all().into_iter().chain([("/p/ada/", ada)])), nothing);
        assert_eq!(calendar_of(&setup, ADA).await, expected, "{name}");
    }
}

#[tokio::test]
async fn without_a_default_a_writable_calendar_of_the_owners_own_comes_first() {
    let transparent = "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>";
    let subscribed = "<resourcetype><collection/><C:calendar/><s:subscribed xmlns:s=\"http://calendarserver.org/ns/\"/></resourcetype>";
    for (calendars, expected) in [
        (
            vec![
                ("/c/ada/contact_birthdays/", calendar(rights(false))),
                ("/c/ada/personal/", calendar(rights(true))),
            ],
            "personal",
        ),
        // A delegate may write everywhere: the name tells.
        (
            vec![
                ("/c/ada/contact_birthdays/", calendar(rights(true))),
                ("/c/ada/zz/", calendar(rights(true))),
            ],
            "zz",
        ),
        (vec![("/c/ada/a/", subscribed.to_owned()), ("/c/ada/b/", calendar(""))], "b"),
        (vec![("/c/ada/a/", calendar("")), ("/c/ada/default/", calendar(""))], "default"),
        (vec![("/c/ada/a/", calendar(transparent)), ("/c/ada/b/", calendar(""))], "b"),
        (vec![("/c/ada/a/", calendar(rights(false))), ("/c/ada/b/", calendar(""))], "b"),
        (
            vec![
                ("/c/ada/ada.Birthdays/", calendar(rights(true))),
                ("/c/ada/ada.Default/", calendar(rights(true))),
            ],
            "ada.Default",
        ),
        (vec![("/c/ada/b/", calendar("")), ("/c/ada/a/", calendar(""))], "a"),
    ] {
        assert_eq!(calendar_of(&home(&calendars), ADA).await, format!("/c/ada/{expected}/"), "{calendars:?}");
    }
}

#[tokio::test]
async fn a_read_only_calendar_is_not_written_to() {
    let setup = home(&[("/c/ada/holidays/", calendar(rights(false)))]);
    let rights = caldav().calendar(&setup.session(), ADA).await.unwrap().capabilities;
    assert!(rights.read_details && !rights.can_write());
}

#[tokio::test]
async fn busy_is_the_union_of_the_owners_calendars_that_take_time() {
    let transparent = "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>";
    let opaque = "<C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp>";
    let declined = "ORGANIZER:mailto:bo@corp.test\r\nATTENDEE;PARTSTAT=DECLINED:mailto:ada.l@corp.test\r\n";
    let setup = home(&[
        ("/p/ada/", principal("Ada", &["ada.l@corp.test", ADA], &["/c/ada/"])),
        ("/c/ada/contact_birthdays/", calendar(rights(false))),
        ("/c/ada/personal/", calendar(rights(true))),
        ("/c/ada/rota/", calendar(transparent)),
        ("/c/ada/office/", calendar(opaque)),
        ("/c/ada/personal/1.ics", event("one", 8, "")),
        ("/c/ada/personal/2.ics", event("declined", 14, declined)),
        ("/c/ada/office/1.ics", event("two", 10, "")),
        ("/c/ada/rota/1.ics", event("rota", 12, "")),
    ]);
    let (caldav, session) = (caldav(), setup.session());
    let busy = caldav.busy(&session, &[ADA.to_owned()], saturday()).await.unwrap().remove(0).1.unwrap();
    let hours: Vec<_> = busy.busy.iter().map(|busy| busy.range.start.format("%H").to_string()).collect();
    assert_eq!(
        hours,
        ["08", "10"],
        "neither the transparent one nor what was declined under another address"
    );
    let events = caldav.events(&session, ADA, saturday(), None).await.unwrap().items;
    assert_eq!(events.iter().filter(|event| event.busy == Some(BusyKind::Busy)).count(), 2);
    let first = caldav.changes(&session, ADA, saturday(), None).await.unwrap();
    assert_eq!(first.changed.len(), 3);
    setup.nodes().insert("/c/ada/office/2.ics".to_owned(), event("three", 16, ""));
    setup.nodes().remove("/c/ada/personal/1.ics");
    let next = caldav.changes(&session, ADA, saturday(), Some(&first.cursor)).await.unwrap();
    assert_eq!(next.changed.iter().map(|event| event.uid.as_str()).collect::<Vec<_>>(), ["three"]);
    assert!(next.gone.contains(&"/c/ada/personal/1.ics".to_owned()), "{:?}", next.gone);
    let found = caldav.event(&session, ADA, "/c/ada/office/2.ics").await.unwrap().unwrap();
    assert_eq!(found.uid, "three");
    let listed = caldav.calendars(&session, ADA).await.unwrap();
    let shown: Vec<_> = listed.iter().map(|one| (one.id.as_str(), one.kind, one.counts)).collect();
    assert_eq!(
        shown,
        [
            ("/c/ada/personal/", CalendarKind::Default, true),
            ("/c/ada/office/", CalendarKind::Secondary, true),
            ("/c/ada/rota/", CalendarKind::Secondary, false),
            ("/c/ada/contact_birthdays/", CalendarKind::Generated, true),
        ]
    );
}

#[tokio::test]
async fn a_calendar_that_comes_or_goes_begins_the_changes_anew() {
    let setup = home(&[("/c/ada/personal/", calendar(""))]);
    let (connector, session) = (caldav(), setup.session());
    let first = connector.changes(&session, ADA, saturday(), None).await.unwrap();
    setup.nodes().insert("/c/ada/office/".to_owned(), calendar(""));
    // Another process has not seen the mailbox yet.
    let error = caldav().changes(&session, ADA, saturday(), Some(&first.cursor)).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::Gone, Remedy::Resync));
}

#[tokio::test]
async fn a_second_calendar_that_is_closed_is_asked_for_its_times_and_one_that_shows_nothing_is_marked() {
    let told = "BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\nFREEBUSY:20261205T120000Z/PT1H\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n";
    let setup = Setup::serve(
        nodes([
            ("/c/ada/personal/", calendar("")),
            ("/c/ada/b-closed/", calendar("")),
            ("/c/ada/c-secret/", calendar("")),
            ("/c/ada/personal/1.ics", event("one", 8, "")),
        ]),
        |ask| match ask.path.as_str() {
            "/c/ada/b-closed/" if ask.body.contains("free-busy-query") => {
                Some((200, Vec::new(), told.to_owned()))
            }
            "/c/ada/b-closed/" | "/c/ada/c-secret/" if ask.method == "REPORT" => Some(plain(403)),
            _ => None,
        },
    );
    let busy =
        caldav().busy(&setup.session(), &[ADA.to_owned()], saturday()).await.unwrap().remove(0).1.unwrap();
    let hours: Vec<_> = busy.busy.iter().map(|busy| busy.range.start.format("%H").to_string()).collect();
    assert_eq!(hours, ["08", "12"]);
    assert_eq!(busy.unreadable.iter().map(|one| one.uid.as_str()).collect::<Vec<_>>(), ["/c/ada/c-secret/"]);
}
