//! Finding out who is there, on servers that do not like to tell, and asking no more often than needed.

use domain::TimeRange;
use providers::{Directory as _, ErrorKind, Events as _, Session};

use crate::{
    caldav_script::{Reply, caldav, multistatus, plain, response, saturday},
    caldav_setup::{Ask, Nodes, Setup, calendar, event, nodes, owner, principal},
};

/// The service account and Ada; the list of principals is closed.
fn unlisted(ask: &Ask) -> Option<Reply> {
    (ask.path == "/p/" && ask.method == "PROPFIND").then(|| plain(403))
}

fn everybody() -> Reply {
    let svc = response("/p/svc/", &principal("Service", &["svc@corp.test"], &[]));
    multistatus(&(svc + &response("/p/ada/", &principal("Ada", &["ada@corp.test"], &[]))))
}

async fn people(setup: &Setup) -> Vec<String> {
    let people = caldav().people(&setup.session(), None).await.unwrap().items;
    people.into_iter().map(|one| one.address).collect()
}

#[tokio::test]
async fn a_search_that_is_refused_in_one_way_is_asked_in_another() {
    let text =
        |ask: &Ask| ask.body.split("<D:match>").nth(1).map(|rest| rest.split('<').next().unwrap().to_owned());
    for (name, property, wanted) in [
        ("an empty name", "<D:displayname/></D:prop><D:match>", ""),
        ("addresses", "<C:calendar-user-address-set/></D:prop><D:match>", "@"),
        ("addresses by their domain", "<C:calendar-user-address-set/></D:prop><D:match>", "corp.test"),
        ("mail addresses", "<CS:email-address-set/></D:prop><D:match>", "@"),
        ("kinds of users", "<C:calendar-user-type/></D:prop><D:match>", "INDIVIDUAL"),
        ("letters of names", "<D:displayname/></D:prop><D:match>", "a"),
    ] {
        for otherwise in [plain(400), multistatus("")] {
            let setup = Setup::serve(nodes([]), move |ask| {
                if ask.path == "/p/" && ask.method == "REPORT" {
                    let is_it = ask.body.contains(property) && text(ask).as_deref() == Some(wanted);
                    return Some(if is_it { everybody() } else { otherwise.clone() });
                }
                unlisted(ask)
            });
            assert_eq!(people(&setup).await, ["ada@corp.test"], "{name}");
            assert!(setup.count(|ask| ask.method == "REPORT") <= 11, "{name}");
        }
    }
}

#[tokio::test]
async fn somebody_whom_no_list_shows_is_found_by_address_and_a_server_that_answers_everybody_is_not_believed()
{
    let setup = Setup::serve(nodes([("/c/ada/office/", calendar(""))]), |ask| {
        let is_search = ask.path == "/p/" && ask.method == "REPORT";
        match is_search && ask.body.contains("<D:match>ada@corp.test") {
            true => Some(everybody()),
            false if is_search => Some(plain(403)),
            false => unlisted(ask),
        }
    });
    let (caldav, session) = (caldav(), setup.session());
    assert_eq!(caldav.mailbox(&session, "ada@corp.test").await.unwrap().id, "/p/ada/");
    let error = caldav.mailbox(&session, "bo@corp.test").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoMailbox);
    let setup = Setup::serve(nodes([("/c/ada/office/", calendar(""))]), |ask| {
        if ask.path == "/p/" && ask.method == "REPORT" { Some(everybody()) } else { unlisted(ask) }
    });
    let error = crate::caldav_script::caldav().mailbox(&setup.session(), "bo@corp.test").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoMailbox, "whoever was answered is somebody else");
}

#[tokio::test]
async fn nobody_is_listed_without_an_address_or_twice() {
    let setup = Setup::serve(
        nodes([
            ("/p/again/", principal("Ada again", &["ADA@corp.test"], &[])),
            ("/p/ada@corp.test/", principal("Called like her", &[], &[])),
            ("/p/bo/", principal("Bo", &["bo", ""], &[])),
            (
                "/p/proxy/",
                principal("Proxy", &["cy@corp.test"], &[]).replace(
                    "<principal/>",
                    "<principal/><s:calendar-proxy-write xmlns:s=\"http://calendarserver.org/ns/\"/>",
                ),
            ),
        ]),
        |_| None,
    );
    assert_eq!(people(&setup).await, ["ada@corp.test", "bo@corp.test"]);
}

#[tokio::test]
async fn owners_of_calendars_in_the_accounts_own_home_are_there_where_nobody_is_listed() {
    let setup = Setup::serve(
        nodes([
            ("/p/ada/", principal("Ada", &["ada@corp.test"], &["/c/svc/"])),
            ("/c/svc/ada.work/", calendar(&owner("/p/ada/"))),
            ("/c/svc/default/", calendar(&owner("/p/svc/"))),
        ]),
        |ask| if ask.path == "/p/" { Some(plain(403)) } else { None },
    );
    assert_eq!(people(&setup).await, ["ada@corp.test"]);
    let found = caldav().calendar(&setup.session(), "ada@corp.test").await.unwrap();
    assert_eq!(found.id, "/c/svc/ada.work/");
}

/// Ten people with a calendar each.
fn ten() -> (Vec<String>, Nodes) {
    let names: Vec<String> = (0..10).map(|n| format!("p{n}")).collect();
    let mut all = nodes([]);
    for name in &names {
        let (address, home) = (format!("{name}@corp.test"), format!("/c/{name}/"));
        all.insert(format!("/p/{name}/"), principal(name, &[&address], &[&home]));
        all.insert(home.clone(), "<resourcetype><collection/></resourcetype>".to_owned());
        all.insert(format!("{home}work/"), calendar(""));
        all.insert(format!("{home}work/1.ics"), event(name, 9, ""));
    }
    (names.iter().map(|name| format!("{name}@corp.test")).collect(), all)
}

#[tokio::test]
async fn the_list_is_read_once_for_ten_mailboxes_and_anew_on_demand() {
    let (mailboxes, all) = ten();
    let setup = Setup::serve(all, |_| None);
    let (caldav, session) = (caldav(), setup.session());
    let is_list = |ask: &Ask| ask.path == "/p/" && ask.is_deep();
    let busy = caldav.busy(&session, &mailboxes, saturday()).await.unwrap();
    assert!(busy.iter().all(|(_, one)| one.as_ref().is_ok_and(|one| one.busy.len() == 1)), "{busy:?}");
    assert_eq!(setup.count(is_list), 1);
    let first = 3 + 10 * 7;
    assert_eq!(
        setup.count(|_| true),
        first,
        "the account, itself, the list; a principal, a home, a window, and four lists to compare each"
    );
    caldav.busy(&session, &mailboxes, saturday()).await.unwrap();
    assert_eq!(setup.count(|_| true), first + 10, "afterwards the windows alone");
    for mailbox in &mailboxes {
        caldav.mailbox(&session, mailbox).await.unwrap();
        caldav.calendar(&session, mailbox).await.unwrap();
    }
    assert_eq!(setup.count(is_list), 1);
    caldav.people(&session, None).await.unwrap();
    assert_eq!(setup.count(is_list), 2);
}

#[tokio::test]
async fn what_one_integration_has_seen_no_other_one_meets() {
    let (mailboxes, all) = ten();
    let setup = Setup::serve(all, |ask| {
        // The same server lets another account see nobody.
        let is_other = ask.line.contains("b3RoZXI6cHc=");
        (is_other && ask.path != "/" && ask.path != "/p/svc/").then(|| plain(403))
    });
    let caldav = caldav();
    let session = setup.session();
    let window: TimeRange = saturday();
    assert!(caldav.busy(&session, &mailboxes, window).await.unwrap().iter().all(|(_, one)| one.is_ok()));
    let user = "other".to_owned();
    let credential = providers::Credential::Basic { user, password: "pw".to_owned().into() };
    // It names the same server, the same account, everything that can be typed.
    let stranger = Session {
        credentials: std::sync::Arc::new(providers::StaticCredentials(credential)),
        scope: "another".into(),
        ..session
    };
    let verdicts = caldav.busy(&stranger, &mailboxes, window).await.unwrap();
    assert!(verdicts.iter().all(|(_, one)| one.is_err()), "{verdicts:?}");
}
