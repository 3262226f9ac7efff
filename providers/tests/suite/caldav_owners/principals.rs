//! Which principal owns an address, and which principals are people, rooms or the account itself.

use providers::{Directory as _, ErrorKind, Mailbox, MailboxKind, Remedy, Result};

use super::{ADA, home};
use crate::{
    caldav_script::{caldav, multistatus, plain, response},
    caldav_setup::{Setup, calendar, nodes, principal},
};

/// A mailbox, or what to do about its refusal.
async fn mailbox(setup: &Setup, address: &str) -> Result<Mailbox> {
    caldav().mailbox(&setup.session(), address).await
}

#[tokio::test]
async fn published_addresses_come_first_and_a_guess_that_is_refused_means_nothing() {
    let elsewhere = [
        // Found in the list, although the guessed path is refused in any way.
        ("/p/ada/", principal("Ada", &["other@corp.test", ADA], &["/c/ada/"])),
        ("/c/ada/office/", calendar("")),
    ];
    for refusal in [
        plain(403),
        plain(404),
        plain(405),
        (401, vec![("WWW-Authenticate", "Basic realm=\"other\"".into())], String::new()),
    ] {
        let status = refusal.0;
        let setup = Setup::serve(nodes(elsewhere.clone()), move |ask| {
            (ask.path.contains('@') || ask.path.starts_with("/ada")).then(|| refusal.clone())
        });
        assert_eq!(mailbox(&setup, ADA).await.unwrap().id, "/p/ada/", "{status}");
        let error = mailbox(&setup, "nobody@corp.test").await.unwrap_err();
        assert_eq!(error.remedy, Remedy::SkipMailbox, "{status}: the password still holds");
        assert_eq!(mailbox(&setup, ADA).await.unwrap().id, "/p/ada/", "{status}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_to_show_what_cannot_be_there_tells_nothing_by_refusing() {
    for (closed, expected) in [
        ("/ada@corp.test/", ErrorKind::OutOfScope),
        // Everything that is not known is refused.
        ("/", ErrorKind::NoMailbox),
    ] {
        let setup = Setup::serve(nodes([]), move |ask| {
            let is_known = ask.path == "/" || ask.path.starts_with("/p/");
            (ask.path.starts_with(closed) && !is_known).then(|| plain(403))
        });
        setup.nodes().remove("/p/ada/");
        let error = mailbox(&setup, ADA).await.unwrap_err();
        assert_eq!((error.kind, error.remedy), (expected, Remedy::SkipMailbox), "{closed}");
    }
}

#[tokio::test]
async fn a_guess_that_answers_a_canonical_principal_counts_when_that_publishes_the_address() {
    let hidden = |addresses: &'static [&'static str]| {
        let ada = principal("Ada", addresses, &["/c/ada/"]);
        Setup::serve(
            nodes([("/c/ada/office/", calendar(""))])
                .into_iter()
                .filter(|(path, _)| path != "/p/ada/")
                .collect(),
            move |ask| (ask.path == "/ada@corp.test/").then(|| multistatus(&response("/u/17/", &ada))),
        )
    };
    assert_eq!(mailbox(&hidden(&[ADA]), ADA).await.unwrap().id, "/u/17/");
    for other in [&["ada.m@corp.test"][..], &[]] {
        let error = mailbox(&hidden(other), ADA).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoMailbox, "{other:?}: a namesake, or nobody");
    }
}

#[tokio::test]
async fn the_account_is_known_by_what_it_publishes() {
    let own = principal("Service", &["Calendar-Service@corp.test", "svc@else.test"], &["/c/svc/"]);
    let setup =
        home(&[("/p/svc/", own), ("/c/svc/default/", calendar("")), ("/c/ada/office/", calendar(""))]);
    for address in ["calendar-service@corp.test", "svc@else.test", "svc@corp.test"] {
        let found = mailbox(&setup, address).await.unwrap();
        assert_eq!((found.id.as_str(), found.kind), ("/p/svc/", MailboxKind::Shared), "{address}");
    }
    let people = caldav().people(&setup.session(), None).await.unwrap().items;
    assert_eq!(people.iter().map(|one| one.address.as_str()).collect::<Vec<_>>(), [ADA]);
}

#[tokio::test]
async fn a_room_is_what_a_rule_names_and_individual_is_no_evidence() {
    let kind = |kind: &str| format!("<C:calendar-user-type>{kind}</C:calendar-user-type>");
    let setup = home(&[
        ("/p/atlas/", principal("Atlas", &["room-atlas@corp.test"], &[]) + &kind("INDIVIDUAL")),
        ("/p/cosmos/", principal("Cosmos", &["cosmos@corp.test"], &[]) + &kind("RESOURCE")),
        ("/p/room-borealis/", principal("Borealis", &["borealis@corp.test"], &[]) + &kind("INDIVIDUAL")),
        ("/p/ada/", principal("Ada", &[ADA], &[]) + &kind("INDIVIDUAL")),
    ]);
    let names = async |session: &providers::Session| {
        let rooms = caldav().rooms(session, None).await.unwrap().items;
        rooms.into_iter().map(|room| room.name).collect::<Vec<_>>()
    };
    let session = setup.session();
    assert_eq!(names(&session).await, ["Cosmos", "Borealis"]);
    let rule = serde_json::from_str(r#"{"addresses": ["room-*"], "pathPrefixes": []}"#).unwrap();
    let session = providers::Session { rooms: Some(std::sync::Arc::new(rule)), ..session };
    assert_eq!(names(&session).await, ["Atlas", "Cosmos"]);
}
