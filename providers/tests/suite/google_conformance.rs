//! The Google connector against the sandbox: the conformance suite.

use crate::conformance;
use crate::google_setup;

use std::collections::BTreeSet;

use chrono::Duration;
use conformance::Fixture;
use domain::TimeRange;
use google_setup::{Setup, text};
use providers::NamedAddress;
use serde_json::{Value, json};

/// More than one page of the directory, of the rooms, and of events.
const USERS: usize = 505;
const ROOMS: usize = 505;
const EVENTS: usize = 255;

fn addresses(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|mailbox| text(&mailbox["address"]).to_lowercase()).collect()
}

fn party(mailbox: &Value) -> NamedAddress {
    NamedAddress { name: text(&mailbox["name"]).to_owned(), address: text(&mailbox["address"]).to_owned() }
}

async fn fixture() -> Fixture {
    let setup = Setup::start().await;
    let organisation = setup.organisation("Acme", USERS, ROOMS).await;
    setup.authorise(&organisation, 0).await;
    let path = format!("organisations/{}/settings", text(&organisation["id"]));
    setup.control(&path, &json!({ "room_delay_s": 30 })).await;
    let users = organisation["users"].as_array().unwrap();
    let (open, closed): (Vec<&Value>, Vec<&Value>) =
        users.iter().partition(|user| user["in_scope"].as_bool().unwrap());
    let start = "2026-12-01T00:00:00Z".parse().unwrap();
    let clock = setup.clock.clone();
    let url = setup.url.clone();
    Fixture {
        provider: Box::new(setup.google.clone()),
        session: setup.session(&organisation),
        people: &addresses(&organisation["users"]) | &addresses(&organisation["shared"]),
        rooms: addresses(&organisation["rooms"]),
        several_pages: true,
        organiser: party(open[1]),
        guest: party(open[2]),
        room: party(&organisation["rooms"][0]),
        missing: format!("nobody@{}", text(&organisation["domain"])),
        out_of_scope: Some(party(closed[0]).address),
        crowd: open.iter().skip(1).take(30).map(|user| party(user).address).collect(),
        day: TimeRange::new(start, start + Duration::days(1)).unwrap(),
        many: EVENTS,
        settle: Box::new(move || clock.advance(Duration::seconds(31))),
        forget_cursors: Box::new(move || conformance::tell(&url, "cursors/forget")),
        keep: Box::new(setup),
    }
}

conformance!(fixture);
