//! The CalDAV connector on two real servers, by the suite that holds for every connector.

use crate::caldav_server as server;
use crate::conformance;

use std::{collections::BTreeSet, sync::Arc};

use conformance::Fixture;
use domain::TimeRange;
use providers::{Directory as _, NamedAddress};
use server::{Kind, Server, at, caldav};

async fn fixture(kind: Kind) -> Fixture {
    let (server, caldav) = (Arc::new(Server::start(kind)), caldav());
    let session = server.session();
    let people = caldav.people(&session, None).await.unwrap().items;
    let rooms = caldav.rooms(&session, None).await.unwrap().items;
    let party =
        |name: &str, address: &str| NamedAddress { name: name.to_owned(), address: address.to_owned() };
    let closed = "olga.outside@corp.test".to_owned();
    let open = people.iter().map(|person| &person.address).filter(|address| **address != closed);
    let crowd = open.chain(rooms.iter().map(|room| &room.address)).cloned();
    let forgetful = server.clone();
    Fixture {
        crowd: crowd.chain(["svc@corp.test".to_owned()]).collect(),
        people: server::people(),
        rooms: BTreeSet::from(["atlas", "borealis", "cosmos"].map(|name| format!("room-{name}@corp.test"))),
        several_pages: false,
        organiser: party("Ada Lovelace", "ada.lovelace@corp.test"),
        guest: party("Bo Lindqvist", "bo.lindqvist@corp.test"),
        room: party("Atlas", "room-atlas@corp.test"),
        missing: "nobody@corp.test".to_owned(),
        out_of_scope: Some(closed),
        // A Saturday before the fixture's events begin.
        day: TimeRange::new(at("2026-11-28T00:00:00Z"), at("2026-11-29T00:00:00Z")).unwrap(),
        many: 25,
        settle: Box::new(|| ()),
        forget_cursors: Box::new(move || forgetful.forget_tokens("ada.lovelace@corp.test")),
        keep: Box::new(server),
        provider: Box::new(caldav),
        session,
    }
}

mod radicale {
    use super::{Fixture, Kind, conformance};

    async fn fixture() -> Fixture {
        super::fixture(Kind::Radicale).await
    }

    conformance!(fixture);
}

mod xandikos {
    use super::{Fixture, Kind, conformance};

    async fn fixture() -> Fixture {
        super::fixture(Kind::Xandikos).await
    }

    conformance!(fixture);
}
